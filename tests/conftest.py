"""The fixtures that every suite may use."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.postgres import Postgres

DATABASES = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A private PostgreSQL server."""
    server = Postgres()
    yield server
    server.stop()


@pytest.fixture(params=DATABASES)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without tables, on each engine in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'calotype.db'}"
    url: str = request.getfixturevalue("postgres").database()
    return url
