"""POST /v2/tasks makes an image and the task that fills it: both or neither, wherever it breaks off (image-v2 19.1)."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from calotype.database import tables
from calotype.database.connect import connect
from calotype.database.engine import Database
from calotype.database.statements import Statement, Work
from calotype.images.errors import StorageUnavailable
from calotype.images.model import LOCK
from calotype.images.tasks import Asked
from tests.support.unserved import CALLER, opened, settings

REQUEST = {"import_from": "http://127.0.0.1/data", "import_from_format": "raw", "image_properties": {"tags": ["one"]}}
ATTRIBUTES = {"disk_format": "raw", "container_format": "bare", "tags": ["one"], "kept_by": "us"}
TABLES = (tables.images, tables.image_tags, tables.image_properties, tables.tasks)


class Breaking:
    """A database that runs `left` statements of what is written, whatever the transactions, and breaks off then."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.left = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def write(self, work: Callable[..., Work], *arguments: Any) -> Any:
        """As the database's own, but for the end."""
        return await self._database.write(self._steps, work, arguments)

    def _steps(self, work: Callable[..., Work], arguments: tuple[Any, ...]) -> Work:
        steps = work(*arguments)
        try:
            step = next(steps)
            while True:
                if self.left == 0:
                    raise StorageUnavailable("It breaks off here.")
                self.left -= 1
                step = steps.send((yield step))
        except StopIteration as end:
            return end.value


def test_an_image_and_its_task_are_made_together(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calotype.app.connect", lambda chosen: Breaking(connect(chosen)))

    async def counts(database: Any) -> list[int]:
        return [len(await database.all(Statement(select(*table.c)), {})) for table in TABLES]

    async def begun() -> int:
        """How many statements it took."""
        async with opened(settings(tmp_path, url)) as parts:
            database: Any = parts.database
            for statements in range(50):
                database.left = statements
                try:
                    task = await parts.imports.start_task(Asked(CALLER, "req", {}), REQUEST, ATTRIBUTES)
                except StorageUnavailable:
                    assert await counts(database) == [0, 0, 0, 0], f"Left after {statements} statements."
                    continue
                assert await counts(database) == [1, 1, 2, 1]
                image = await parts.library.show(CALLER, task.image_id or "")
                assert image.properties == {"kept_by": "us", LOCK: task.id}
                return statements
        raise AssertionError("It always breaks off.")

    assert asyncio.run(begun()) > 5, "There were moments to break off at."
