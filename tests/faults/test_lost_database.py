"""The database goes away and comes back: 503 in each API's own shape, then service as before, without a restart."""

import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.support.attacked import PATCH, Site, eventually
from tests.support.postgres import Postgres
from tests.support.server import Server

Start = Callable[..., Site]


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A PostgreSQL that a test may stop."""
    server = Postgres()
    yield server
    server.stop()


def reads(project: str, image: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Reads in every API: method, path, options."""
    return [
        ("GET", f"/v2.1/images/{image}", {}),
        ("GET", "/v2.1/images/detail", {}),
        ("GET", f"/v2.1/images/{image}/metadata", {}),
        ("GET", f"/v2/images/{image}", {}),
        ("GET", "/v2/images", {}),
        ("GET", f"/v2/images/{image}/file", {}),
        ("GET", f"/v2/images/{image}/members", {}),
        ("GET", "/v3/auth/projects", {}),
        ("GET", f"/v3/projects/{project}", {}),
    ]


def writes(image: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Writes in every API."""
    log_in = {"user": {"name": "demo", "domain": {"id": "default"}, "password": "x"}}
    change = [{"op": "add", "path": "/p", "value": "v"}]
    return [
        ("POST", f"/v2.1/images/{image}/metadata", {"json": {"metadata": {"a": "b"}}}),
        ("POST", "/v2/images", {"json": {"name": "new"}}),
        ("PATCH", f"/v2/images/{image}", {"json": change, "headers": PATCH}),
        ("PUT", f"/v2/images/{image}/tags/t", {}),
        ("POST", f"/v2/images/{image}/members", {"json": {"member": "m"}}),
        ("POST", f"/v2/images/{image}/actions/deactivate", {}),
        ("DELETE", f"/v2/images/{image}", {}),
        ("POST", "/v3/auth/tokens", {"json": {"auth": {"identity": {"methods": ["password"], "password": log_in}}}}),
    ]


def refused(api: httpx.Client, calls: list[tuple[str, str, dict[str, Any]]], secret: str) -> None:
    """Assert that each call answers 503 in its API's shape, and tells nothing of the database."""
    for method, path, options in calls:
        answer = api.request(method, path, **options)
        assert answer.status_code == 503, (method, path, answer.status_code, answer.text)
        body = answer.json()
        if path.startswith("/v3"):
            assert body["error"]["code"] == 503
        elif path.startswith("/v2.1"):
            # The token cannot be looked up when it is not cached: then the layer in front of Nova answers.
            assert body.get("serviceUnavailable", {"code": 503})["code"] == 503
        else:
            assert answer.headers["X-OpenStack-Request-ID"].startswith("req-")
        assert secret not in answer.text


def test_a_postgresql_that_stops_and_starts(start_server: Callable[..., Server], own_postgres: Postgres) -> None:
    server = start_server("sqlite", url=own_postgres.database())
    site = Site(server)
    image = site.image()
    assert site.put(image, b"data").status_code == 204
    with server.client() as api:
        own_postgres.halt()
        calls = [*reads(server.personas["demo"].project_id, image), *writes(image)]
        refused(api, calls, str(own_postgres.port))
        with server.client("reader") as unknown:  # whose token was never looked up
            refused(unknown, calls, str(own_postgres.port))
        assert api.get("/healthcheck").status_code == 200
        own_postgres.resume()
        assert eventually(lambda: api.get(f"/v2/images/{image}").status_code == 200, 5)
        for method, path, options in reads(server.personas["demo"].project_id, image):
            assert api.request(method, path, **options).status_code in (200, 204), path
    site.works()


def test_a_postgresql_that_takes_no_writes_for_a_while(
    start_server: Callable[..., Server], own_postgres: Postgres
) -> None:
    """As a standby, or a server whose disk is full."""
    server = start_server("sqlite", url=own_postgres.database())
    site, name = Site(server), server.database.rpartition("/")[2]
    image = site.image()
    end_all = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    with server.client() as api:
        own_postgres.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        own_postgres.execute(end_all)
        assert eventually(lambda: api.get(f"/v2/images/{image}").status_code == 200, 5)
        # A wrong password is found out before anything is written.
        refused(api, writes(image)[:-1], "read-only transaction")
        own_postgres.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        own_postgres.execute(end_all)
        assert eventually(lambda: api.get(f"/v2/images/{image}").status_code == 200, 5)
    site.works()


def test_a_worker_that_starts_while_the_database_is_away(
    start_server: Callable[..., Server], own_postgres: Postgres
) -> None:
    server = start_server("sqlite", url=own_postgres.database())
    site = Site(server)
    own_postgres.halt()
    for pid in site.workers():
        os.kill(pid, signal.SIGKILL)
    time.sleep(2.5)
    own_postgres.resume()

    def answers() -> bool:
        try:
            return httpx.get(f"{server.base}/healthcheck", timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    assert eventually(answers, 10)
    site.works()


@pytest.fixture
def calm(start: Start) -> tuple[Site, str]:
    """A server on SQLite and an image."""
    site = start("sqlite")
    return site, site.image()


def test_an_sqlite_file_that_is_moved_away_and_back(calm: tuple[Site, str]) -> None:
    """SQLite would go on writing to the file it has open: acknowledged, and lost at the end of the process."""
    site, image = calm
    file = site.server.data / "calotype.db"
    file.rename(file.with_suffix(".away"))
    with site.server.client() as api:
        refused(api, [call for call in writes(image) if call[1] != "/v3/auth/tokens"], str(site.server.data))
        file.with_suffix(".away").rename(file)
        assert api.get(f"/v2/images/{image}").status_code == 200
    site.works()


def test_an_sqlite_file_locked_by_another_process_for_a_while(calm: tuple[Site, str]) -> None:
    site, image = calm
    other = sqlite3.connect(site.server.data / "calotype.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    answers: list[int] = []

    def write(number: int) -> None:
        with site.server.client() as api:
            answers.append(api.put(f"/v2/images/{image}/tags/t{number}").status_code)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    with site.server.client() as api:  # reads go on
        for _ in range(20):
            started = time.monotonic()
            assert api.get(f"/v2/images/{image}").status_code == 200
            assert time.monotonic() - started < 1
    time.sleep(1.0)
    other.execute("ROLLBACK")
    other.close()
    for thread in threads:
        thread.join()
    assert answers == [204] * 5
    assert len(site.show(image)["tags"]) == 5


def test_a_damaged_sqlite_file(calm: tuple[Site, str]) -> None:
    site, image = calm
    file = site.server.data / "calotype.db"
    with site.server.client() as api:
        with file.open("r+b") as opened:
            opened.seek(0)
            opened.write(b"x" * os.path.getsize(file))
        for method, path, options in [*reads(site.server.personas["demo"].project_id, image), *writes(image)]:
            assert api.request(method, path, **options).status_code != 500, (method, path)
