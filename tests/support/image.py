"""An Image API for tests: the real parts on SQLite in a directory, tokens that are names, requests in process."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from calotype.access.policy import Policy
from calotype.api.image.api import ImageAPI
from calotype.api.image.routes import ImageApp
from calotype.database import schema
from calotype.database.connect import connect
from calotype.images.holder import Holder
from calotype.images.library import Library
from calotype.images.sharing import Sharing
from calotype.images.transfer import Transfer
from calotype.metadefs.definitions import Definitions
from calotype.settings import Settings
from calotype.stores.local import LocalStore
from tests.support.catalogue import Run
from tests.support.compute import Tokens


class ImageService:
    """One Image API, driven from synchronous tests."""

    def __init__(self, directory: Path, run: Run) -> None:
        settings = Settings(data=str(directory))
        schema.upgrade(settings.database_url)
        self._run = run
        self._database = connect(settings)
        store = LocalStore(settings.images)
        holder = Holder(self._database, settings.directory / "run")
        self._parts = (self._database, store, holder)
        for part in self._parts:
            run(part.open())
        library = Library(self._database, Policy(), store, settings.image)
        sharing = Sharing(self._database, library, Policy(), settings.image)
        transfer = Transfer(self._database, library, store, holder, settings.image)
        definitions = Definitions(self._database, Policy())
        tokens: Any = Tokens()
        app: Any = ImageApp(ImageAPI(settings, tokens, library, sharing, transfer, definitions))
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
def image_service(directory: Path, run: Run) -> Iterator[ImageService]:
    """A service over an empty catalogue."""
    made = ImageService(directory, run)
    try:
        yield made
    finally:
        made.close()
