"""Looks after the image cache of this host: fetches what was asked for ahead, and removes what nobody needs."""

import asyncio
import logging
import time
from collections.abc import Coroutine

from calotype.database import images as rows
from calotype.database.engine import Database
from calotype.images.cache import Cache, name_of
from calotype.images.errors import ContentRefused, ImageError
from calotype.images.model import Image
from calotype.images.transfer import Transfer
from calotype.telemetry.background import every

LOOK = 1.0
"""Seconds between two looks into the queue."""
SWEEP = 60.0
"""Seconds between two sweeps of a host, however many workers it has."""
RETRY = 5.0
"""Seconds until a fetch that failed, or found no room, is tried again."""

log = logging.getLogger("calotype.cache")


class CacheKeeper:
    """One for each worker; each image in the queue is fetched by one of them, one image at a time by each."""

    def __init__(self, database: Database, transfer: Transfer, cache: Cache | None) -> None:
        self._database = database
        self._transfer = transfer
        self._cache = cache
        self._later: dict[str, float] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Begin, if there is a cache at all."""
        if self._cache is None:
            return
        cache = self._cache
        self._tasks = [
            asyncio.create_task(every(LOOK, lambda: self._quietly(self.fetch(cache)), "fetching into the cache")),
            asyncio.create_task(every(SWEEP, lambda: self._quietly(self.sweep(cache)), "sweeping the cache")),
        ]

    async def close(self) -> None:
        """Stop; what was being fetched stays in the queue."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _quietly(self, work: Coroutine[None, None, None]) -> None:
        """What cannot be used at the moment is told in a line, and tried again in the next round."""
        try:
            await work
        except ImageError as error:
            log.warning("the image cache is not looked after: %s", error)

    async def fetch(self, cache: Cache) -> None:
        """One round through the queue."""
        waiting = await asyncio.to_thread(cache.queue.all)
        self._later = {image_id: later for image_id, later in self._later.items() if image_id in waiting}
        for image_id, since in waiting.items():
            if self._later.get(image_id, 0.0) > time.monotonic():
                continue
            with cache.queue.taken(image_id) as turn:
                if turn is None:
                    continue
                if await self._settled(cache, image_id, since):
                    turn.done()
                else:
                    self._later[image_id] = time.monotonic() + RETRY

    async def _settled(self, cache: Cache, image_id: str, since: float) -> bool:
        """Whether the image need not wait any longer: there is a copy, or there will be none."""
        image = await self._image(image_id)
        if image is None or image.status != "active":
            return True
        try:
            if await self._fetched(cache, image):
                return True
        except ContentRefused as error:
            log.error("image %s is not cached: %s", image_id, error)
            return True
        except ImageError as error:
            log.warning("image %s is not cached yet: %s", image_id, error)
        return time.time() - since > cache.stall_seconds

    async def _fetched(self, cache: Cache, image: Image) -> bool:
        data = await self._transfer.find(image)
        return data is not None and await cache.fetch(image, data)

    async def _image(self, image_id: str) -> Image | None:
        row = await self._database.one(rows.GET, {"id": image_id, "project": ""})
        return None if row is None else rows.image(row)

    async def sweep(self, cache: Cache) -> None:
        """Remove leftovers, and copies of images that were deleted or have other data now."""
        await asyncio.to_thread(cache.copies.open)
        with cache.copies.sweeping(SWEEP / 2) as wanted:
            if not wanted:
                return
            await cache.open()
            for copy in await asyncio.to_thread(cache.copies.all):
                image = await self._image(copy.name.image_id)
                if image is None or name_of(image) != copy.name:
                    await asyncio.to_thread(cache.copies.drop, copy.name)
