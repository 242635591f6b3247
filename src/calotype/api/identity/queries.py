"""From the query of a list to its filters, its page and its links (spec: identity-and-huawei A.4, A.8)."""

from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlencode

from calotype.access.errors import Invalid
from calotype.access.model import OPERATORS, Filter, Query
from calotype.api.wire import Request

_FALSE = ("0", "false", "no", "off", "f", "n")
_TAGS: dict[str, Callable[[set[str], set[str]], bool]] = {
    "tags": lambda wanted, tags: wanted <= tags,
    "tags-any": lambda wanted, tags: bool(wanted & tags),
    "not-tags": lambda wanted, tags: not wanted <= tags,
    "not-tags-any": lambda wanted, tags: not wanted & tags,
}


class Page(NamedTuple):
    """The part of a list that was asked for; `limit` 0 is all."""

    limit: int
    marker: str | None

    def apply(self, query: Query) -> Query:
        """One more row than the page holds, to know whether there is a next page."""
        return query._replace(marker=self.marker, limit=self.limit + 1 if self.limit else None)


def parameters(request: Request) -> list[tuple[str, str]]:
    """The query in order; raises Invalid when it holds text that no database keeps."""
    pairs = request.query_params.multi_items()
    if any("\0" in name or "\0" in value for name, value in pairs):
        raise Invalid("Invalid input for field/attribute query. A null character is not allowed.")
    return pairs


def filters(request: Request, columns: dict[str, str]) -> tuple[Filter, ...]:
    """The conditions on the parameters in `columns`, which maps each to its column; others are ignored."""
    found = []
    for name, value in parameters(request):
        base, _, operator = name.partition("__")
        if base not in columns:
            continue
        if base == "enabled":
            if not operator:
                found.append(Filter("enabled", boolean(value)))
        elif not operator or operator in OPERATORS:
            if not value:
                raise Invalid(f"Invalid input for field/attribute {name}. Value: . '' should be non-empty")
            found.append(Filter(columns[base], value, operator or "equals"))
    return tuple(found)


def tagged(request: Request) -> Callable[[list[str]], bool] | None:
    """Whether tags are those that the query asks for; None when it asks for none."""
    given = {name: set(value.split(",")) for name, value in parameters(request) if name in _TAGS and value}
    if not given:
        return None

    def fits(tags: list[str]) -> bool:
        return all(_TAGS[name](wanted, set(tags)) for name, wanted in given.items())

    return fits


def boolean(value: str) -> bool:
    """A flag in a query: everything but a denial is true, also nothing."""
    return value.lower() not in _FALSE


def page(request: Request) -> Page:
    """`limit` and `marker`; raises Invalid."""
    given = dict(parameters(request))
    limit = given.get("limit", "0")
    if not limit.isascii() or not limit.isdigit() or len(limit) > 9:
        raise Invalid(
            f"Invalid input for field/attribute limit. Value: {limit[:100]}. It is not a non-negative integer"
        )
    return Page(int(limit), given.get("marker"))


def self_link(request: Request, url: str) -> str:
    """The URL asked, with its query as it came."""
    query = request.scope.get("query_string", b"").decode("latin-1")
    return url + request.path.removeprefix("/v3") + ("?" + query if query else "")


def next_link(request: Request, url: str, marker: str) -> str:
    """The URL of the page after `marker`."""
    rest = [(name, value) for name, value in parameters(request) if name != "marker"]
    return f"{url}{request.path.removeprefix('/v3')}?{urlencode([*rest, ('marker', marker)])}"
