"""Where the data of images lies: the stores there are, the locations of an image, data taken out of one store.

Source: image-v2 14, 15, 20.
"""

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from calotype.access.caller import Caller
from calotype.access.policy.policy import Policy
from calotype.database import imports
from calotype.database import locations as work
from calotype.images.attributes import check_location_quota
from calotype.images.errors import Conflict, Forbidden, ImageError, Invalid, NotFound
from calotype.images.hashes import Hashes
from calotype.images.intake import Intake
from calotype.images.library import Library
from calotype.images.model import Image, Location, now
from calotype.images.patch import Operation, apply
from calotype.images.quota import Quotas
from calotype.images.relocation import Relocation
from calotype.images.tasks import Asked, new_task
from calotype.settings import Image as Settings
from calotype.stores.shelf import Shelf
from calotype.stores.uris import UriFilter, UriRefused

log = logging.getLogger("calotype.locations")

_NO_STORES = "Multi backend is not supported at this site."


class StoreInfo(NamedTuple):
    """One named store as `info/stores` tells of it; `properties` depend on the kind."""

    name: str
    description: str
    default: bool
    read_only: bool
    kind: str
    weight: int
    properties: dict[str, Any]


class Locations:
    """The places of data as a caller meets them."""

    def __init__(
        self,
        quotas: Quotas,
        library: Library,
        shelf: Shelf,
        intake: Intake,
        policy: Policy,
        uris: UriFilter,
        settings: Settings,
        wake: Callable[[], None],
    ) -> None:
        self._quotas = quotas
        self._library = library
        self._shelf = shelf
        self._intake = intake
        self._policy = policy
        self._uris = uris
        self._settings = settings
        self._wake = wake

    @property
    def stores_named(self) -> bool:
        """Whether the operator has named stores at all: without, there is one store and nobody speaks of it."""
        return self._shelf.named

    def stores(self) -> list[StoreInfo]:
        """The named stores; NotFound if there are none."""
        if not self._shelf.named:
            raise NotFound(_NO_STORES)
        return [
            StoreInfo(
                name,
                configured.description,
                name == self._shelf.default,
                store.read_only,
                store.kind,
                configured.weight,
                store.properties(),
            )
            for name, configured, store in self._shelf.items()
        ]

    def store_names(self) -> list[str]:
        """The names that a client may choose from, in the order of the configuration."""
        return [name for name, *_ in self._shelf.items()]

    def find_store(self, name: str) -> str:
        """`name` if it names a store; NotFound."""
        return self._shelf.find(name)

    def of(self, image: Image, caller: Caller) -> list[Location]:
        """The image's locations in the order of the stores' weights; none while the image is barred to the caller."""
        if image.status == "deactivated" and not caller.is_admin:
            return []
        return self._shelf.ordered(image.locations)

    def told(self, image: Image, caller: Caller) -> bool:
        """Whether the caller may learn the URLs of the data: they may hold secrets."""
        return self._policy.allows("get_image_location", caller, image)

    def url(self, location: Location) -> str:
        """The URL of the data."""
        return self._shelf[location.store].url(location.name)

    async def remove_from_store(self, caller: Caller, store: str, image_id: str) -> None:
        """Take the image's data out of one store (image-v2 14.1).

        Raises in this order: NotFound without named stores, Conflict for an unknown one, ImageNotFound,
        NotAuthorized, Conflict unless active, Forbidden for the last location, NotFound if it is not there.
        """
        if not self._shelf.named:
            raise NotFound(_NO_STORES)
        if store not in self._shelf:
            raise Conflict(f"The selected store {store} is not available on this node.")

        def first(image: Image) -> None:
            self._library.authorize("get_image_location", caller, image)

        def mutate(image: Image) -> Image:
            if image.status != "active":
                raise Conflict("It's not allowed to remove image data from store if image status is not 'active'")
            left = [each for each in image.locations if each.store != store]
            if len(image.locations) == 1 or not left:
                raise Forbidden(
                    "Cannot delete image data from the only store containing it. Consider deleting the image instead."
                )
            if len(left) == len(image.locations):
                raise NotFound(f"Image {image_id} is not stored in store {store}.")
            return msgspec.structs.replace(image, locations=left, updated_at=now())

        await self._change(caller, image_id, self._library.guarded(caller, "delete_image_location", mutate, first))

    async def show(self, caller: Caller, image_id: str) -> list[Location]:
        """All locations, for services; ImageNotFound, NotAuthorized."""
        image = await self._library.show(caller, image_id, "fetch_image_location")
        self._library.authorize("fetch_image_location", caller, image)
        return self._shelf.ordered(image.locations)

    async def add(self, asked: Asked, image_id: str, url: str, expected: Hashes | None) -> None:
        """Begin to make the data at a URL that of a queued image (image-v2 15.2, in its order).

        Raises ImageNotFound, Conflict, NotAuthorized, Forbidden, Invalid.
        """
        caller = asked.caller
        web = url.partition(":")[0].lower() in ("http", "https")
        readable = web and self._shelf.web()

        def first(image: Image) -> None:
            if image.status != "queued":
                raise Conflict(f"It's not allowed to add locations if image status is {image.status}.")

        def mutate(image: Image) -> Image:
            if not readable and not caller.asks_through_a_service:
                raise Forbidden("http store must be enabled to use location API by normal user.")
            if expected is not None:
                expected.check()
            return image

        guarded = self._library.guarded(caller, "add_image_location", mutate, first)
        guarded(await self._library.show(caller, image_id, "add_image_location"))
        if web:
            await self._check(url)
        if not readable:
            raise Invalid("Invalid location")
        validation: dict[str, str] = {}
        if expected is not None:
            validation = {"os_hash_algo": expected.os_hash_algo, "os_hash_value": expected.os_hash_value}
        request = {"image_id": image_id, "loc_url": url, "validation_data": validation}
        await self._quotas.write(
            lambda gate: imports.begin(
                image_id,
                caller.project_id or "",
                guarded,
                lambda image: new_task(asked, "location_import", image_id, request),
                gate.take,
            )
        )
        self._wake()

    async def _check(self, url: str) -> None:
        try:
            await self._uris.check(url)
        except UriRefused as refused:
            log.info("URI refused: %s", refused.reason)
            raise Invalid(f"URI for add location does not pass filtering: {url}") from None

    async def update(self, caller: Caller, image_id: str, operations: list[Operation]) -> Image:
        """Apply the operations of a PATCH, all or none; an empty list asks for no right but to see.

        Raises ImageNotFound, NotAuthorized, Forbidden, Invalid, Conflict, LimitExceeded.
        """
        if not operations:
            return await self._library.show(caller, image_id)
        relocate = Relocation(
            caller, self._policy, self._shelf, self._settings, await self._sizes(caller, image_id, operations)
        )

        def mutate(image: Image) -> Image:
            return apply(operations, image, caller, self._policy, self._settings, relocate, self._library.protections)

        return await self._change(caller, image_id, self._library.guarded(caller, "modify_image", mutate))

    async def _sizes(self, caller: Caller, image_id: str, operations: list[Operation]) -> dict[str, int | None]:
        """The bytes at each URL that the operations name; none where the URL may not be read."""
        values = [
            value
            for each in operations
            if each.name == "locations" and each.op != "remove"
            for value in (each.value if isinstance(each.value, list) else [each.value])
        ]
        web = self._shelf.web()
        if not values or web is None or not self._settings.show_locations:
            return {}
        self._library.authorize("set_image_location", caller, await self._library.show(caller, image_id))
        urls = {each["url"] for each in values}
        check_location_quota(len(urls), self._settings)
        return {url: await self._size(web, url) for url in urls}

    async def _size(self, web: str, url: str) -> int | None:
        try:
            size = await self._shelf[web].size(url)
        except ImageError:
            return None
        return None if size is None or size > self._settings.size_cap else size

    async def _change(self, caller: Caller, image_id: str, mutate: Callable[[Image], Image]) -> Image:
        """Let `mutate` change the locations; data in writable stores that none of them names any more is removed."""
        image, dropped = await self._quotas.write(
            lambda gate: work.change(image_id, caller.project_id or "", mutate, gate.place)
        )
        await self._intake.erase(dropped)
        return self._library.shown(caller, image)
