"""Makes data at a URL that of a queued image, and finds out its hashes (spec: image-v2 15.2)."""

from functools import partial
from typing import Any

import msgspec

from calotype.database import imports as work
from calotype.database import tasks
from calotype.database.images import Change
from calotype.images.attributes import demand_formats
from calotype.images.errors import ImageError, Invalid
from calotype.images.hashes import Hashes, hashed
from calotype.images.model import Image, Location, Task, now
from calotype.images.quota import Quotas
from calotype.images.stream import HASH
from calotype.jobs.progress import Progress
from calotype.jobs.queue import Queue
from calotype.settings import Image as Limits
from calotype.stores.fetch import steady
from calotype.stores.shelf import Shelf
from calotype.stores.uris import UriRefused

TRIES = 3
_EMPTY = ("queued", "importing")


class LocationJob:
    """The kind of task that adds a location."""

    def __init__(self, quotas: Quotas, shelf: Shelf, queue: Queue, limits: Limits, slowest: int) -> None:
        self._quotas = quotas
        self._shelf = shelf
        self._queue = queue
        self._limits = limits
        self._slowest = slowest

    async def run(self, task: Task, progress: Progress) -> None:
        """Add the location; raises ImageError, LeaseLost."""
        image_id, url = task.input["image_id"], task.input["loc_url"]
        expected = task.input["validation_data"] or None
        store = self._shelf.web()
        if store is None:
            raise Invalid("Invalid location")
        location = Location(store, url)
        size = await self._size(location)
        if expected is not None and self._limits.do_secure_hash:
            # The location stays when the hash is another one, as it does in Glance: clients look there.
            image = await self._write(task, lambda image: _examined(image, location, size))
            if image.status == "importing":
                found = await self._hash(location, size, expected["os_hash_algo"], progress)
                if found.os_hash_value != expected["os_hash_value"].lower():
                    raise Invalid(f"The data at {url} does not have the hash that was announced.")
                await self._write(task, lambda image: _activated(image, location, size, msgspec.to_builtins(found)))
        elif expected is not None:
            await self._write(task, lambda image: _activated(image, location, size, expected))
        else:
            # The image can be used at once; its hashes follow, if they can be found out at all.
            known = {"os_hash_algo": HASH} if self._limits.do_secure_hash else {}
            await self._write(task, lambda image: _activated(image, location, size, known))
            if self._limits.do_secure_hash:
                await self._add_hashes(task, location, size, progress)
        await self._queue.end(task, lambda lease: work.release(lease, image_id), {"image_id": image_id})

    async def fail(self, task: Task, error: ImageError) -> None:
        """The image waits for data again, unless it already has it; raises LeaseLost."""

        def mutate(image: Image) -> Image:
            return _change(image, status="queued", reserved=0) if image.status == "importing" else image

        def settle(lease: tasks.Lease) -> Any:
            try:
                yield from work.locate(lease, task.input["image_id"], mutate)
            except ImageError:
                return
            yield from work.release(lease, task.input["image_id"])

        await self._queue.end(task, settle, None, error.text)

    async def _size(self, location: Location) -> int:
        """Bytes at the location; Invalid if there are none."""
        try:
            size = await self._shelf[location.store].size(location.name)
        except (ImageError, UriRefused) as error:
            raise Invalid(f"Invalid location: {error.text}") from error
        if not size or size > self._limits.size_cap:
            raise Invalid("Invalid location")
        return size

    async def _hash(self, location: Location, size: int, algorithm: str, progress: Progress) -> Hashes:
        progress.begin("hashing", size)
        chunks = steady(self._shelf[location.store].read(location.name, 0, size), self._slowest)
        try:
            found = await hashed(progress.counted(chunks), algorithm)
        except ImageError as error:
            raise Invalid(f"The data cannot be read: {error.text}") from error
        return found

    async def _add_hashes(self, task: Task, location: Location, size: int, progress: Progress) -> None:
        for _ in range(TRIES):
            try:
                found = await self._hash(location, size, HASH, progress)
            except Invalid as error:
                progress.trouble(error.text)
                continue
            await self._write(task, partial(_change, **msgspec.to_builtins(found)))
            return

    async def _write(self, task: Task, mutate: Change) -> Image:
        lease, image_id = tasks.of(task), task.input["image_id"]
        image: Image = await self._quotas.write(lambda gate: work.locate(lease, image_id, mutate, gate.take))
        return image


def _change(image: Image, /, **changes: Any) -> Image:
    return msgspec.structs.replace(image, updated_at=now(), **changes)


def _examined(image: Image, location: Location, size: int) -> Image:
    """The image whose data is looked at; it is left alone if an earlier attempt has come further."""
    if image.status not in _EMPTY:
        return image
    demand_formats(image)
    return _change(image, status="importing", locations=[location], reserved=size)


def _activated(image: Image, location: Location, size: int, hashes: dict[str, Any]) -> Image:
    """The image with its data; it is left alone if an earlier attempt has come so far."""
    if image.status not in _EMPTY:
        return image
    demand_formats(image)
    return _change(image, status="active", locations=[location], size=size, reserved=0, **hashes)
