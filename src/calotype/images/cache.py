"""Reads slow stores through copies on a disk of this host (spec: image-v2 22).

Only data that can be verified is kept: that of images with a hash. The hash is in a copy's name, so a copy is right or
absent, whatever happens to the image.
"""

import asyncio
import hashlib
import logging
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing

from calotype.images.data import Data, Read
from calotype.images.errors import ContentRefused, ImageError, StorageUnavailable
from calotype.images.model import Image
from calotype.images.stream import Bounds, Stream, blocks
from calotype.settings import Settings
from calotype.stores.copies import Copies, Name
from calotype.stores.fetch import steady
from calotype.stores.queue import Queue

log = logging.getLogger("calotype.cache")

_HASHES = {name for name in hashlib.algorithms_guaranteed if not name.startswith("shake")}

FILLINGS = 8
"""Copies that one worker fills at a time; what is asked for beyond goes past the cache."""


class Cache:
    """The cache of this host, as one of its workers has it."""

    def __init__(self, settings: Settings) -> None:
        directory = settings.directory / settings.cache.directory
        self.copies = Copies(directory, settings.cache.size)
        self.queue = Queue(directory / "queue")
        self.stall_seconds = settings.cache.stall_seconds
        self._slowest = settings.imports.slowest
        self._stores = settings.cache.stores
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="cache")
        self._fillings: dict[Name, tuple[asyncio.Task[None], asyncio.Event]] = {}

    async def open(self) -> None:
        """Make the directories and put them in order; a cache that cannot be used does not stop the service."""
        try:
            await asyncio.to_thread(self._open)
        except ImageError as error:
            log.error("the image cache is out of use: %s", error)

    def _open(self) -> None:
        self.copies.open()
        self.queue.open()
        self.copies.clean()
        self.copies.prune()

    async def close(self) -> None:
        """Give up what is being filled."""
        tasks = [task for task, _ in self._fillings.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._threads.shutdown()

    def find(self, image: Image) -> Data | None:
        """The copy of an active image, if there is one; its use is counted."""
        name = name_of(image)
        path = self.copies.find(name) if name is not None and image.status == "active" else None
        if name is None or path is None:
            return None
        return Data(name.size, path, self._reader(name, None), "")

    async def through(self, image: Image, data: Data) -> Data:
        """`data` of a store; if that is a slow one, by way of a copy that is being filled.

        The filling goes on when its clients go away, and its clients do not need it: when it breaks off, they get the
        rest from the store.
        """
        name = name_of(image)
        if name is None or image.status != "active" or not self._slow(data):
            return data
        if name.size > self.copies.bound // 2:
            return data  # nobody's one image drives out everybody else's
        if name not in self._fillings and len(self._fillings) < FILLINGS:
            begun = asyncio.Event()
            filling = asyncio.create_task(self._fill_behind(name, image, data, begun))
            filling.add_done_callback(lambda _: self._ended(name, begun))
            self._fillings[name] = filling, begun
        if name in self._fillings:
            await self._fillings[name][1].wait()
        return data._replace(path=None, read=self._reader(name, data.read)) if self.copies.started(name) else data

    def _slow(self, data: Data) -> bool:
        return data.store in self._stores if self._stores else data.path is None

    def _reader(self, name: Name, direct: Read | None) -> Read:
        """Reads the copy as it grows, and `direct` what the copy lacks."""

        async def read(start: int, stop: int) -> AsyncGenerator[bytes]:
            async with aclosing(self.copies.follow(name, start, stop)) as pieces:
                async for piece in pieces:
                    start += len(piece)
                    yield piece
            if start == stop:
                return
            if direct is None:
                raise StorageUnavailable(f"The copy {name} ends before its end.")
            async with aclosing(direct(start, stop)) as pieces:
                async for piece in pieces:
                    yield piece

        return read

    async def _fill_behind(self, name: Name, image: Image, data: Data, begun: asyncio.Event) -> None:
        try:
            await self._fill(name, image, data, begun)
        except ImageError as error:
            log.warning("image %s is not cached: %s", image.id, error)
        except Exception:
            log.exception("image %s is not cached", image.id)

    def _ended(self, name: Name, begun: asyncio.Event) -> None:
        """Also of a filling that was cancelled before its first step."""
        begun.set()
        del self._fillings[name]

    async def fetch(self, image: Image, data: Data) -> bool:
        """Have a copy; False if another worker is at it, or there is no room now.

        Raises ContentRefused for data that is not the image's or that the cache cannot keep, StorageFull,
        StorageUnavailable.
        """
        name = name_of(image)
        if name is None or name.size > self.copies.bound:
            raise ContentRefused("It has no hash by which it could be verified, or is larger than the whole cache.")
        return self.copies.has(name) or await self._fill(name, image, data, asyncio.Event())

    async def _fill(self, name: Name, image: Image, data: Data, begun: asyncio.Event) -> bool:
        """Whether it was this one that filled the copy; `begun` is set once it can be followed, if it can."""
        filling = await asyncio.get_running_loop().run_in_executor(self._threads, self.copies.begin, name)
        begun.set()
        if filling is None:
            return False
        digest = hashlib.new(image.os_hash_algo or "")
        stream = Stream(filling, Bounds(name.size, name.size), self._threads, (digest.update,))
        try:
            await self._pour(data, stream)
            if digest.hexdigest() != (image.os_hash_value or "").lower():
                raise ContentRefused(f"The data in {data.store} has not the hash that the image has.")
            await stream.commit()
        except BaseException:
            await asyncio.shield(stream.cancel())
            raise
        return True

    async def _pour(self, data: Data, stream: Stream) -> None:
        chunks = steady(data.read(0, data.size), self._slowest)
        async with aclosing(chunks), aclosing(blocks(chunks)) as pieces:
            while True:
                try:
                    async with asyncio.timeout(self.stall_seconds):
                        piece = await anext(pieces, None)
                except TimeoutError:
                    raise StorageUnavailable(f"Nothing came from {data.store} for a long time.") from None
                if piece is None:
                    return await stream.end()
                await stream.put(piece)

    async def forget(self, image_id: str) -> None:
        """Keep nothing of a deleted image; what cannot be removed now goes with a later sweep."""
        fillings = [filling for name, (filling, _) in self._fillings.items() if name.image_id == image_id]
        for filling in fillings:
            filling.cancel()
        # Waited for: the last step of one may make a copy yet.
        await asyncio.gather(*fillings, return_exceptions=True)
        try:
            await asyncio.to_thread(self.copies.remove, image_id)
            await asyncio.to_thread(self.queue.remove, image_id)
        except ImageError as error:
            log.warning("the copy of image %s stays for now: %s", image_id, error)


def name_of(image: Image) -> Name | None:
    """What a copy of the image is called; None if there can be none, because it could not be verified."""
    if image.size is None or not image.os_hash_value or image.os_hash_algo not in _HASHES:
        return None
    # Not the value itself: where a client gave it, it need not be fit for a file name.
    content = f"{image.os_hash_algo}:{image.os_hash_value}".encode()
    return Name(image.id, hashlib.sha256(content).hexdigest()[:32], image.size)
