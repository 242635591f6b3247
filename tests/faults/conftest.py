"""Fixtures of the tests that do harm."""

from collections.abc import Callable

import pytest

from tests.support.attacked import Site
from tests.support.server import Server


@pytest.fixture
def start(start_server: Callable[..., Server]) -> Callable[..., Site]:
    """Starts a server of the test's own; the arguments are those of `start_server`."""
    return lambda *arguments, **options: Site(start_server(*arguments, **options))


@pytest.fixture
def site(server: Server) -> Site:
    """A server that tests share, on each database in turn; it must be left in order."""
    return Site(server)


@pytest.fixture
def sqlite_site(sqlite_server: Server) -> Site:
    """A server that tests share, on SQLite."""
    return Site(sqlite_server)
