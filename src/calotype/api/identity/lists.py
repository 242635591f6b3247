"""What all lists share: who may read everything, and how a page is cut."""

from collections.abc import Awaitable, Callable
from typing import Any

from calotype.access.caller import Caller
from calotype.access.errors import Forbidden, NotFound
from calotype.access.model import Filter, Query
from calotype.api.identity import views
from calotype.api.identity.queries import next_link, page, self_link
from calotype.api.wire import Reply, Request, json_reply


def reads_all(caller: Caller) -> bool:
    """Whether the caller may see every account: an administrator or a reader of the system."""
    return caller.is_admin or (caller.system and "reader" in caller.roles)


def administrator(request: Request, rule: str) -> None:
    """Raises Forbidden for those who may not see every account."""
    if not reads_all(request.caller):
        raise Forbidden(rule)


async def answer(
    request: Request,
    url: str,
    name: str,
    query: Query,
    find: Callable[[Query], Awaitable[list[Any]]],
    view: Callable[[Any, str], dict[str, Any]],
) -> Reply:
    """The page of a list that the request asks for."""
    cut = page(request)
    if cut.marker is not None and not await find(query._replace(filters=(Filter("id", cut.marker),))):
        raise NotFound(f"Marker {cut.marker} could not be found.")
    found = await find(cut.apply(query))
    more = next_link(request, url, found[cut.limit - 1].id) if cut.limit and len(found) > cut.limit else None
    items = [view(each, url) for each in (found[: cut.limit] if cut.limit else found)]
    return json_reply(views.collection(name, items, self_link(request, url), more))
