"""The path of data on its way in: written and examined side by side, in order, two blocks in memory at most."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import Executor
from typing import NamedTuple

from calotype.images.errors import Invalid, LimitExceeded
from calotype.images.inspect import Inspection
from calotype.images.model import Image, Received
from calotype.images.quota import over_quota
from calotype.images.signature import Verifier
from calotype.settings import Image as Limits
from calotype.stores.base import Writer

BLOCK = 1024 * 1024
HASH = "sha512"


class Bounds(NamedTuple):
    """How much data may come, in bytes: what was announced (None if unknown), the largest image, the quota's rest."""

    declared: int | None
    cap: int
    quota: int | None = None

    def check(self, size: int) -> None:
        """Raise Invalid or LimitExceeded as soon as `size` bytes are too many."""
        if size > self.cap:
            raise LimitExceeded("The incoming image is too large: The provided image is too large.")
        if self.declared is not None and size > self.declared:
            raise Invalid(f"Size exceeds: expected {self.declared} bytes, got {size} bytes")
        if self.quota is not None and size > self.quota:
            raise over_quota(size, self.quota)

    def check_end(self, size: int) -> None:
        """Raise Invalid unless `size` bytes are all."""
        if self.declared is not None and size != self.declared:
            raise Invalid(f"Size mismatch: expected {self.declared} bytes, got {size} bytes")


class Examination:
    """What is found out about data while it passes: its hashes, its format, the disk size inside, its signature.

    `verifier` is that of a signed image.
    """

    def __init__(self, image: Image, limits: Limits, verifier: Verifier | None = None) -> None:
        self._inspection = Inspection(image.disk_format or "", image.container_format or "", limits)
        self._verifier = verifier
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._digest = hashlib.new(HASH)
        self.feeds: tuple[Callable[[bytes], None], ...] = (
            self._md5.update,
            self._digest.update,
            self._inspection.feed,
            *([verifier.feed] if verifier else []),
        )

    def end(self) -> None:
        """Let go of what was examined."""
        self._inspection.end()

    def verdict(self, size: int) -> Received:
        """What is known after the last byte; raises ContentRefused, LimitExceeded, Invalid."""
        virtual_size = self._inspection.verdict()
        if self._verifier is not None:
            self._verifier.verify()
        return Received(size, self._md5.hexdigest(), HASH, self._digest.hexdigest(), virtual_size)


class Stream:
    """One stream of bytes into a store; `feeds` see every block."""

    def __init__(
        self, writer: Writer, bounds: Bounds, threads: Executor, feeds: tuple[Callable[[bytes], None], ...] = ()
    ) -> None:
        self._writer = writer
        self._bounds = bounds
        self._threads = threads
        self._feeds = (writer.write, *feeds)
        self.size = 0
        self._pending: list[asyncio.Future[None]] = []

    async def put(self, block: bytes) -> None:
        """Take the next block while the one before is still being worked on; raises what that one met."""
        self.size += len(block)
        self._bounds.check(self.size)
        await self._settle()
        loop = asyncio.get_running_loop()
        self._pending = [loop.run_in_executor(self._threads, feed, block) for feed in self._feeds]

    async def end(self) -> None:
        """Everything has come; raises Invalid if it has not."""
        await self._settle()
        self._bounds.check_end(self.size)

    async def commit(self) -> None:
        """Make it durable; raises StorageFull, StorageUnavailable."""
        await asyncio.get_running_loop().run_in_executor(self._threads, self._writer.commit)

    async def cancel(self) -> None:
        """Stop and leave nothing behind."""
        await asyncio.gather(*self._pending, return_exceptions=True)
        await asyncio.get_running_loop().run_in_executor(self._threads, self._writer.cancel)

    async def _settle(self) -> None:
        pending, self._pending = self._pending, []
        if pending:
            done = await asyncio.gather(*pending, return_exceptions=True)
            for outcome in done:
                if isinstance(outcome, BaseException):
                    raise outcome


async def blocks(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """The same bytes in pieces of at least BLOCK bytes, the last one excepted: large enough to be worth a thread."""
    waiting: list[bytes] = []
    length = 0
    async for chunk in chunks:
        waiting.append(chunk)
        length += len(chunk)
        if length >= BLOCK:
            yield b"".join(waiting)
            waiting, length = [], 0
    if length:
        yield b"".join(waiting)
