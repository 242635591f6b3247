"""A service in the test's own process, and what is done to it between two of its transactions."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from calotype.access.tokens import Tokens
from calotype.app import Parts
from calotype.database import images as rows
from calotype.database.connect import connect
from calotype.images.model import Image, Task
from calotype.jobs.sweeper import Sweeper
from calotype.settings import Settings
from tests.support.unserved import CALLER, State, Watched, asked_for, finished, opened

Act = Callable[[Parts], Awaitable[None]]


class Scene:
    """A service in this process. `acts` come before the transactions that they are named after, counted from 1."""

    def __init__(self, chosen: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        self.settings = chosen
        self.acts: dict[str, Act] = {}
        self.parts: Parts
        self._seen: dict[str, Any] = {}
        monkeypatch.setattr("calotype.app.connect", lambda settings: Watched(connect(settings), self._before))

    async def _before(self, name: str) -> None:
        number = next(self._seen.setdefault(name, itertools.count(1)))
        act = self.acts.pop(f"{name} {number}", None)
        if act is not None:
            await act(self.parts)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Parts]:
        """The parts of a process that runs no tasks until `finished` is asked for."""
        async with opened(self.settings) as self.parts:
            yield self.parts

    def play(self, method: str, url: str = "", **wanted: Any) -> Task:
        """Ask for an import and let a worker do it."""

        async def played() -> Task:
            async with self.opened() as parts:
                await asked_for(parts, method, url, **wanted)
                self.forget()
                return await finished(parts)

        return asyncio.run(played())

    def forget(self) -> None:
        """Count transactions from here."""
        self._seen.clear()

    def sweep(self) -> None:
        """As the next start would."""

        async def swept() -> None:
            async with self.opened() as parts:
                tokens = Tokens(parts.database, self.settings.identity)
                await Sweeper(parts.database, parts.shelf, parts.intake, parts.holder, parts.queue, tokens).sweep()

        asyncio.run(swept())

    def state(self) -> State:
        """What is kept in the end."""
        self.sweep()
        return State(self.settings)


async def the_image(parts: Parts) -> Image:
    """The only image that has data."""
    row = await parts.database.one(rows.LOCATED, {})
    assert row is not None
    return await parts.library.show(CALLER, row[0])
