"""Fixtures of the tests that do harm."""

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import msgspec
import pytest

from calotype.settings import Image, Store
from tests.support.attacked import Site
from tests.support.scene import Scene
from tests.support.server import Server
from tests.support.unserved import Mirror, settings

WEB = {"one": Store(weight=1), "two": Store(), "web": Store(type="http", weight=9)}


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


@pytest.fixture
def scene(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A service with three stores."""
    return Scene(settings(tmp_path, url), monkeypatch)


@pytest.fixture
def with_web(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A service with two stores and one for URLs, which is preferred."""
    chosen = settings(tmp_path, url, WEB)
    return Scene(msgspec.structs.replace(chosen, image=Image(show_locations=True)), monkeypatch)


@pytest.fixture(scope="module")
def mirror() -> Iterator[Mirror]:
    """A web server that has the data."""
    server = Mirror()
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()
