"""Images whose data lies on other people's web servers: read, never written or removed. Their names are URLs."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, NoReturn

from calotype.images.errors import StorageUnavailable
from calotype.stores.fetch import Fetcher, FetchFailed

_ABSENT = (404, 410)
_NOTHING_THERE = 416  # to a request for the first byte


class WebStore:
    """The read-only store over http and https."""

    kind = "http"
    read_only = True

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher

    async def open(self) -> None:
        """Nothing is needed but the fetcher."""

    async def close(self) -> None:
        """Nothing is held."""

    def writer(self, name: str) -> NoReturn:
        """Raises StorageUnavailable: nothing can be written here."""
        raise StorageUnavailable("This store can only be read.")

    def path(self, name: str) -> None:
        """There is no file."""

    async def remove(self, name: str) -> None:
        """What clients' servers hold stays there."""

    async def partials(self) -> list[str]:
        """None: nothing is written."""
        return []

    async def discard(self, name: str) -> None:
        """Nothing is there to be discarded."""

    def url(self, name: str) -> str:
        """The URL is the name."""
        return name

    def properties(self) -> dict[str, Any]:
        """There is nothing to tell."""
        return {}

    async def size(self, name: str) -> int | None:
        """Bytes of the data, None if there is none; raises UriRefused, StorageUnavailable."""
        try:
            async with self._fetcher.head(name) as answer:
                if answer.size:
                    return answer.size
        except FetchFailed as error:
            if error.status is None:
                raise
        # Some servers refuse HEAD, or answer it without a size or with 0: what GET says counts.
        return await self._size_by_get(name)

    async def _size_by_get(self, url: str) -> int | None:
        try:
            async with self._fetcher.get(url, start=0, stop=1) as answer:
                total = answer.total
        except FetchFailed as error:
            if error.status in _ABSENT:
                return None
            if error.status == _NOTHING_THERE:
                return 0
            raise
        if total is None:
            raise StorageUnavailable("The remote server does not tell the size of the data.")
        return total

    async def read(self, name: str, start: int = 0, stop: int | None = None) -> AsyncGenerator[bytes]:
        """The data from `start` up to and without `stop`, whole, in pieces of 64 KiB at the most.

        Raises UriRefused, StorageUnavailable. A server that cannot send parts sends all, and what is too much is
        dropped as it comes. Close it (`aclosing`) or read it to the end.
        """
        if stop is not None and stop <= start:
            return
        part = (start, stop) if start or stop is not None else (None, None)
        async with self._fetcher.get(name, start=part[0], stop=part[1]) as answer, aclosing(answer.chunks()) as chunks:
            position = answer.start
            async for chunk in chunks:
                wanted = chunk[max(0, start - position) : None if stop is None else max(0, stop - position)]
                position += len(chunk)
                if wanted:
                    yield wanted
                if stop is not None and position >= stop:
                    return
            end = answer.total if stop is None else stop
            if position < max(start, end or 0):
                raise StorageUnavailable("The remote server sent less data than it was asked for.")
