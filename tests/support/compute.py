"""A Compute API for tests: real library on SQLite in a directory, tokens that are names, requests in process."""

import asyncio
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
from sqlalchemy import create_engine

from calotype.access.caller import Caller
from calotype.access.policy.policy import Policy
from calotype.access.rates import Rates
from calotype.api.compute.routes import ComputeAPI
from calotype.api.entrance import Entrance
from calotype.database.connect import connect
from calotype.database.engine import Tally, tally
from calotype.database.tables import metadata
from calotype.images.errors import StorageUnavailable
from calotype.images.intake import Intake
from calotype.images.library import Library
from calotype.images.model import Image
from calotype.images.quota import Quotas
from calotype.settings import Settings
from calotype.stores.fetch import Fetcher
from calotype.stores.shelf import Shelf
from calotype.telemetry.callers import DeprecatedCalls

DEMO = "4be0a6c1d2f34b0c9f3a2c1d0e5f6a7b"
ALT = "719e9483f42d4784a089862ac4c3e8d0"
ADMIN = "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"
_MEMBER = frozenset(("member", "reader"))
_ADMIN = frozenset(("admin", "manager", "member", "reader"))
CALLERS = {
    "demo": Caller(user_id="u1", project_id=DEMO, roles=_MEMBER),
    "reader": Caller(user_id="u2", project_id=DEMO, roles=frozenset(("reader",))),
    "alt": Caller(user_id="u3", project_id=ALT, roles=_MEMBER),
    "admin": Caller(user_id="u4", project_id=ADMIN, roles=_ADMIN),
    "nova": Caller(user_id="u6", project_id=ADMIN, roles=frozenset(("service",))),
    "roleless": Caller(user_id="u5", project_id=DEMO, roles=frozenset(("strange",))),
    "unscoped": Caller(user_id="u1"),
    "system": Caller(user_id="u4", system=True, roles=_ADMIN),
}


class Tokens:
    """A token is the name of its holder. `away` cannot be asked about."""

    image_endpoint = ""

    async def service(self, token: str) -> Caller | None:
        found = await self.caller(token)
        return found if found is not None and found.speaks_for_a_service else None

    async def caller(self, token: str | None, helper: Caller | None = None) -> Caller | None:
        if token == "away":
            raise StorageUnavailable("the identity is away")
        return CALLERS.get(token or "")


def door(settings: Settings) -> Entrance:
    """Where those come in whose tokens are their names."""
    return Entrance(settings, Tokens(), Policy(), None, Rates(settings.rate))


class Service:
    """One Compute API and the library behind it, driven from synchronous tests."""

    def __init__(self, directory: Path, settings: Settings) -> None:
        self.settings = settings
        engine = create_engine(f"sqlite:///{directory / 'calotype.db'}")
        metadata.create_all(engine)
        engine.dispose()
        self.database = connect(settings)
        intake = Intake(self.database, Shelf(settings, Fetcher(settings.uris)))
        self.library = Library(self.database, Policy(), intake, settings.image, Quotas(self.database, settings))
        self.deprecated = DeprecatedCalls()
        self.api: Any = ComputeAPI(settings, door(settings), self.library, self.deprecated)
        self.loop = asyncio.new_event_loop()
        self.run(self.database.open())
        self.counted = Tally()

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def close(self) -> None:
        self.run(self.database.close())
        self.loop.close()

    def remake(self, **compute: Any) -> None:
        """Serve with other settings of the Compute API."""
        tree = {name: compute.pop(name) for name in ("proxy_headers", "public_endpoint") if name in compute}
        changed = msgspec.structs.replace(self.settings.compute, **compute)
        settings = msgspec.structs.replace(self.settings, compute=changed, **tree)
        self.api = ComputeAPI(settings, door(settings), self.library, self.deprecated)

    def image(self, who: str = "demo", **wanted: Any) -> Image:
        """Create an image; what cannot be wished for through the library is written to its row."""
        forced = {name: wanted.pop(name) for name in ("status", "size", "created_at", "updated_at") if name in wanted}
        made: Image = self.run(self.library.create(CALLERS[who], wanted))
        if forced:
            with sqlite3.connect(self.settings.database_url.removeprefix("sqlite:///")) as rows:
                for name, value in forced.items():
                    rows.execute(f"UPDATE images SET {name} = ? WHERE id = ?", (value, made.id))
        return made

    def __call__(
        self,
        method: str,
        path: str,
        who: str | None = "demo",
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        mount: str = "",
        **options: Any,
    ) -> httpx.Response:
        """Send one request and wait for its answer."""
        lines = [*(headers.items() if isinstance(headers, Mapping) else headers)]
        if who is not None:
            lines.append(("X-Auth-Token", who))
        return self.run(self._send(method, path, lines, mount, options))

    async def _send(
        self, method: str, path: str, headers: list[tuple[str, str]], mount: str, options: dict[str, Any]
    ) -> httpx.Response:
        self.counted = Tally()
        tally.set(self.counted)

        async def mounted(scope: Any, receive: Any, send: Any) -> None:
            if mount:
                scope["calotype.prefix"] = mount
            await self.api(scope, receive, send)

        transport = httpx.ASGITransport(mounted)
        async with httpx.AsyncClient(transport=transport, base_url="http://calotype.example:8776") as client:
            # Only what a test names is sent: httpx would add an Accept of its own.
            del client.headers["accept"]
            return await client.request(method, path, headers=headers, **options)


@contextmanager
def service(directory: Path) -> Iterator[Service]:
    """A service with the default settings."""
    made = Service(directory, Settings(data=str(directory)))
    try:
        yield made
    finally:
        made.close()
