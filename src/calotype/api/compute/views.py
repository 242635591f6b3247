"""Images as the Compute API shows them (spec: compute-images 9)."""

from typing import Any

import msgspec

from calotype.api.compute.links import Links
from calotype.api.wire import encode, timestamp
from calotype.images.model import Image

_STATUS = {
    "queued": ("SAVING", 25),
    "saving": ("SAVING", 50),
    "active": ("ACTIVE", 100),
    "killed": ("ERROR", 0),
    "deleted": ("DELETED", 0),
    "pending_delete": ("DELETED", 0),
}
_OTHER = ("UNKNOWN", 0)
_DECODED = ("block_device_mapping", "mappings")
_TRUE = ("1", "t", "true", "on", "y", "yes")

_decode = msgspec.json.Decoder().decode


def basic(image: Image, links: Links) -> dict[str, Any]:
    """The short form of C1 (9.1)."""
    return {"id": image.id, "name": image.name, "links": links.of_image(image.id)}


def full(image: Image, links: Links) -> dict[str, Any]:
    """The long form of C2 and C3 (9.1)."""
    status, progress = _STATUS.get(image.status, _OTHER)
    shown = metadata(image)
    document = {
        "id": image.id,
        "name": image.name,
        "minRam": image.min_ram or 0,
        "minDisk": image.min_disk or 0,
        "metadata": shown,
        "created": timestamp(image.created_at),
        "updated": timestamp(image.updated_at),
        "status": status,
        "progress": progress,
        "OS-EXT-IMG-SIZE:size": image.size or 0,
        "links": links.of_image(image.id),
    }
    server = shown.get("instance_uuid")
    if server is not None:
        document["server"] = {"id": server, "links": links.of_server(server)}
    config = shown.get("auto_disk_config")
    if config is not None:
        document["OS-DCF:diskConfig"] = "AUTO" if config.strip().lower() in _TRUE else "MANUAL"
    return document


def metadata(image: Image) -> dict[str, Any]:
    """The additional properties, text or null; two of them are decoded from JSON (9.3)."""
    shown: dict[str, Any] = image.properties
    for name in _DECODED:
        if shown.get(name) is not None:
            shown = {**shown, name: _decoded(shown[name])}
    return shown


def _decoded(text: str) -> Any:
    """The value of JSON text, or the text itself if it has none that can be sent (Q3, Q17)."""
    try:
        value = _decode(text)
        # Numbers and depths that decode but do not encode must not break an answer; the answer nests the value deeper.
        encode([[[[[[[[value]]]]]]]])
    except (ValueError, OverflowError, RecursionError):
        return text
    return value
