"""Images and members as the Image API shows them (spec: image-v2 4.1, 16)."""

from typing import Any

from calotype.api.wire import timestamp
from calotype.images.model import Image, Membership


def image(found: Image) -> dict[str, Any]:
    """The document of one image, additional properties beside the attributes."""
    path = f"/v2/images/{found.id}"
    return {
        **found.properties,
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
