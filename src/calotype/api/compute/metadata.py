"""The metadata calls C5 to C10 (spec: compute-images 12.3, 12.4)."""

from collections.abc import Collection, Mapping

from calotype.api.compute import validation, views
from calotype.api.compute.content import reply, type_of_nothing
from calotype.api.compute.faults import NO_SUCH_RESOURCE, Fault
from calotype.api.compute.request import ComputeRequest
from calotype.api.wire import Reply
from calotype.images import attributes
from calotype.images.errors import Forbidden
from calotype.images.library import Library
from calotype.images.model import Image
from calotype.settings import Settings

_IGNORED = frozenset(
    (
        "name",
        "id",
        "min_ram",
        "min_disk",
        "owner",
        "visibility",
        "checksum",
        "disk_format",
        "container_format",
        "os_hidden",
        "os_hash_algo",
        "os_hash_value",
        "image_id",
        "remove_props",
    )
)
"""Names that a write accepts and does not store."""
_FORBIDDEN = (attributes.BASE | frozenset(attributes.RESERVED)) - _IGNORED
"""Names that a write refuses, those included at which Nova breaks (Q5)."""
_BOOT_IMAGES = ("kernel_id", "ramdisk_id")


class Metadata:
    """The handlers of `/images/{image_id}/metadata`."""

    def __init__(self, library: Library, settings: Settings) -> None:
        self._library = library
        self._items = settings.compute.metadata_items

    async def index(self, request: ComputeRequest) -> Reply:
        """C5."""
        image = await self._library.show(request.caller, request.parameters["image_id"])
        return reply(request, {"metadata": views.metadata(image)})

    async def show(self, request: ComputeRequest) -> Reply:
        """C8."""
        image = await self._library.show(request.caller, request.parameters["image_id"])
        key = request.parameters["key"]
        found = views.metadata(image)
        if key not in found:
            raise Fault(404, NO_SUCH_RESOURCE)
        return reply(request, {"meta": {key: found[key]}})

    async def merge(self, request: ComputeRequest) -> Reply:
        """C6: what is not given stays; answers what is stored now."""
        given = validation.member(request.document, "metadata", request.version == "v2")
        return reply(request, {"metadata": views.metadata(await self._merge(request, given))})

    async def replace(self, request: ComputeRequest) -> Reply:
        """C7: what is not given goes; answers what was given."""
        given = validation.member(request.document, "metadata", request.version == "v2")

        def first(_: Image) -> None:
            self._check_items(given)

        def replaced(image: Image) -> Image:
            stays = {name: value for name, value in image.properties.items() if _outlasts(name, given)}
            return self._library.with_properties(request.caller, image, {**stays, **_stored(given)})

        await self._library.change(request.caller, request.parameters["image_id"], replaced, first=first)
        return reply(request, {"metadata": given})

    async def update(self, request: ComputeRequest) -> Reply:
        """C9: one item; answers what was given."""
        given = validation.member(request.document, "meta", request.version == "v2")
        if request.parameters["key"] not in given:
            raise Fault(400, "Request body and URI mismatch")
        await self._merge(request, given)
        return reply(request, {"meta": given})

    async def delete(self, request: ComputeRequest) -> Reply:
        """C10."""
        key = request.parameters["key"]

        def first(image: Image) -> None:
            if key not in image.properties:
                raise Fault(404, "Invalid metadata key")

        def without(image: Image) -> Image:
            _refuse_reserved(key)
            left = {name: value for name, value in image.properties.items() if name != key}
            return self._library.with_properties(request.caller, image, left)

        await self._library.change(request.caller, request.parameters["image_id"], without, first=first)
        return Reply(204, headers=(type_of_nothing,))

    async def _merge(self, request: ComputeRequest, given: Mapping[str, str]) -> Image:
        def first(image: Image) -> None:
            self._check_items({**image.properties, **given})

        def merged(image: Image) -> Image:
            return self._library.with_properties(request.caller, image, {**image.properties, **_stored(given)})

        return await self._library.change(request.caller, request.parameters["image_id"], merged, first=first)

    def _check_items(self, items: Collection[str]) -> None:
        """Fault 403 if an image would have too many items. Nova counts the names that it then drops, too."""
        if 0 <= self._items < len(items):
            raise Fault(403, "Image metadata limit exceeded")


def _stored(given: Mapping[str, str]) -> dict[str, str]:
    """What of the given items is written; raises Forbidden."""
    for name in given:
        _refuse_reserved(name)
    return {name: value for name, value in given.items() if name not in _IGNORED and not _means_no_image(name, value)}


def _refuse_reserved(name: str) -> None:
    if name in _FORBIDDEN or name.startswith("os_glance"):
        raise Forbidden(f"Attribute '{name}' is reserved.")


def _means_no_image(name: str, value: str) -> bool:
    return name in _BOOT_IMAGES and value.strip().lower() in ("", "none")


def _outlasts(name: str, given: Mapping[str, str]) -> bool:
    """Whether a stored item survives a replacement: a kernel given as "none", and what the service keeps for itself."""
    return name.startswith("os_glance") or (name in given and _means_no_image(name, given[name]))
