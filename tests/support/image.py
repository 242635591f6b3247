"""An Image API for tests: the real parts on SQLite in a directory, tokens that are names, requests in process."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from calotype.api.image.api import ImageAPI
from calotype.api.image.routes import ImageApp
from calotype.app import assemble
from calotype.database import schema
from calotype.settings import Section, Settings
from tests.support.catalogue import Run
from tests.support.compute import door


class ImageService:
    """One Image API, driven from synchronous tests."""

    def __init__(self, directory: Path, run: Run, sections: Mapping[str, Any]) -> None:
        self.settings = settings = Settings(data=str(directory), **sections)
        schema.upgrade(settings.database_url)
        self._run = run
        self.parts = parts = assemble(settings)
        self._database = parts.database
        self._parts = parts.living
        for part in self._parts:
            run(part.open())
        app: Any = ImageApp(ImageAPI(settings, door(settings), parts))
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://calotype.example:8776")

    def close(self) -> None:
        """End it."""
        self._run(self._client.aclose())
        for part in reversed(self._parts):
            self._run(part.close())

    def __call__(self, method: str, path: str, who: str = "demo", **options: Any) -> httpx.Response:
        """Send one request and wait for its answer."""
        headers = {"X-Auth-Token": who, **options.pop("headers", {})}
        found: httpx.Response = self._run(self._client.request(method, path, headers=headers, **options))
        return found


@contextmanager
def image_service(directory: Path, run: Run, **sections: Section) -> Iterator[ImageService]:
    """A service over an empty catalogue; `sections` are those of the settings that are not the default."""
    made = ImageService(directory, run, sections)
    try:
        yield made
    finally:
        made.close()
