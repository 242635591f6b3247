"""The attributes of an image: which there are, who may set them, and what their values must be.

Source: image-v2 4.2, 4.3, 9.1, 10.
"""

import math
from collections.abc import Collection, Mapping
from typing import Any

from calotype.images.errors import Conflict, Forbidden, Invalid, LimitExceeded
from calotype.images.model import LOCK, Image, keepable
from calotype.settings import Image as Limits

WRITABLE = (
    "name",
    "owner",
    "visibility",
    "protected",
    "os_hidden",
    "disk_format",
    "container_format",
    "min_disk",
    "min_ram",
    "tags",
)
LINKS = ("direct_url", "self", "file", "schema", "stores")
READ_ONLY = (
    "created_at",
    "updated_at",
    "status",
    "checksum",
    "size",
    "virtual_size",
    "os_hash_algo",
    "os_hash_value",
    "id",
    *LINKS,
)
RESERVED = ("location", "locations", "deleted", "deleted_at")
BASE = frozenset((*WRITABLE, *READ_ONLY, "locations"))

FORMATS = ("disk_format", "container_format")
NAME_LENGTH = 255
VALUE_BYTES = 65_535
"""The longest value of an additional property, in UTF-8: what Glance's own column holds."""
_MINIMA = ("min_disk", "min_ram")
_LARGEST = 2**31 - 1


def demand_formats(image: Image) -> None:
    """Raise Invalid unless the image has both formats, which data needs."""
    missing = [name for name in FORMATS if getattr(image, name) is None]
    if missing:
        noun = "Properties" if len(missing) > 1 else "Property"
        raise Invalid(f"{noun} {', '.join(missing)} must be set prior to saving data.")


def refuse_read_only(name: str) -> None:
    """Raise Forbidden for an attribute that only the service sets."""
    if name in READ_ONLY:
        raise Forbidden(f"Attribute '{name}' is read-only.")


def refuse_reserved(name: str) -> None:
    """Raise Forbidden for a name that is no attribute and cannot become one."""
    if name in RESERVED or name.startswith("os_glance"):
        raise Forbidden(f"Attribute '{name}' is reserved.")


def refuse_locked(properties: Mapping[str, str | None]) -> None:
    """Raise Conflict while a task has the image: the data that it gets is on its way."""
    if properties.get(LOCK):
        raise Conflict("Image has active task")


def refuse_long_name(name: str) -> None:
    """Raise Invalid for a property name that is too long."""
    if len(name) > NAME_LENGTH:
        raise Invalid(f"Custom property should not be greater than {NAME_LENGTH} characters.")


def kept(name: str, value: Any) -> str | None:
    """The value of an additional property as it is kept: text or null, a number or a boolean as JSON writes it.

    Raises Invalid for a number out of range and for a text that is too long: every list repeats it.
    """
    if isinstance(value, str):
        _refuse_long_value(name, value)
        return value
    if value is None or isinstance(value, bool):
        return None if value is None else str(value).lower()
    if isinstance(value, int) and abs(value) < 2**63:
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return repr(value)
    raise Invalid(f"The value of property '{name}' is out of range.")


def _refuse_long_value(name: str, value: str) -> None:
    if len(value) > VALUE_BYTES // 4 and len(value.encode()) > VALUE_BYTES:
        raise Invalid(f"The value of property '{name}' should not be greater than {VALUE_BYTES} bytes.")


def check_property_quota(properties: Collection[str], limits: Limits) -> None:
    """Raise LimitExceeded if there are more additional properties than an image may have."""
    counted = sum(not name.startswith("os_glance") for name in properties)
    _check_quota("properties", counted, limits.property_quota)


def check_tag_quota(tags: list[str], limits: Limits) -> None:
    """Raise LimitExceeded if there are more tags than an image may have."""
    _check_quota("tags", len(tags), limits.tag_quota)


def check_location_quota(locations: int, limits: Limits) -> None:
    """Raise LimitExceeded if there are more locations than an image may have."""
    _check_quota("locations", locations, limits.location_quota)


def _check_quota(noun: str, attempted: int, maximum: int) -> None:
    if 0 <= maximum < attempted:
        raise LimitExceeded(
            f"The limit has been exceeded on the number of allowed image {noun}. "
            f"Attempted: {attempted}, Maximum: {maximum}"
        )


def refuse_out_of_range(name: str, value: Any) -> None:
    """Raise Invalid for a minimum that no column holds."""
    if name in _MINIMA and value < 0:
        raise Invalid(f"Invalid value '{value}' for parameter '{name}': Cannot be a negative value")
    if name in _MINIMA and value > _LARGEST:
        raise Invalid(f"'{name}' value out of range, must not exceed {_LARGEST}.")


def normal(name: str, value: Any) -> Any:
    """The value as it is kept: tags without repetition, whole numbers as integers."""
    if name == "tags":
        return list(dict.fromkeys(value))
    if name in _MINIMA:
        return int(value)
    return value


def admissible(found: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
    """Formats and `properties` that come with data, under the rules of a new image; raises Invalid, Forbidden."""
    for name, known in (("disk_format", limits.disk_formats), ("container_format", limits.container_formats)):
        if name in found and found[name] not in known:
            raise Invalid(f"The {name} of the data is not one of {', '.join(known)}.")
    properties = found.get("properties", {})
    for name, value in properties.items():
        refuse_long_name(name)
        refuse_reserved(name)
        if not keepable(name) or not keepable(value):
            raise Invalid(f"The property {name[:40]!r} of the data cannot be kept.")
        kept(name, value)
    return dict(found)
