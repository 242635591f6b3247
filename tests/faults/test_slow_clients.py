"""Clients that send a head or a body too slowly, or a head that is too large: they are cut off, and nobody else."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest

from tests.support.access_key import signed
from tests.support.attacked import eventually
from tests.support.raw import Answer, Raw, head
from tests.support.server import Server
from tests.support.servers import Servers
from tests.support.threads import together

PACE = 1000
SECONDS = 1.0
SETTINGS = {
    "CALOTYPE_CLIENTS_HEAD_SECONDS": str(SECONDS),
    "CALOTYPE_CLIENTS_BODY_PACE": str(PACE),
    "CALOTYPE_CLIENTS_BODY_SECONDS": str(SECONDS),
}
OCTETS = {"Content-Type": "application/octet-stream"}
LONG_ENOUGH = 4 * SECONDS


@pytest.fixture(scope="module", params=["granian", "uvicorn"])
def server(request: pytest.FixtureRequest, servers: Servers) -> Iterator[Server]:
    """A server on each lane that does not wait long."""
    found = servers.unstarted("sqlite", environment=SETTINGS, options=("--server", request.param)).start()
    yield found
    found.kill()


def trickle(raw: Raw, data: bytes, pause: float, piece: int = 1) -> float:
    """Send the data piece by piece until the server has had enough; answers after how many seconds that was."""
    began = time.monotonic()
    raw.socket.settimeout(pause)
    for start in range(0, len(data), piece):
        try:
            raw.socket.sendall(data[start : start + piece])
            raw.socket.recv(1, socket.MSG_PEEK)  # an answer, or the end of the connection
            break
        except TimeoutError:
            continue
        except ConnectionError:
            break
    raw.socket.settimeout(10)
    return time.monotonic() - began


def ending(raw: Raw) -> int | None:
    """The status of the answer, None if the connection ended without one; it must be at its end in either case."""
    status: int | None = None
    with suppress(ConnectionError):
        answer: Answer = raw.answer()
        status = answer.status
    assert raw.ended()
    return status


def served(server: Server) -> None:
    """Others are served as if nothing were."""
    began = time.monotonic()
    with server.client() as api:
        assert api.get("/v2/images").status_code == 200
    assert time.monotonic() - began < SECONDS


@pytest.mark.parametrize("sent", [b"", b"G", b"GET /v2/images HTTP/1.1\r\nHost: x\r\nX-A: b"])
def test_a_head_that_does_not_come(server: Server, sent: bytes) -> None:
    with Raw(server.port) as raw:
        raw.send(sent)
        began = time.monotonic()
        served(server)
        assert ending(raw) in (408, None)
        assert SECONDS * 0.8 < time.monotonic() - began < LONG_ENOUGH


def test_a_head_that_trickles(server: Server) -> None:
    whole = head("GET", "/healthcheck", {f"X-{number}": "v" * 20 for number in range(20)})
    with Raw(server.port) as raw:
        assert trickle(raw, whole, 0.1) < LONG_ENOUGH
        assert ending(raw) in (408, None)


def test_the_second_head_of_a_connection(server: Server) -> None:
    with Raw(server.port) as raw:
        assert raw.request("GET", "/healthcheck", {}).answer().status == 200
        assert trickle(raw, head("GET", "/healthcheck", {"X": "v" * 200}), 0.1) < LONG_ENOUGH
        assert ending(raw) in (408, None)


def test_empty_lines_are_no_head(server: Server) -> None:
    with Raw(server.port) as raw:
        assert raw.request("GET", "/healthcheck", {}).answer().status == 200
        assert trickle(raw, b"\r\n" * 200, 0.1, 2) < LONG_ENOUGH
        assert ending(raw) in (400, 408, None)


def test_a_head_that_is_slow_enough(server: Server) -> None:
    whole = head("GET", "/healthcheck", {})
    with Raw(server.port) as raw:
        for piece in (whole[:9], whole[9:20], whole[20:]):
            raw.send(piece)
            time.sleep(SECONDS / 5)
        assert raw.answer().body == b"OK"


def test_a_head_that_is_too_large(server: Server) -> None:
    with Raw(server.port) as raw:
        status = None
        with suppress(ConnectionError):
            raw.send(b"GET / HTTP/1.1\r\nHost: x\r\n")
            for number in range(200):
                raw.send(b"X-%d: %s\r\n" % (number, b"v" * 8000))
            status = raw.answer().status
        assert status in (400, 413, 431, None)
    served(server)


def test_a_body_that_trickles_past_its_answer(server: Server) -> None:
    headers = {"Expect": "100-continue", "Content-Type": "application/json", "Content-Length": "1000"}
    with Raw(server.port) as raw:
        assert raw.request("POST", "/v2/images", headers).answer().status == 401
        assert trickle(raw, b"d" * 300, 0.1) < LONG_ENOUGH
        assert raw.ended()


@pytest.mark.parametrize("server", ["uvicorn"], indirect=True)
def test_a_body_that_comes_past_its_answer_in_time(server: Server) -> None:
    """The connection is the next request's, which Granian does not always grant."""
    headers = {"Expect": "100-continue", "Content-Type": "application/json", "Content-Length": "10"}
    with Raw(server.port) as raw:
        for pause in (0.0, 1.5 * SECONDS):
            assert raw.request("POST", "/v2/images", headers).answer().status == 401
            raw.send(b"d" * 10)
            time.sleep(pause)
            assert raw.request("GET", "/healthcheck", {}).answer().status == 200


