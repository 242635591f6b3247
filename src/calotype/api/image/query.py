"""The query string of a list of images (spec: image-v2 9.3)."""

from collections.abc import Callable
from urllib.parse import parse_qsl, urlencode

from calotype.images.errors import Invalid
from calotype.images.filters import member_status, number_filter, text_filter, time_filter, visibility
from calotype.images.model import SORT_KEYS, Filter, Kind, Listing, with_property, with_tag
from calotype.settings import Image as Limits

Pairs = list[tuple[str, str]]

_INTEGERS = ("size", "virtual_size", "min_ram", "min_disk")
_NO_FILTERS = frozenset(("limit", "marker", "sort", "sort_key", "sort_dir", "tag", "visibility", "member_status"))
_SILENT = frozenset(("os_hidden", "deleted", "tags"))
_BOUNDS: dict[str, Kind] = {"_min": "gte", "_max": "lte"}
_UNFILTERABLE = ("locations", "members", "properties")


def pairs(query: bytes) -> Pairs:
    """Names and values in order; Invalid if the query is not UTF-8 or holds a NUL."""
    try:
        found = parse_qsl(query.decode("utf-8"), keep_blank_values=True, errors="strict")
    except ValueError:
        raise Invalid("The query string is not valid UTF-8.") from None
    if any("\0" in name or "\0" in value for name, value in found):
        raise Invalid("The query string must not hold a NUL character.")
    return found


def listing(query: Pairs, limits: Limits) -> tuple[Listing, str | None]:
    """The list that the query asks for, and the id of its marker; Invalid."""
    last = dict(query)
    if "changes-since" in last:
        raise Invalid('The "changes-since" filter is no longer available on v2.')
    wanted = Listing(
        limit=limit(last.get("limit"), limits),
        sort=_sort(query),
        visibility=visibility(last["visibility"]) if "visibility" in last else None,
        member_status=member_status(last.get("member_status", "accepted")),
        hidden=_hidden(last.get("os_hidden", "false")),
        filters=[with_tag(value.strip()) for name, value in query if name == "tag"],
    )
    for name, value in last.items():
        if name not in _NO_FILTERS and name not in _SILENT:
            wanted.filters += _filters(name, value)
    return wanted, last.get("marker")


def links(query: Pairs, count: int, limit: int, last_id: str | None, path: str = "/v2/images") -> dict[str, str]:
    """`first`, and `next` when the page is full; every value of a repeated parameter stays."""
    kept = [(name, value) for name, value in query if name != "marker"]
    found = {"first": _url(path, kept)}
    if last_id is not None and count == limit:
        found["next"] = _url(path, [*kept, ("marker", last_id)])
    return found


def _url(path: str, query: Pairs) -> str:
    return path + (f"?{urlencode(query)}" if query else "")


def limit(text: str | None, limits: Limits) -> int:
    """The page size that is asked for, or the default one; Invalid."""
    if text is None:
        return limits.default_limit
    number = _integer(text, "limit param must be an integer")
    if number < 0:
        raise Invalid("limit param must be positive")
    return min(number, limits.max_limit)


def _integer(text: str, complaint: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise Invalid(complaint) from None


def _hidden(text: str) -> bool:
    return _boolean("os_hidden", text.lower(), text)


def _boolean(name: str, text: str, shown: str) -> bool:
    if text not in ("true", "false"):
        raise Invalid(f"Invalid value '{shown}' for '{name}' filter. Valid values are 'true' or 'false'.")
    return text == "true"


def _sort(query: Pairs) -> tuple[tuple[str, str], ...]:
    """Keys and directions, ending in the tie-breakers `created_at` and `id`."""
    named = [value.strip() for name, value in query if name == "sort_key"]
    directions = [value.strip() for name, value in query if name == "sort_dir"]
    combined = dict(query).get("sort")
    if combined is not None:
        if named or directions:
            raise Invalid("Old and new sorting syntax cannot be combined")
        keys = [_sort_item(item) for item in combined.split(",")]
        directions = [direction for _, direction in keys]
    else:
        keys, directions = _old_sort(named, directions)
    for key, direction in keys:
        if key not in SORT_KEYS:
            raise Invalid(f"Invalid sort key: {key}. It must be one of the following: {', '.join(SORT_KEYS)}.")
        if direction not in ("asc", "desc"):
            raise Invalid(f"Invalid sort direction: {direction}")
    tie = directions[0] if len(directions) == 1 else "desc"
    first_of_each: dict[str, str] = {}
    for key, direction in (*keys, ("created_at", tie), ("id", tie)):
        first_of_each.setdefault(key, direction)
    return tuple(first_of_each.items())


def _sort_item(item: str) -> tuple[str, str]:
    key, _, direction = item.strip().partition(":")
    return key.strip(), direction.strip() or "desc"


def _old_sort(named: list[str], directions: list[str]) -> tuple[Pairs, list[str]]:
    keys = named or ["created_at"]
    if len(directions) <= 1:
        return [(key, directions[0] if directions else "desc") for key in keys], directions
    if len(directions) != len(keys):
        raise Invalid("Number of sort dirs does not match the number of sort keys")
    return list(zip(keys, directions, strict=True)), directions


def _filters(name: str, value: str) -> list[Filter]:
    if name in _KNOWN:
        return _KNOWN[name](name, value)
    bound = _BOUNDS.get(name[-4:])
    if bound and name[:-4] in _INTEGERS:
        number = _integer(value, "Unable to filter on a range with a non-numeric value.")
        return [number_filter(bound, name[:-4], number)]
    if bound or name in _UNFILTERABLE:
        raise Invalid(f"Unable to filter by '{name}'.")
    return [with_property(name, value)]


def _equal(name: str, value: str) -> list[Filter]:
    return [Filter("eq", name, (value,))]


def _number(name: str, value: str) -> list[Filter]:
    return [number_filter("eq", name, _integer(value, f"Unable to filter by '{name}': '{value}' is not a number."))]


def _protected(name: str, value: str) -> list[Filter]:
    return [Filter("eq", name, (_boolean(name, value, value),))]


_KNOWN: dict[str, Callable[[str, str], list[Filter]]] = {
    **dict.fromkeys(("id", "name", "status", "disk_format", "container_format"), lambda n, v: [text_filter(n, v)]),
    **dict.fromkeys(("created_at", "updated_at"), time_filter),
    **dict.fromkeys(_INTEGERS, _number),
    **dict.fromkeys(("owner", "checksum", "os_hash_value", "os_hash_algo"), _equal),
    "protected": _protected,
}
