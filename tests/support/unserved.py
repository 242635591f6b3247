"""Imports below the API: a service that was asked for one, and what its database and its stores hold."""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from sqlalchemy import select

from calotype.access.caller import Caller
from calotype.app import Parts, assemble
from calotype.database import images, tables, tasks
from calotype.database.connect import connect
from calotype.database.engine import Database
from calotype.database.statements import Statement, Work
from calotype.images.imports import Wanted
from calotype.images.model import Image, Task
from calotype.images.tasks import Asked
from calotype.settings import Imports, Plugins, Settings, Store, Uris
from tests.support.waiting import nothing_is_due

DATA = bytes(512) + random.Random(7).randbytes(1_500_000)
SHA512 = hashlib.sha512(DATA).hexdigest()
CALLER = Caller(user_id="user", project_id="project", roles=frozenset(("admin", "manager", "member", "reader")))
STORES = {"one": Store(), "two": Store(), "three": Store()}
NO_PLUGINS = Plugins()
_TASKS = Statement(select(*tables.tasks.c))
_LOOSE = Statement(select(*tables.loose_data.c))


def settings(directory: Path, url: str, stores: dict[str, Store] = STORES, plugins: Plugins = NO_PLUGINS) -> Settings:
    """Of a service that may read from this host."""
    return Settings(
        data=str(directory),
        database=url,
        stores=stores,
        plugins=plugins,
        imports=Imports(methods=("glance-direct", "web-download", "copy-image", "glance-download")),
        uris=Uris(allowed_ports=(), allowed_networks=("127.0.0.0/8",), connect_seconds=2, read_seconds=2),
    )


@asynccontextmanager
async def opened(chosen: Settings) -> AsyncIterator[Parts]:
    """The parts of a process that runs no tasks."""
    parts = assemble(chosen)
    for part in parts.living:
        await part.open()
    try:
        yield parts
    finally:
        for part in reversed(parts.living):
            await part.close()


class Watched:
    """A database that lets a test act before each of its transactions; `before` is told the name of the work."""

    def __init__(self, database: Database, before: Callable[[str], Awaitable[None]]) -> None:
        self._database = database
        self._before = before

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def write(self, work: Callable[..., Work], *arguments: Any) -> Any:
        """As the database's own."""
        await self._before(work(*arguments).__name__)  # which may be wrapped; nothing runs before it is asked for
        return await self._database.write(work, *arguments)


async def finished(parts: Parts) -> Task:
    """The only task, once a worker of these parts ended it."""
    await parts.worker.open()
    async with asyncio.timeout(30):
        await nothing_is_due(parts.database)
    await parts.worker.close()
    (row,) = await parts.database.all(_TASKS, {})
    return tasks.task(row)


async def pieces(data: bytes = DATA) -> AsyncIterator[bytes]:
    """The data as a client sends it."""
    for start in range(0, len(data), 65536):
        yield data[start : start + 65536]


async def new_image(parts: Parts, **attributes: Any) -> str:
    """The id of a queued image."""
    wanted = {"name": "image", "disk_format": "raw", "container_format": "bare", **attributes}
    return (await parts.library.create(CALLER, wanted)).id


async def asked_for(
    parts: Parts, method: str, url: str = "", data: bytes = DATA, disk_format: str = "raw", **wanted: Any
) -> str:
    """The id of an image whose import by `method` was just asked for."""
    image_id = await new_image(parts, disk_format=disk_format)
    if method == "glance-direct":
        await parts.transfer.stage(CALLER, image_id, pieces(data), None)
    if method == "copy-image":
        await parts.transfer.upload(CALLER, image_id, pieces(data), None, "one")
    named: dict[str, Any] = {"name": method, **({"uri": url} if method == "web-download" else {})}
    body = {"method": named, "all_stores_must_succeed": wanted.get("must_succeed", True)}
    asked = Asked(CALLER, "req-1", body)
    await parts.imports.start(asked, image_id, Wanted(named, **wanted))
    return image_id


class State:
    """What a service keeps: its only image, its only task, the loose data, and every file of its stores."""

    image: Image
    task: Task
    loose: list[Any]

    def __init__(self, chosen: Settings) -> None:
        asyncio.run(self._read(chosen))
        root = chosen.directory
        places = [root / name for name in chosen.stores] or [root / "images"]
        self.files = {path: path.read_bytes() for place in places for path in place.rglob("*") if path.is_file()}
        self.places = {root / (each.store if chosen.stores else "images") / each.name for each in self.image.locations}

    async def _read(self, chosen: Settings) -> None:
        database = connect(chosen)
        await database.open()
        (row,) = await database.all(Statement(images.columns()), {"project": ""})
        self.image = images.image(row)
        (row,) = await database.all(_TASKS, {})
        self.task = tasks.task(row)
        self.loose = await database.all(_LOOSE, {})
        await database.close()

    def is_whole(self, stores: list[str], data: bytes = DATA) -> None:
        """Assert that the import ended well: the data is in these stores, and nothing is left over."""
        task, image = self.task, self.image
        assert (task.status, task.message, task.secret) == ("success", f"Copied {len(data) // 2**20} MiB", None)
        assert task.result == {"image_id": image.id}
        assert image.status == "active"
        assert (image.size, image.os_hash_value) == (len(data), hashlib.sha512(data).hexdigest())
        assert image.checksum == hashlib.md5(data).hexdigest()
        assert sorted(each.store for each in image.locations) == sorted(stores)
        self.is_tidy()
        assert set(self.files.values()) == {data}

    def is_tidy(self) -> None:
        """Assert that nothing waits, is loose or lies about."""
        assert self.loose == []
        assert (self.image.staged, self.image.upload, self.image.reserved) == (None, None, 0)
        shown = {name: value for name, value in self.image.properties.items() if name.startswith("os_glance")}
        assert "os_glance_import_task" not in shown
        assert shown.get("os_glance_importing_to_stores", "") == ""
        assert set(self.files) == self.places


class Mirror(ThreadingHTTPServer):
    """A web server that has the data."""

    daemon_threads = True

    def __init__(self, data: bytes = DATA) -> None:
        self.data = data
        super().__init__(("127.0.0.1", 0), _Answers)

    @property
    def url(self) -> str:
        """Where the data is."""
        return f"http://127.0.0.1:{self.server_port}/data"


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        data: bytes = self.server.data  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_HEAD = do_GET

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""
