"""The query strings of metadata definitions (spec: image-v2 25)."""

from typing import NamedTuple
from urllib.parse import urlencode

from calotype.api.image.query import Pairs
from calotype.images.errors import Invalid, NotFound
from calotype.metadefs.model import SORT_KEYS, TAG, VISIBILITIES, Kind, Listing, Part
from calotype.settings import Image as Limits

_PATH = "/v2/metadefs/namespaces"
_PART_KEYS = ("created_at", "updated_at", "name")
_MAX_TYPES = 100
"""Resource types in one filter: each is a parameter of the statement."""


def listing(query: Pairs, limits: Limits) -> Listing:
    """The list of namespaces that the query asks for; Invalid."""
    last = dict(query)
    found = Listing(limit=min(_limit(last["limit"], 0) if "limit" in last else limits.default_limit, limits.max_limit))
    key = last.get("sort_key", "created_at")
    if key not in SORT_KEYS:
        raise Invalid(f"Invalid sort key: {key}. It must be one of the following: {', '.join(SORT_KEYS)}.")
    found.sort_key = SORT_KEYS[key]
    found.sort_dir = "desc" if _newest(last) else "asc"
    found.visibility = _visibility(last, VISIBILITIES)
    if "resource_types" in last:
        found.resource_types = tuple(dict.fromkeys(last["resource_types"].split(",")))
    if len(found.resource_types) > _MAX_TYPES:
        raise Invalid(f"A list takes {_MAX_TYPES} resource types at the most.")
    return found


def links(query: Pairs, following: str | None) -> dict[str, str]:
    """`first`, and `next` when another page may follow; every value of a repeated parameter stays."""
    kept = [(name, value) for name, value in query if name != "marker"]
    found = {"first": _url(kept)}
    if following is not None:
        found["next"] = _url([*kept, ("marker", following)])
    return found


def _url(query: Pairs) -> str:
    return _PATH + (f"?{urlencode(query)}" if query else "")


class PartListing(NamedTuple):
    """A list of objects or tags that someone asks for: those after `marker`, `limit` of them, None for all."""

    kind: Kind
    sort_key: str
    descending: bool
    limit: int | None
    marker: str


def parts(query: Pairs, kind: Kind) -> PartListing:
    """The list of objects or tags that the query asks for; Invalid.

    Tags are newest first unless told otherwise; objects oldest first unless sorted at all.
    """
    last = dict(query)
    key = last.get("sort_key", "created_at")
    if key not in _PART_KEYS:
        raise Invalid(f"Invalid sort key: {key}. It must be one of the following: {', '.join(_PART_KEYS)}.")
    _visibility(last, (*VISIBILITIES, "shared"))
    tags = kind is TAG
    descending = _newest(last) and (tags or "sort_key" in last or "sort_dir" in last)
    if tags and last.get("limit") == "":
        del last["limit"]  # as if it had not been said
    limit = _limit(last["limit"], 0 if tags else 1) if "limit" in last else None
    return PartListing(kind, key, descending, limit, last.get("marker", ""))


def page(found: list[Part], wanted: PartListing, namespace: str) -> list[Part]:
    """Those of the parts that are wanted; NotFound for an unknown marker."""
    kind, key = wanted.kind, wanted.sort_key
    found = sorted(found, key=lambda each: (getattr(each, key), each.created_at, each.key), reverse=wanted.descending)
    if wanted.marker:
        place = next((place for place, each in enumerate(found) if each.key == kind.key(wanted.marker)), None)
        if place is None:
            raise NotFound(kind.absent.format(name=wanted.marker, namespace=namespace))
        found = found[place + 1 :]
    return found[: wanted.limit]


def _visibility(last: dict[str, str], values: tuple[str, ...]) -> str | None:
    """The visibility that is asked for; an empty one is that of nothing."""
    found = last.get("visibility")
    if found and found not in values:
        raise Invalid(f"Invalid visibility value: {found}")
    return found


def _newest(last: dict[str, str]) -> bool:
    direction = last.get("sort_dir", "desc")
    if direction not in ("asc", "desc"):
        raise Invalid(f"Invalid sort direction: {direction}")
    return direction == "desc"


def _limit(text: str, least: int) -> int:
    try:
        limit = int(text)
    except ValueError:
        raise Invalid("limit param must be an integer") from None
    if limit < least:
        raise Invalid("limit param must be positive")
    return limit
