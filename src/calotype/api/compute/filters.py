"""One filter of a list, as the Image API reads it (spec: compute-images 11.2)."""

import re
from collections.abc import Callable

from calotype.images.errors import Invalid
from calotype.images.filters import member_status, microseconds, number_filter, text_filter, visibility
from calotype.images.model import Filter, Listing, keepable, nothing, with_property

_INTEGER = re.compile(r"-?[0-9]{1,18}")
_COLUMN_OF_MINIMA = range(2**31)
"""What the columns of `min_ram` and `min_disk` hold."""


def narrow(listing: Listing, name: str, value: str) -> None:
    """Add the condition that `name` is `value`; Invalid."""
    if not (keepable(name) and keepable(value)):
        listing.filters.append(nothing())
    elif name in _OF_IMAGES:
        _OF_IMAGES[name](listing, name, value)
    else:
        listing.filters.append(with_property(name, value))


def _choice(listing: Listing, name: str, value: str) -> None:
    listing.filters.append(text_filter(name, value))


def _text(listing: Listing, name: str, value: str) -> None:
    listing.filters.append(Filter("eq", name, (value,)))


def _minimum(listing: Listing, name: str, value: str) -> None:
    """Equality, not "at least"; what is no number or fits no column fits no image (Q7)."""
    found = _INTEGER.fullmatch(value) and int(value) in _COLUMN_OF_MINIMA
    listing.filters.append(number_filter("eq", name, int(value)) if found else nothing())


def _size(listing: Listing, name: str, value: str) -> None:
    listing.filters.append(number_filter("eq", name, int(value)) if _INTEGER.fullmatch(value) else nothing())


def _range(listing: Listing, name: str, value: str) -> None:
    if not _INTEGER.fullmatch(value):
        raise Invalid("Unable to filter on a range with a non-numeric value.")
    listing.filters.append(number_filter("gte" if name == "size_min" else "lte", "size", int(value)))


def _since(listing: Listing, _: str, value: str) -> None:
    listing.filters.append(Filter("gte", "updated_at", (microseconds("updated_at", value),)))


def _visibility(listing: Listing, _: str, value: str) -> None:
    listing.visibility = visibility(value)


def _member_status(listing: Listing, _: str, value: str) -> None:
    listing.member_status = member_status(value)


_OF_IMAGES: dict[str, Callable[[Listing, str, str], None]] = {
    **dict.fromkeys(("id", "name", "status", "disk_format", "container_format"), _choice),
    **dict.fromkeys(("min_ram", "min_disk"), _minimum),
    **dict.fromkeys(("size", "virtual_size"), _size),
    **dict.fromkeys(("size_min", "size_max"), _range),
    "checksum": _text,
    "changes-since": _since,
    "visibility": _visibility,
    "member_status": _member_status,
}
"""The names that are not additional properties."""
