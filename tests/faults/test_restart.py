"""What was answered with success is there after a kill, and a server over the same directory goes on."""

import hashlib
import socket
import time
from collections.abc import Callable

import pytest

from tests.support.server import Server

DATA = b"kept through everything\n" * 100_000


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
@pytest.mark.parametrize("end", ["kill", "stop"])
def test_an_image_survives_the_end_of_its_server(start_server: Callable[..., Server], database: str, end: str) -> None:
    server = start_server(database)
    with server.client() as api:
        body = {"name": "kept", "disk_format": "raw", "container_format": "bare", "a": "b"}
        image = api.post("/v2/images", json=body).raise_for_status().json()["id"]
        octets = {"Content-Type": "application/octet-stream"}
        api.put(f"/v2/images/{image}/file", content=DATA, headers=octets).raise_for_status()
        before = api.get(f"/v2/images/{image}").json()
    getattr(server, end)()
    passwords = server.clouds
    server.start()
    with server.client() as api:  # the token of before still counts
        assert api.get(f"/v2/images/{image}").json() == before
        assert api.get(f"/v2/images/{image}/file").content == DATA
    assert before["checksum"] == hashlib.md5(DATA).hexdigest()
    assert server.clouds == passwords


def test_a_stop_is_a_success(start_server: Callable[..., Server]) -> None:
    assert start_server("sqlite").stop() == 0


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_two_workers_serve_one_catalogue(start_server: Callable[..., Server], database: str) -> None:
    server = start_server(database, options=("--workers", "2"))
    with server.client() as api:
        image = api.post("/v2/images", json={"name": "shared by workers"}).raise_for_status().json()["id"]
    for _ in range(20):  # each a new connection, so that both workers answer
        with server.client() as api:
            assert api.get(f"/v2/images/{image}").json()["name"] == "shared by workers"


@pytest.mark.parametrize("lane", ["granian", "uvicorn"])
def test_workers_do_not_outlive_a_killed_server(start_server: Callable[..., Server], lane: str) -> None:
    server = start_server("sqlite", options=("--workers", "2", "--server", lane))
    server.kill_alone()
    end = time.monotonic() + 5
    while _listens(server.port):
        assert time.monotonic() < end, "a worker goes on listening"
        time.sleep(0.05)
    server.start()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
