"""Image data in and out, in bounded memory; `stream.py` is where the bytes are written, hashed and inspected.

An upload owns its image from `queued` to `active` by the name of its data (`Image.upload`). It makes the data durable
before the row that refers to it, and writes only the columns that are its own.
"""

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from pathlib import Path

import msgspec

from calotype.access.caller import Caller
from calotype.database import images as rows
from calotype.database import loose
from calotype.database.engine import Database
from calotype.images.errors import (
    Conflict,
    Forbidden,
    Gone,
    ImageError,
    ImageNotFound,
    Invalid,
    StorageUnavailable,
)
from calotype.images.holder import Holder
from calotype.images.library import Library
from calotype.images.model import Image, Received, keepable, now
from calotype.images.stream import Stream
from calotype.settings import Image as Limits
from calotype.stores.local import LocalStore

BLOCK = 1024 * 1024

log = logging.getLogger("calotype.transfer")


class Transfer:
    """Uploads and downloads as a caller meets them."""

    def __init__(self, database: Database, library: Library, store: LocalStore, holder: Holder, limits: Limits) -> None:
        self._database = database
        self._library = library
        self._store = store
        self._holder = holder
        self._limits = limits
        self._threads = ThreadPoolExecutor(max(8, 4 * (os.cpu_count() or 1)), thread_name_prefix="transfer")

    async def upload(self, caller: Caller, image_id: str, chunks: AsyncIterator[bytes], declared: int | None) -> None:
        """Store the data of a queued image; `declared` is its size in bytes, None if unknown.

        Raises ImageNotFound, NotAuthorized, Conflict, Invalid, LimitExceeded, ContentRefused, StorageFull,
        StorageUnavailable, Gone; whatever `chunks` raises when the client vanishes goes through. After any of them
        the image is queued again and nothing of the data is left.
        """
        if not keepable(image_id):
            raise ImageNotFound(image_id)
        guarded = self._library.guarded(caller, "upload_image", _start)
        with self._holder.uploading(image_id):
            image = await self._database.write(
                rows.begin_upload, image_id, caller.project_id or "", self._holder.id, guarded
            )
            received = await self._receive(image, chunks, declared)
            await self._finish(image, received)

    async def _receive(self, image: Image, chunks: AsyncIterator[bytes], declared: int | None) -> Received:
        """Everything up to durable data under the upload's name; on failure the upload is given up."""
        stream: Stream | None = None
        try:
            stream = await self._stream(image, declared)
            async with aclosing(_blocks(chunks)) as blocks:
                async for block in blocks:
                    await stream.put(block)
            return await stream.end()
        except BaseException:
            await asyncio.shield(self._give_up(image, stream))
            raise

    async def _stream(self, image: Image, declared: int | None) -> Stream:
        loop = asyncio.get_running_loop()
        writer = await loop.run_in_executor(self._threads, self._store.writer, image.upload or "")
        return Stream(writer, image, declared, self._limits, self._threads)

    async def _finish(self, image: Image, received: Received) -> None:
        """Give the data to the image. An error that leaves the outcome open leaves the data to the sweeper."""
        try:
            await self._database.write(rows.finish_upload, image.id, image.upload or "", received)
        except ImageNotFound:
            await asyncio.shield(self._give_up(image, None))
            raise Gone(
                f"Image {image.id} could not be found after upload. The image may have been deleted during the "
                "upload, cleaning up the chunks uploaded."
            ) from None
        except Conflict:
            await asyncio.shield(self._give_up(image, None))
            raise

    async def _give_up(self, image: Image, stream: Stream | None) -> None:
        location = image.upload or ""
        try:
            if stream is not None:
                await stream.cancel()
            if await self._database.write(loose.give_up, location, image.id):
                await self._store.remove(location)
                await self._database.write(loose.forget, location)
        except ImageError as error:
            log.warning("leftover data %s is left to the sweeper: %s", location, error)

    async def download(self, caller: Caller, image_id: str) -> tuple[Image, Path | None]:
        """The image and its file, None if it has no data; raises ImageNotFound, Forbidden, NotAuthorized."""
        image = await self._library.show(caller, image_id)
        if image.status == "deactivated" and not caller.is_admin:
            raise Forbidden("The requested image has been deactivated. Image data download is forbidden.")
        self._library.authorize("download_image", caller, image)
        location = image.location
        if location is None:
            return image, None
        size = self._store.size(location)
        if size is None:
            # Either the image was deleted since it was read, which this tells, or its data was lost.
            image = await self._library.show(caller, image_id)
            log.error("the data of image %s is missing", image_id)
            return image, None
        if size != image.size:
            log.error("image %s should have %s bytes of data and has %s", image_id, image.size, size)
            raise StorageUnavailable(f"The data of image {image_id} is damaged.")
        return image, self._store.path(location)


def _start(image: Image) -> Image:
    """The image as an upload begins; its data gets a name that was never used before."""
    if image.status != "queued":
        raise Conflict(f"Image status transition from {image.status} to saving is not allowed")
    missing = [name for name in ("disk_format", "container_format") if getattr(image, name) is None]
    if missing:
        noun = "Properties" if len(missing) > 1 else "Property"
        raise Invalid(f"{noun} {', '.join(missing)} must be set prior to saving data.")
    name = image.id if image.attempts == 0 else f"{image.id}.{image.attempts}"
    return msgspec.structs.replace(image, status="saving", upload=name, attempts=image.attempts + 1, updated_at=now())


async def _blocks(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
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
