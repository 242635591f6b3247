"""Pages of namespaces: whatever they are sorted by, each is met once and in the order of the whole list."""

import asyncio
import itertools
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from calotype.access.caller import Caller
from calotype.access.policy.policy import Policy
from calotype.database.engine import Database
from calotype.metadefs.definitions import Definitions
from calotype.metadefs.model import SORT_KEYS, Draft, Listing
from tests.support.catalogue import Run, opened

ADMIN = Caller(user_id="u", project_id="p", roles=frozenset(("admin", "member", "reader")))
READER = Caller(user_id="u", project_id="q", roles=frozenset(("reader",)))


@pytest.fixture
def run() -> Iterator[Run]:
    """Runs coroutines."""
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture
def database(url: str, run: Run) -> Iterator[Database]:
    """Each database in turn."""
    with opened(url, run) as found:
        yield found


def test_pages_make_the_list(database: Database, run: Run) -> None:
    definitions = Definitions(database, Policy())
    shown, protected, visibility = (None, "Ä", "a", "Z"), (True, False), ("public", "private")
    for number, (name, kept, seen, owner) in enumerate(itertools.product(shown, protected, visibility, "pq")):
        draft = Draft(f"n{number % 7}{number}", name, None, seen, kept, owner)
        run(definitions.create(ADMIN, draft, []))
    for caller, key, direction in itertools.product((ADMIN, READER), SORT_KEYS.values(), ("asc", "desc")):
        page = partial(names, run, definitions, caller, key, direction)
        everything, _ = page(None, None)
        assert len(everything) == (32 if caller is ADMIN else 24)
        met, marker = page(5, None)
        while marker is not None:
            more, marker = page(5, marker)
            met += more
        assert met == everything, (key, direction)
        assert page(None, everything[-1]) == ([], None)


def names(
    run: Run, definitions: Definitions, caller: Caller, key: str, direction: Any, limit: int | None, marker: str | None
) -> tuple[list[str], str | None]:
    """The names of a page, and the marker of the next."""
    listing = Listing(limit=limit, sort_key=key, sort_dir=direction)
    found = run(definitions.find(caller, listing, marker))
    return [each.namespace.name for each in found.namespaces], found.following