def chunked(server: Server, trailers: bytes, headers: dict[str, str]) -> int | None:
    """The status of a new image's request that has something behind its body."""
    with Raw(server.port) as raw, suppress(ConnectionError):
        headers = {"Content-Type": "application/json", "Transfer-Encoding": "chunked", **headers}
        raw.request("POST", "/v2/images", headers, b"2\r\n{}\r\n0\r\n" + trailers + b"\r\n")
        return raw.answer().status
    return None


def test_what_comes_behind_a_body_is_no_head(server: Server) -> None:
    token = server.personas["demo"].token
    assert chunked(server, b"X-Auth-Token: %s\r\n" % token.encode(), {}) == 401
    assert chunked(server, b"X-Auth-Token: nonsense\r\n", {"X-Auth-Token": token}) == 201
    server.clear()


@pytest.mark.parametrize("trailers", [b"X: " + b"v" * 2_000_000, (b"X: " + b"v" * 8000 + b"\r\n") * 250])
def test_what_comes_behind_a_body_has_an_end(server: Server, trailers: bytes) -> None:
    assert chunked(server, trailers + b"\r\n", {"X-Auth-Token": server.personas["demo"].token}) in (400, 431, None)
    with server.client() as api:
        assert api.get("/v2/images").json()["images"] == []


def test_a_document_that_trickles(server: Server) -> None:
    body = b'{"name": "' + b"n" * 200 + b'"}'
    token = server.personas["demo"].token
    for path, method in (("/v2/images", "POST"), ("/v3/auth/tokens", "POST"), ("/v2.1/images/x/metadata", "PUT")):
        headers = {"X-Auth-Token": token, "Content-Type": "application/json", "Content-Length": str(len(body))}
        with Raw(server.port) as raw:
            raw.send(head(method, path, headers))
            assert SECONDS * 0.8 < trickle(raw, body, 0.1) < LONG_ENOUGH
            served(server)
            assert ending(raw) == 408
    with server.client() as api:
        assert api.get("/v2/images").json()["images"] == []


def test_of_many_that_trickle_none_keeps_its_connection(server: Server) -> None:
    headers = {"X-Auth-Token": server.personas["demo"].token, "Content-Type": "application/json"}

    def one() -> int | None:
        with Raw(server.port) as raw:
            raw.send(head("POST", "/v2/images", {**headers, "Content-Length": "1000"}))
            trickle(raw, b"d" * 500, 0.01)
            return ending(raw)

    assert together([one] * 60) == [408] * 60


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("begins", [0, 500_000])
def test_an_upload_that_stalls_or_trickles(server: Server, chunked: bool, begins: int) -> None:
    with server.client() as api:
        made = api.post("/v2/images", json={"name": "slow", "disk_format": "raw", "container_format": "bare"}).json()
        path = f"/v2/images/{made['id']}"
        length = {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": "1000000"}
        with Raw(server.port) as raw:
            raw.send(head("PUT", f"{path}/file", {"X-Auth-Token": server.personas["demo"].token, **OCTETS, **length}))
            raw.send((b"%x\r\n" % 1_000_000 if chunked else b"") + b"d" * begins)
            assert trickle(raw, b"d" * 300, 0.1) < LONG_ENOUGH
            served(server)
            assert ending(raw) == 408
        assert eventually(lambda: api.get(path).json()["status"] == "queued", 5)
        assert eventually(lambda: not [*(server.data / "images" / ".partial").iterdir()], 5)
        answer = api.put(f"{path}/file", content=b"whole", headers=OCTETS)
        assert answer.status_code == 204
        api.delete(path)


def test_an_upload_that_is_fast_enough(server: Server) -> None:
    with server.client() as api:
        made = api.post("/v2/images", json={"name": "calm", "disk_format": "raw", "container_format": "bare"}).json()
        path = f"/v2/images/{made['id']}"
        headers = {"X-Auth-Token": server.personas["demo"].token, **OCTETS, "Content-Length": str(20 * PACE // 2)}
        with Raw(server.port) as raw:
            raw.send(head("PUT", f"{path}/file", headers))
            for _ in range(20):
                raw.send(b"d" * (PACE // 2))
                time.sleep(SECONDS / 5)
            assert raw.answer().status == 204
        assert api.get(path).json()["size"] == 10 * PACE
        api.delete(path)


def test_a_signed_body_that_trickles(server: Server) -> None:
    pair = server.access_key()
    body = json.dumps({"name": "n" * 200}).encode()
    lines = signed(pair, "POST", "/v2/images", {"Host": "127.0.0.1", "Content-Type": "application/json"}, body=body)
    del lines["Host"]  # Raw sends it
    with Raw(server.port) as raw:
        raw.send(head("POST", "/v2/images", {**lines, "Content-Length": str(len(body))}))
        assert trickle(raw, body, 0.1) < LONG_ENOUGH
        assert ending(raw) == 408
    # It was not used up.
    answer = httpx.post(f"{server.base}/v2/images", content=body, headers={**lines, "Host": "127.0.0.1"})
    assert answer.status_code == 201
    server.clear()
