"""Images and members as the Image API shows them (spec: image-v2 4.1, 16)."""

from typing import Any

from calotype.access.caller import Caller
from calotype.api.wire import timestamp
from calotype.images.locations import Locations
from calotype.images.model import IMPORTING, Image, Location, Membership
from calotype.images.schema_properties import SchemaProperties, shown
from calotype.settings import Image as Settings


class ImageView:
    """Makes the documents of images as the settings want them shown."""

    def __init__(self, settings: Settings, locations: Locations, schema: SchemaProperties | None) -> None:
        self._schema = schema
        self._direct_url = settings.show_direct_url
        self._locations = settings.show_locations
        self._stores = locations.stores_named
        self._where = locations
        self._plain = not (self._direct_url or self._locations or self._stores)

    def __call__(self, found: Image, caller: Caller) -> dict[str, Any]:
        """The document of one image as the caller sees it."""
        document = _image(found, self._schema)
        if not self._stores and IMPORTING in found.properties:
            document[IMPORTING] = ""  # the one store has no name that clients know
        if self._plain:
            return document
        places = self._where.of(found, caller)
        if self._stores and places:
            document["stores"] = ",".join(dict.fromkeys(each.store for each in places))
        told = self._where.told(found, caller)
        if self._direct_url and places and told:
            document["direct_url"] = self._where.url(places[0])
        if self._locations:
            document["locations"] = [self.location(each) for each in places] if told else []
        return document

    def location(self, place: Location) -> dict[str, Any]:
        """The document of one location."""
        metadata = {**place.metadata, "store": place.store} if self._stores else place.metadata
        return {"url": self._where.url(place), "metadata": metadata}


def _image(found: Image, schema: SchemaProperties | None) -> dict[str, Any]:
    """The document of one image, additional properties beside the attributes."""
    path = f"/v2/images/{found.id}"
    return {
        **shown(found.properties, schema),
        "id": found.id,
        "name": found.name,
        "owner": found.owner,
        "status": found.status,
        "visibility": found.visibility,
        "protected": found.protected,
        "os_hidden": found.os_hidden,
        "disk_format": found.disk_format,
        "container_format": found.container_format,
        "min_disk": found.min_disk,
        "min_ram": found.min_ram,
        "size": found.size,
        "virtual_size": found.virtual_size,
        "checksum": found.checksum,
        "os_hash_algo": found.os_hash_algo,
        "os_hash_value": found.os_hash_value,
        "created_at": timestamp(found.created_at),
        "updated_at": timestamp(found.updated_at),
        "tags": found.tags,
        "self": path,
        "file": f"{path}/file",
        "schema": "/v2/schemas/image",
    }


def member(found: Membership) -> dict[str, Any]:
    """The document of one member."""
    return {
        "image_id": found.image_id,
        "member_id": found.member_id,
        "status": found.status,
        "created_at": timestamp(found.created_at),
        "updated_at": timestamp(found.updated_at),
        "schema": "/v2/schemas/member",
    }
