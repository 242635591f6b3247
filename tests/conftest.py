"""The fixtures that every suite may use."""

import asyncio
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import hypothesis
import pytest

from calotype.database import schema
from calotype.database.engine import Database
from tests.support.catalogue import Run, opened
from tests.support.keystone import Options, RealKeystone
from tests.support.postgres import Postgres
from tests.support.server import Server
from tests.support.servers import Servers
from tests.support.source import served

DATABASES = ("sqlite", "postgresql")

# In CI the same examples every time, so that a red run is about the change; elsewhere new ones. Time is no fault.
IN_CI = bool(os.environ.get("CI"))
hypothesis.settings.register_profile("calotype", deadline=None, derandomize=IN_CI)
hypothesis.settings.load_profile("calotype")


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


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the tables, to be copied."""
    path = tmp_path_factory.mktemp("template") / "calotype.db"
    schema.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres: Postgres) -> str:
    """The name of a PostgreSQL database with the tables, to be copied."""
    url = postgres.database()
    schema.upgrade(url)
    return url.rpartition("/")[2]


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_template: Path) -> str:
    """The URL of a new SQLite file with the tables."""
    return f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'calotype.db')}"


@pytest.fixture
def postgres_url(postgres: Postgres, postgres_template: str) -> str:
    """The URL of a new PostgreSQL database with the tables."""
    return postgres.database(postgres_template)


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest) -> str:
    """The URL of a new database with the tables, on each engine in turn."""
    found: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return found


@pytest.fixture
def run() -> Iterator[Run]:
    """One event loop for the length of the test."""
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture
def database(url: str, run: Run) -> Iterator[Database]:
    """An open database, on each engine in turn."""
    with opened(url, run) as found:
        yield found


@pytest.fixture
def both(sqlite_url: str, postgres_url: str, run: Run) -> Iterator[list[Database]]:
    """An open database on each engine, to be compared."""
    with opened(sqlite_url, run) as first, opened(postgres_url, run) as second:
        yield [first, second]


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """The servers that many tests share, started when first wanted."""

    def new_postgresql() -> str:
        url: str = request.getfixturevalue("postgres").database()
        return url

    found = Servers(lambda: tmp_path_factory.mktemp("server"), new_postgresql)
    yield found
    found.stop()


@pytest.fixture(scope="session")
def source() -> Iterator[str]:
    """The URL of a web server that images are imported from."""
    with served() as url:
        yield url


@pytest.fixture(params=DATABASES)
def server(request: pytest.FixtureRequest, servers: Servers) -> Server:
    """A running server with accounts, shared by many tests, on each database in turn."""
    return servers.get(request.param)


@pytest.fixture
def sqlite_server(servers: Servers) -> Server:
    """A running server with accounts, shared by many tests, on SQLite."""
    return servers.get("sqlite")


@pytest.fixture
def start_server(servers: Servers) -> Iterator[Callable[..., Server]]:
    """Starts servers of the test's own, for tests that do harm; the arguments are those of `Servers.unstarted`."""
    with ExitStack() as ended:

        def start(database: str = "sqlite", **options: object) -> Server:
            server = servers.unstarted(database, **options)
            server.start()
            ended.callback(server.kill)
            return server

        yield start


@pytest.fixture(scope="session")
def prepared_keystone(tmp_path_factory: pytest.TempPathFactory) -> RealKeystone:
    """A Keystone with an administrator, never started, to be copied."""
    keystone = RealKeystone(tmp_path_factory.mktemp("keystone"))
    keystone.prepare()
    return keystone


@pytest.fixture(scope="session")
def shared_keystone(
    prepared_keystone: RealKeystone, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RealKeystone]:
    """A running Keystone that many tests share."""
    keystone = prepared_keystone.copy(tmp_path_factory.mktemp("keystone")).start()
    yield keystone
    keystone.stop()


@pytest.fixture
def start_keystone(
    prepared_keystone: RealKeystone, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., RealKeystone]]:
    """Starts Keystones of the test's own, with more options if it likes, to be stopped and started again."""
    with ExitStack() as ended:

        def start(options: Options | None = None) -> RealKeystone:
            keystone = prepared_keystone.copy(tmp_path_factory.mktemp("keystone"), options).start()
            ended.callback(keystone.kill)
            return keystone

        yield start
