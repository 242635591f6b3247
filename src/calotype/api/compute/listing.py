"""The query string of a list: filters, limit, marker, the next page (spec: compute-images 11.2, 11.3)."""

from collections.abc import Iterable
from urllib.parse import parse_qsl, urlencode

from calotype.api.compute.faults import Fault
from calotype.api.compute.filters import narrow
from calotype.images.model import Listing
from calotype.settings import Compute

_ALIASES = {
    "name": "name",
    "status": "status",
    "changes-since": "changes-since",
    "server": "instance_uuid",
    "type": "image_type",
    "minRam": "min_ram",
    "minDisk": "min_disk",
}
"""Parameter to attribute or additional property; `property-X` is X."""
_PREFIX = "property-"
_COUNTS = ("limit", "page_size", "offset")
"""In the order in which faults in them are told."""
_RECOGNISED = frozenset((*_ALIASES, *_COUNTS, "marker"))
_ENDLESS = 2**31 - 1
"""A limit beyond every catalogue, that every database takes."""


class Query:
    """What a list asks for; raises Fault."""

    def __init__(self, query: bytes, settings: Compute) -> None:
        pairs = parse_qsl(query.decode(), keep_blank_values=True) if query else []
        self._pairs = [(name, value) for name, value in pairs if name in _RECOGNISED or name.startswith(_PREFIX)]
        _check_counts(self._pairs)
        last = dict(self._pairs)
        self.marker = last.get("marker") or None
        self._limit = _count(last["limit"]) if "limit" in last else None
        self._cap = settings.list_cap
        self._page = settings.page_limit
        if settings.limit_overflow == 403 and self._limit is not None and self._limit > self._page:
            raise Fault(403, f"The limit {self._limit} is larger than the maximum of {self._page}.")
        self.listing = Listing(filters=[], limit=self._most())
        for name, value in _wanted(self._pairs).items():
            narrow(self.listing, name, value)

    def _most(self) -> int | None:
        if not self._cap:
            return self._limit
        return self._cap if self._limit is None else min(self._limit, self._cap)

    def continues(self, found: int) -> bool:
        """Whether a page of `found` images has a next link.

        Nova's rule is blind: a page that holds exactly the limit, or exactly 1000 images. A page that the operator's
        cap cut short has one as well.
        """
        page = self._page if self._limit is None else min(self._limit, self._page)
        cut = found == self._cap and (self._limit is None or self._limit > self._cap)
        return found > 0 and (found == page or cut)

    def after(self, marker: str) -> str:
        """The query string of the next page: the recognised parameters sorted, of repeated ones the greatest."""
        kept = dict(sorted(self._pairs))
        kept["marker"] = marker
        return urlencode(kept)


def _wanted(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Attribute or property to value; the last of several counts."""
    wanted: dict[str, str] = {}
    for name, value in pairs:
        target = _ALIASES.get(name) or (name.removeprefix(_PREFIX) if name.startswith(_PREFIX) else None)
        if target is not None:
            wanted[target] = value
    if "instance_uuid" in wanted:
        # `server` may be the server's whole URL.
        wanted["instance_uuid"] = wanted["instance_uuid"].rpartition("/")[2]
    if "status" in wanted:
        wanted["status"] = wanted["status"].lower()
    return wanted


def _check_counts(pairs: list[tuple[str, str]]) -> None:
    for count in _COUNTS:
        for name, value in pairs:
            if name == count:
                _check_count(name, value)


def _check_count(name: str, value: str) -> None:
    if value == "":
        problem = "'' should be non-empty"
    elif not (value.isascii() and value.isdigit()):
        problem = f"{value!r} does not match '^[0-9]*$'"
    elif not value.strip("0"):
        problem = "0 is less than the minimum of 1"
    else:
        return
    raise Fault(400, f"Invalid input for query parameters {name}. Value: {value}. {problem}")


def _count(value: str) -> int:
    digits = value.lstrip("0")
    return int(digits) if len(digits) < 10 else _ENDLESS
