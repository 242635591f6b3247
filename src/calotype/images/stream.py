"""The path of uploaded bytes: written, hashed and inspected side by side, in order, two blocks in memory at most."""

import asyncio
import hashlib
from concurrent.futures import Executor

from calotype.images.errors import Invalid, LimitExceeded
from calotype.images.inspect import Inspection
from calotype.images.model import Image, Received
from calotype.settings import Image as Limits
from calotype.stores.local import Writer

HASH = "sha512"


class Stream:
    """One upload's bytes. `declared` is their announced number, None if unknown."""

    def __init__(self, writer: Writer, image: Image, declared: int | None, limits: Limits, threads: Executor) -> None:
        self._writer = writer
        self._declared = declared
        self._cap = limits.size_cap
        self._threads = threads
        self._inspection = Inspection(
            image.disk_format or "", image.container_format or "", limits.require_format_match
        )
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._digest = hashlib.new(HASH)
        self._size = 0
        self._pending: list[asyncio.Future[None]] = []

    async def put(self, block: bytes) -> None:
        """Take the next block while the one before is still being worked on; raises what that one met."""
        self._size += len(block)
        if self._declared is not None and self._size > self._declared:
            raise Invalid(f"Size exceeds: expected {self._declared} bytes, got {self._size} bytes")
        if self._size > self._cap:
            raise LimitExceeded("The incoming image is too large: The provided image is too large.")
        await self._settle()
        loop = asyncio.get_running_loop()
        work = (self._writer.write, self._md5.update, self._digest.update, self._inspection.feed)
        self._pending = [loop.run_in_executor(self._threads, each, block) for each in work]

    async def end(self) -> Received:
        """Judge the whole and make it durable; raises Invalid, ContentRefused, StorageFull, StorageUnavailable."""
        await self._settle()
        if self._declared is not None and self._size != self._declared:
            raise Invalid(f"Size mismatch: expected {self._declared} bytes, got {self._size} bytes")
        virtual_size = self._inspection.verdict()
        await asyncio.get_running_loop().run_in_executor(self._threads, self._writer.commit)
        return Received(self._size, self._md5.hexdigest(), HASH, self._digest.hexdigest(), virtual_size)

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
