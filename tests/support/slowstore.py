"""A store whose data is no file of this host, as that of an object store is none; it takes its time."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from calotype.images.errors import StorageUnavailable
from calotype.settings import Settings
from calotype.settings import Store as Configured
from calotype.stores import shelf
from calotype.stores.base import Store
from calotype.stores.fetch import Fetcher
from calotype.stores.local import LocalStore


class SlowStore(LocalStore):
    """A directory that is only read piece by piece; `reads` are the ranges that were asked for."""

    kind = "slow"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._local = LocalStore(directory)
        self.directory = directory
        self.reads: list[tuple[int, int]] = []
        self.pause = 0.0
        self.breaks_at: int | None = None
        self.away = False

    def path(self, name: str) -> None:  # type: ignore[override]
        """There is no file."""

    def url(self, name: str) -> str:
        """A name of its own."""
        return f"slow:///{name}"

    async def size(self, name: str) -> int | None:
        """As the directory has it."""
        if self.away:
            raise StorageUnavailable("The slow store is away.")
        return await self._local.size(name)

    async def read(self, name: str, start: int, stop: int) -> AsyncGenerator[bytes]:
        """As the directory has it, with a pause before each piece; it breaks before the byte `breaks_at`."""
        self.reads.append((start, stop))
        async for piece in self._local.read(name, start, stop):
            await asyncio.sleep(self.pause)
            start += len(piece)
            if self.breaks_at is not None and start > self.breaks_at:
                raise StorageUnavailable("The slow store broke off.")
            yield piece


def install(monkeypatch: pytest.MonkeyPatch) -> list[SlowStore]:
    """Have the store `slow` of a configuration made so; the list fills as services are built."""
    made: list[SlowStore] = []
    usual = shelf._made

    def make(name: str, configured: Configured, settings: Settings, fetcher: Fetcher) -> Store:
        if name != "slow":
            return usual(name, configured, settings, fetcher)
        made.append(SlowStore(settings.directory / name))
        return made[-1]

    monkeypatch.setattr(shelf, "_made", make)
    return made
