"""Pages of lists from which a rule leaves things out."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

AT_A_TIME = 1000
"""How many are read for a page that is not full yet: one by one, `limit=1` would ask for each that is left out."""

Item = TypeVar("Item")
Read = Callable[[Item | None, int | None], Awaitable[list[Item]]]
"""Those of the list behind a marker, so many at the most; None: from the beginning, all."""


async def filled(
    read: Read[Item], allowed: Callable[[Item], bool], marker: Item | None, limit: int | None
) -> list[Item]:
    """A page of what is allowed: what is left out does not shorten it."""
    kept: list[Item] = []
    size = limit
    while True:
        found = await read(marker, size)
        kept += filter(allowed, found)
        if limit is None or size is None or len(found) < size or len(kept) >= limit:
            return kept[:limit]
        marker, size = found[-1], max(limit, AT_A_TIME)
