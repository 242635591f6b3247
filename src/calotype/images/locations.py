"""Where the data of images lies: the stores there are, the locations of an image, data taken out of one store.

Source: image-v2 14, 15, 20.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from calotype.access.caller import Caller
from calotype.database import locations as work
from calotype.database.engine import Database
from calotype.images.errors import Conflict, Forbidden, ImageNotFound, NotFound
from calotype.images.intake import Intake
from calotype.images.library import Library
from calotype.images.model import Image, Location, keepable, now
from calotype.stores.shelf import Shelf

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

    def __init__(self, database: Database, library: Library, shelf: Shelf, intake: Intake) -> None:
        self._database = database
        self._library = library
        self._shelf = shelf
        self._intake = intake

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
        removed: list[Location] = []

        def first(image: Image) -> None:
            self._library.authorize("get_image_location", caller, image)

        def mutate(image: Image) -> Image:
            if image.status != "active":
                raise Conflict("It's not allowed to remove image data from store if image status is not 'active'")
            if len(image.locations) == 1:
                raise Forbidden(
                    "Cannot delete image data from the only store containing it. Consider deleting the image instead."
                )
            removed[:] = [each for each in image.locations if each.store == store]
            if not removed:
                raise NotFound(f"Image {image_id} is not stored in store {store}.")
            left = [each for each in image.locations if each.store != store]
            return msgspec.structs.replace(image, locations=left, updated_at=now())

        await self.change(caller, image_id, self._library.guarded(caller, "delete_image_location", mutate, first))

    async def change(self, caller: Caller, image_id: str, mutate: Callable[[Image], Image]) -> Image:
        """Let `mutate` change the locations; data in writable stores that none of them names any more is removed."""
        if not keepable(image_id):
            raise ImageNotFound(image_id)
        image, dropped = await self._database.write(work.change, image_id, caller.project_id or "", mutate)
        await self._intake.erase(dropped)
        changed: Image = image
        return changed
