"""Brings data into a store. Until an image takes the data it is loose, and held by this worker."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager, suppress

from calotype.database import loose, uploads
from calotype.database.engine import Database
from calotype.images.errors import ImageError, ImageNotFound, StorageUnavailable
from calotype.images.model import Location, Received
from calotype.images.stream import Bounds, Examination, Stream, blocks
from calotype.stores.shelf import Shelf

LOOK_SECONDS = 5.0
"""How often it is looked whether the image is still there that data comes for."""

log = logging.getLogger("calotype.intake")


class Intake:
    """Writes data; whoever calls has noted it as loose before, and has it taken or dropped after."""

    def __init__(self, database: Database, shelf: Shelf) -> None:
        self._database = database
        self._shelf = shelf
        self._threads = ThreadPoolExecutor(max(8, 4 * (os.cpu_count() or 1)), thread_name_prefix="intake")

    @asynccontextmanager
    async def while_there(self, image_id: str) -> AsyncIterator[None]:
        """Break off what runs inside soon after the image is deleted, with ImageNotFound.

        Data that nobody counts any more must not go on to grow, nor wait for its client (CVE-2014-9623).
        """
        scope = asyncio.timeout(None)
        watch = asyncio.create_task(self._watch(image_id, scope))
        try:
            async with scope:
                yield
        except TimeoutError:
            if scope.expired():
                raise ImageNotFound(image_id) from None
            raise
        finally:
            watch.cancel()

    async def _watch(self, image_id: str, scope: asyncio.Timeout) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            with suppress(StorageUnavailable):
                if await self._database.one(uploads.THERE, {"id": image_id}) is None:
                    scope.reschedule(asyncio.get_running_loop().time())
                    return

    async def examine(
        self, location: Location, chunks: AsyncIterator[bytes], bounds: Bounds, examination: Examination
    ) -> Received:
        """Store the bytes and tell what they are; the data is not there unless its examination ended well.

        Raises Invalid, LimitExceeded, ContentRefused, StorageFull, StorageUnavailable; whatever `chunks` raises goes
        through. After any of them nothing is left.
        """
        stream = await self._stream(location, bounds, examination)
        try:
            await _pour(chunks, stream)
            received = examination.verdict(stream.size)
            await stream.commit()
        except BaseException:
            await asyncio.shield(stream.cancel())
            raise
        finally:
            examination.end()
        return received

    async def keep(self, location: Location, chunks: AsyncIterator[bytes], bounds: Bounds) -> int:
        """Store the bytes as they are and tell their number; raises as `examine`."""
        stream = await self._stream(location, bounds)
        try:
            await _pour(chunks, stream)
            await stream.commit()
        except BaseException:
            await asyncio.shield(stream.cancel())
            raise
        return stream.size

    async def _stream(self, location: Location, bounds: Bounds, examination: Examination | None = None) -> Stream:
        store = self._shelf[location.store]
        loop = asyncio.get_running_loop()
        writer = await loop.run_in_executor(self._threads, store.writer, location.name)
        return Stream(writer, bounds, self._threads, examination.feeds if examination else ())

    async def give_up(self, image_id: str, location: Location) -> None:
        """End the writing of data that no image took; if it was an upload, the image is queued again."""
        try:
            await self.bury(image_id, location)
        except ImageError as error:
            log.warning("leftover data %s is left to the sweeper: %s", location.name, error)

    async def bury(self, image_id: str, location: Location) -> bool:
        """Remove data that nobody writes any more; False if an image has it. Raises StorageUnavailable.

        The order keeps an upload that only seemed dead from becoming an image without data: once it is given up it
        cannot be finished, and only then does its data go.
        """
        if not await self._database.write(uploads.give_up, image_id, location):
            return False
        await self._shelf[location.store].remove(location.name)
        await self._database.write(loose.take, location)
        return True

    async def erase(self, data: list[Location]) -> None:
        """Remove data just noted as loose; the note, and what cannot be removed now, is left to the sweeper."""
        for location in data:
            try:
                await self._shelf[location.store].remove(location.name)
            except ImageError as error:
                log.warning("data %s that nobody needs stays for now: %s", location.name, error)


async def _pour(chunks: AsyncIterator[bytes], stream: Stream) -> None:
    async with aclosing(blocks(chunks)) as pieces:
        async for piece in pieces:
            await stream.put(piece)
    await stream.end()
