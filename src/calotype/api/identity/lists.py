"""What all lists share: how a list is cut to a domain, and to a page."""

from collections.abc import Awaitable, Callable
from typing import Any

from calotype.access.errors import NotFound
from calotype.access.model import Filter, Query
from calotype.api.identity import views
from calotype.api.identity.queries import next_link, page, self_link
from calotype.api.wire import Reply, Request, json_reply


def inside(query: Query, domain_id: str | None) -> Query:
    """The query cut to a domain; None cuts nothing."""
    return query._replace(filters=(*query.filters, *of_domain(domain_id)))


def of_domain(domain_id: str | None) -> tuple[Filter, ...]:
    """The condition that cuts to a domain; None cuts nothing."""
    return () if domain_id is None else (Filter("domain_id", domain_id),)


async def answer(
    request: Request,
    url: str,
    name: str,
    query: Query,
    find: Callable[[Query], Awaitable[list[Any]]],
    view: Callable[[Any, str], dict[str, Any]],
    bounds: tuple[Filter, ...] = (),
    fits: Callable[[Any], bool] | None = None,
) -> Reply:
    """The page of a list that the request asks for. A marker out of `bounds`, which say what the caller may see, is
    not found, be there such a thing; one that does not fit the filters is the place in the list where it would be.
    `fits` is a filter that the database does not know.
    """
    cut = page(request)
    if cut.marker is not None and not await find(query._replace(filters=(*bounds, Filter("id", cut.marker)))):
        raise NotFound(f"Marker {cut.marker} could not be found.")
    wanted = cut.apply(query)
    found = await find(wanted if fits is None else wanted._replace(limit=None))
    if fits is not None:
        found = [each for each in found if fits(each)][: wanted.limit]
    more = next_link(request, url, found[cut.limit - 1].id) if cut.limit and len(found) > cut.limit else None
    items = [view(each, url) for each in (found[: cut.limit] if cut.limit else found)]
    return json_reply(views.collection(name, items, self_link(request, url), more))
