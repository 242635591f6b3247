"""Image data in and out, in bounded memory; `intake.py` is where the bytes go, `stream.py` where they are examined.

An upload owns its image from `queued` to `active` by the name of its data (`Image.upload`). It makes the data durable
before the row that refers to it, and writes only the columns that are its own.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import NamedTuple

import msgspec

from calotype.access.caller import Caller
from calotype.database import uploads
from calotype.database.statements import Work
from calotype.images import attributes, signature
from calotype.images.cache import Cache
from calotype.images.data import Data, Read
from calotype.images.errors import (
    Conflict,
    Forbidden,
    Gone,
    ImageNotFound,
    Invalid,
    StorageUnavailable,
)
from calotype.images.holder import Holder
from calotype.images.intake import Intake
from calotype.images.library import Library
from calotype.images.model import Image, Location, Status, named, now
from calotype.images.quota import Gate, Quotas
from calotype.images.stream import Bounds, Examination
from calotype.settings import Image as Limits
from calotype.stores.shelf import Shelf
from calotype.stores.uris import UriRefused

log = logging.getLogger("calotype.transfer")


class Kind(NamedTuple):
    """What an upload and a staging differ in as they begin."""

    rule: str
    store: str
    start: Callable[[Image], Image]
    admit: Callable[[Gate, Image], Work]


class Transfer:
    """Uploads, stagings and downloads as a caller meets them."""

    def __init__(
        self,
        library: Library,
        shelf: Shelf,
        intake: Intake,
        holder: Holder,
        limits: Limits,
        quotas: Quotas,
        certificates: str = "",
        cache: Cache | None = None,
    ) -> None:
        self._library = library
        self._shelf = shelf
        self._intake = intake
        self._holder = holder
        self._limits = limits
        self._quotas = quotas
        self._certificates = certificates
        self._cache = cache

    async def upload(
        self,
        caller: Caller,
        image_id: str,
        chunks: AsyncIterator[bytes],
        declared: int | None,
        store: str | None = None,
    ) -> None:
        """Store the data of a queued image; `declared` is its size in bytes, None if unknown; `store` a named store.

        Raises ImageNotFound, NotAuthorized, Conflict, Invalid, LimitExceeded, ContentRefused, StorageFull,
        StorageUnavailable, Gone; whatever `chunks` raises when the client vanishes goes through. After any of them
        the image is queued again and nothing of the data is left.
        """
        where = store or self._shelf.default

        def start(image: Image) -> Image:
            started = _start_upload(image)
            if where not in self._shelf.writable():
                raise Gone("Error in store configuration. Adding images to store is disabled.")
            return started

        kind = Kind("upload_image", where, start, Gate.upload)
        async with self._writing(caller, image_id, kind, declared) as (image, location, bounds):
            async with self._intake.while_there(image_id):
                verifier = await asyncio.to_thread(signature.verifier, image, self._certificates)
                examination = Examination(image, self._limits, verifier)
                received = await self._intake.examine(location, chunks, bounds, examination)
            await self._quotas.write(lambda gate: uploads.finish(image_id, location, received, gate.uploaded))

    async def stage(self, caller: Caller, image_id: str, chunks: AsyncIterator[bytes], declared: int | None) -> None:
        """Keep data for an import to come (spec: image-v2 12.3); raises as `upload`."""
        kind = Kind("modify_image", self._shelf.default, _start_staging, Gate.stage)
        async with self._writing(caller, image_id, kind, declared) as (_, location, bounds):
            async with self._intake.while_there(image_id):
                size = await self._intake.keep(location, chunks, bounds)
            await self._quotas.write(lambda gate: uploads.finish_staging(image_id, location, size, gate.staged))

    @asynccontextmanager
    async def _writing(
        self, caller: Caller, image_id: str, kind: Kind, declared: int | None
    ) -> AsyncIterator[tuple[Image, Location, Bounds]]:
        """Begin to write; whatever goes wrong then, also with an outcome that nobody learnt, ends as it should.

        Giving up is safe in each case: it does nothing to data that an image has taken.
        """

        def start(image: Image) -> Image:
            started = kind.start(image)
            Bounds(None, self._limits.size_cap).check(declared or 0)
            return msgspec.structs.replace(started, reserved=declared or 0)

        guarded = self._library.guarded(caller, kind.rule, start)
        project, holder = caller.project_id or "", self._holder.id
        with self._holder.writing(image_id):
            image, rest = await self._quotas.write(
                lambda gate: uploads.begin(image_id, project, holder, kind.store, guarded, partial(kind.admit, gate))
            )
            location = Location(kind.store, image.upload or "")
            try:
                yield image, location, Bounds(declared, self._limits.size_cap, rest)
            except BaseException as error:
                await asyncio.shield(self._intake.give_up(image_id, location))
                if isinstance(error, ImageNotFound):
                    raise Gone(
                        f"Image {image_id} could not be found after upload. The image may have been deleted during "
                        "the upload, cleaning up the chunks uploaded."
                    ) from None
                raise

    async def download(
        self, caller: Caller, image_id: str, prefer: list[str] | None = None, whole: bool = False
    ) -> tuple[Image, Data | None]:
        """The image and its data, None if it has none; raises ImageNotFound, Forbidden, NotAuthorized, Invalid.

        Locations in the stores `prefer` are tried first, then the others by the weights of their stores. Where the
        `whole` is wanted, a copy in the cache is as good.
        """
        image = await self._library.show(caller, image_id, "download_image")
        if image.status == "deactivated" and not caller.is_admin:
            raise Forbidden("The requested image has been deactivated. Image data download is forbidden.")
        self._library.authorize("download_image", caller, image)
        if prefer:
            self._library.authorize("download_from_store", caller, image)
            self._check_preference(prefer)
        if not image.locations or image.status not in ("active", "deactivated"):
            return image, None
        if self._cache is not None and whole and (copy := self._cache.find(image)) is not None:
            return image, copy
        found = await self.find(image, prefer or [])
        if self._cache is not None and whole and found is not None:
            found = await self._cache.through(image, found)
        if found is None:
            # Either the image was deleted since it was read, which this tells, or its data was lost.
            image = await self._library.show(caller, image_id, "download_image")
            log.error("the data of image %s is missing", image_id)
        return image, found

    def _check_preference(self, prefer: list[str]) -> None:
        """Invalid unless all of them can be preferred."""
        if not self._shelf.named:
            raise Invalid("Store selection for download is not available when multiple backends are not enabled.")
        for name in prefer:
            if name not in self._shelf:
                raise Invalid(f"Store '{name}' is not configured.")

    async def find(self, image: Image, prefer: Sequence[str] = ()) -> Data | None:
        """The first location that delivers; StorageUnavailable if one might have and cannot."""
        places = self._shelf.ordered(image.locations)
        if prefer:
            places = sorted(places, key=lambda each: prefer.index(each.store) if each.store in prefer else len(prefer))
        failure: StorageUnavailable | None = None
        for place in places:
            try:
                store = self._shelf[place.store]
                size = await store.size(place.name)
            except StorageUnavailable as error:
                failure = error
                continue
            except UriRefused as error:
                log.warning("the data of image %s is at a URL that may not be read: %s", image.id, error.reason)
                failure = StorageUnavailable(f"The data of image {image.id} cannot be read.")
                continue
            if size is None:
                continue
            if size == image.size:
                return Data(size, store.path(place.name), _reader(store.read, place.name), place.store)
            log.error("image %s should have %s bytes of data and has %s in %s", image.id, image.size, size, place.store)
            failure = StorageUnavailable(f"The data of image {image.id} is damaged.")
        if failure is not None:
            raise failure
        return None


def _reader(read: Callable[[str, int, int], AsyncGenerator[bytes]], name: str) -> Read:
    return lambda start, stop: read(name, start, stop)


def _start_upload(image: Image) -> Image:
    """The image as an upload begins."""
    if image.status != "queued":
        raise Conflict(f"Image status transition from {image.status} to saving is not allowed")
    attributes.demand_formats(image)
    return _writing(image, "saving")


def _start_staging(image: Image) -> Image:
    """The image as its staging begins."""
    if image.status != "queued":
        raise Conflict(f"Image status transition from {image.status} to uploading is not allowed")
    return _writing(image, "uploading")


def _writing(image: Image, status: Status) -> Image:
    attributes.refuse_locked(image.properties)
    name, image = named(image)
    return msgspec.structs.replace(image, upload=name, status=status, updated_at=now())
