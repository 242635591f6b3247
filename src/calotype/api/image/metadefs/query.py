"""The query strings of metadata definitions (spec: image-v2 25)."""

from urllib.parse import urlencode

from calotype.api.image.query import Pairs
from calotype.images.errors import Invalid, NotFound
from calotype.metadefs.model import SORT_KEYS, VISIBILITIES, Kind, Listing, Part
from calotype.settings import Image as Limits

_PATH = "/v2/metadefs/namespaces"
_MAX_TYPES = 100
"""Resource types in one filter: each is a parameter of the statement."""


def listing(query: Pairs, limits: Limits) -> Listing:
    """The list of namespaces that the query asks for; Invalid."""
    last = dict(query)
    found = Listing(limit=min(_limit(last.get("limit"), limits.default_limit, 0), limits.max_limit))
    key = last.get("sort_key", "created_at")
    if key not in SORT_KEYS:
        raise Invalid(f"Invalid sort key: {key}. It must be one of the following: {', '.join(SORT_KEYS)}.")
    found.sort_key = SORT_KEYS[key]
    found.sort_dir = "desc" if _newest(last) else "asc"
    visibility = last.get("visibility")
    if visibility:
        if visibility not in VISIBILITIES:
            raise Invalid(f"Invalid visibility value: {visibility}")
        found.visibility = "public" if visibility == "public" else "private"
    types = [name.strip() for name in last.get("resource_types", "").split(",")]
    found.resource_types = tuple(dict.fromkeys(name for name in types if name))
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


def page(parts: list[Part], query: Pairs, kind: Kind, namespace: str, least: int) -> list[Part]:
    """Some of the parts as the query asks for them, newest first unless told otherwise; all without a limit.

    `least` is the smallest limit. Raises Invalid, NotFound for an unknown marker.
    """
    last = dict(query)
    key = last.get("sort_key", "created_at")
    if key not in ("created_at", "updated_at", "name"):
        raise Invalid(f"Invalid sort key: {key}. It must be one of the following: created_at, updated_at, name.")
    limit = _limit(last.get("limit"), len(parts), least)
    found = sorted(parts, key=lambda each: (getattr(each, key), each.created_at, each.key), reverse=_newest(last))
    marker = last.get("marker")
    if marker:
        place = next((place for place, each in enumerate(found) if each.key == kind.key(marker)), None)
        if place is None:
            raise NotFound(kind.absent.format(name=marker, namespace=namespace))
        found = found[place + 1 :]
    return found[:limit]


def _newest(last: dict[str, str]) -> bool:
    direction = last.get("sort_dir", "desc")
    if direction not in ("asc", "desc"):
        raise Invalid(f"Invalid sort direction: {direction}")
    return direction == "desc"


def _limit(text: str | None, default: int, least: int) -> int:
    if text is None:
        return default
    try:
        limit = int(text)
    except ValueError:
        raise Invalid("limit param must be an integer") from None
    if limit < least:
        raise Invalid("limit param must be positive")
    return limit
