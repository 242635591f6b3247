"""Nothing that a client sends makes a 500, or keeps the service from answering the next one.

The seeds are fixed, so a failure comes back; the message of a failure holds the request.
"""

import json
import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.client import HTTPConnection

import pytest

from tests.support.attacked import Site
from tests.support.chance import NUMBERS, ODD_BYTES, Chance, compute_request, identity_request, image_request
from tests.support.raw import Answer, Raw, head

REQUESTS = 400
SLOW = 3.0
JSON = {"Content-Type": "application/json"}
PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}


def exchange(site: Site, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> Answer:
    """One request on its own connection; 999 stands for a connection closed without an answer."""
    fields = {"X-Auth-Token": site.token, **headers}
    if body:
        fields.setdefault("Content-Length", str(len(body)))
    with Raw(site.port, timeout=15) as client:
        with suppress(ConnectionError):
            client.request(method, path, fields, body)
        try:
            return client.answer(method)
        except ConnectionError:
            return Answer(999, [], b"")


def check(site: Site, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"") -> int:
    """The status; it must be neither 500 nor late."""
    started = time.monotonic()
    answer = exchange(site, method, path, headers or {}, body)
    shown = (method, path[:300], {name: value[:100] for name, value in (headers or {}).items()}, body[:500])
    assert answer.status < 500 or answer.status in (501, 505, 999), (answer.status, shown, answer.body[:500])
    assert time.monotonic() - started < SLOW, shown
    return answer.status


@pytest.fixture(scope="module")
def targets(request: pytest.FixtureRequest) -> dict[str, str]:
    """Images by database, made at the first use."""
    return {}


@pytest.fixture
def image(site: Site, targets: dict[str, str]) -> Iterator[str]:
    """An image with data; the server must be in order after the test."""
    key = site.server.base
    if key not in targets:
        targets[key] = site.image()
        assert site.put(targets[key], b"data of the target").status_code == 204
    yield targets[key]
    assert site.data(targets[key]) == b"data of the target"
    assert "Traceback" not in site.server.log
    assert "panicked" not in site.server.log


def test_numbers_in_headers_and_queries(site: Site, image: str) -> None:
    queued = site.image()
    for number in NUMBERS:
        for form in (f"bytes={number}-", f"bytes=-{number}", f"bytes=0-{number}", f"bytes={number}-{number}", number):
            check(site, "GET", f"/v2/images/{image}/file", {"Range": form})
        for form in (f"bytes {number}-{number}/*", f"bytes 0-{number}/{number}"):
            check(site, "GET", f"/v2/images/{image}/file", {"Content-Range": form})
        for name in ("X-OpenStack-Image-Size", "Content-Length"):
            headers = {"Content-Type": "application/octet-stream", name: number, "Connection": "close"}
            with suppress(TimeoutError), Raw(site.port, timeout=0.3) as client:  # it may wait for so many bytes
                client.request("PUT", f"/v2/images/{queued}/file", {"X-Auth-Token": site.token, **headers}, b"abc")
                with suppress(ConnectionError):
                    assert client.answer().status < 500, (name, number[:50])
        for name in ("limit", "size_min", "size_max", "min_ram", "min_disk", "size", "virtual_size", "created_at"):
            check(
                site,
                "GET",
                f"/v2/images?{name}={number if number.isascii() else '%C2%BD'}",
            )
        for name in ("limit", "page_size", "offset", "minRam", "property-size", "property-size_min", "changes-since"):
            check(site, "GET", f"/v2.1/images/detail?{name}={number if number.isascii() else '%C2%BD'}")
        if number.isascii():
            check(site, "GET", f"/v3/projects?limit={number}")
            check(site, "GET", "/v2.1/images", {"OpenStack-API-Version": f"compute 2.{number}"})
            check(site, "GET", "/v2.1/images", {"X-OpenStack-Nova-API-Version": f"{number}.1"})


def test_moments_in_queries(site: Site, image: str) -> None:
    for moment in (
        "0000-00-00",
        "9999-12-31T23:59:59-14:00",
        "0001-01-01T00:00:00%2B14:00",
        "2020-02-30",
        "2020",
        "2020-01-01T25:00:00",
        "20200101T000000Z",
        "2020-W01",
        "-2020-01-01",
        "gt:gt:2020-01-01",
    ):
        for query in (f"created_at={moment}", f"updated_at=gt:{moment}", f"created_at=neq:{moment}"):
            check(site, "GET", f"/v2/images?{query}")
        check(site, "GET", f"/v2.1/images?changes-since={moment}")


def test_odd_bytes_everywhere(site: Site, image: str) -> None:
    for odd in ODD_BYTES:
        for path in ("/v2.1/images", "/v2/images", "/v3/projects", "/compute/v2.1/images", "/identity/v3/users", ""):
            for form in (
                f"{path}/{odd}",
                f"{path}/{odd}/members",
                f"{path}?name={odd}&{odd}=1",
                f"{path}?marker={odd}",
            ):
                check(site, "GET", form or "/")
            names = (
                "X-OpenStack-Request-ID",
                "X-Service-Token",
                "Accept",
                "User-Agent",
                "Content-Type",
                "X-Auth-Token",
                "OpenStack-API-Version",
                "X-Subject-Token",
                "Host",
                "Forwarded",
                "Range",
            )
            for name in names:
                check(site, "GET", path or "/", {name: odd})
        for method, path in (
            ("PUT", f"/v2/images/{image}/tags/{odd}"),
            ("DELETE", f"/v2/images/{image}/tags/{odd}"),
            ("GET", f"/v2/images/{image}/members/{odd}"),
            ("DELETE", f"/v2.1/images/{image}/metadata/{odd}"),
            ("GET", f"/v2.1/images/{image}/metadata/{odd}"),
            ("DELETE", f"/v2/images/{odd}"),
        ):
            check(site, method, path)


def test_deep_and_large_bodies(site: Site, image: str) -> None:
    bodies = [b"[" * depth + b"]" * depth for depth in (50, 330, 900, 5000, 100_000)]
    bodies += [b'{"a":' * depth + b"1" + b"}" * depth for depth in (300, 50_000)]
    bodies += [
        b"[" + b"1," * 400_000 + b"1]",
        b'"' + b"x" * 4_000_000 + b'"',
        b"9" * 10_000,
        b"9" * 4000,
        b"1e400",
        b"NaN",
        b"-Infinity",
        b'"\\ud800"',
        b'"\\u0000"',
        b'"\xff\xfe"',
        b"\xed\xa0\x80",
        b"",
        b"nul",
    ]
    forms = [
        ("POST", "/v2/images", JSON, b'{"name":%s}'),
        ("POST", "/v2/images", JSON, b'{"min_ram":%s,"min_disk":%s}'),
        ("POST", "/v2/images", JSON, b'{"other":%s}'),
        ("POST", "/v2/images", JSON, b'{"tags":%s}'),
        ("PATCH", f"/v2/images/{image}", PATCH, b'[{"op":"add","path":"/q","value":%s}]'),
        ("PATCH", f"/v2/images/{image}", PATCH, b'[{"op":%s,"path":%s}]'),
        ("PATCH", f"/v2/images/{image}", PATCH, b"%s"),
        ("POST", f"/v2/images/{image}/members", JSON, b'{"member":%s}'),
        ("PUT", f"/v2/images/{image}/members/x", JSON, b'{"status":%s}'),
        ("POST", "/v3/auth/tokens", JSON, b'{"auth":{"identity":%s}}'),
        ("POST", "/v3/auth/tokens", JSON, b'{"auth":{"identity":{"methods":["token"],"token":{"id":%s}},"scope":%s}}'),
        ("POST", f"/v2.1/images/{image}/metadata", JSON, b'{"metadata":{"a":%s}}'),
        ("POST", "/v2/tasks", JSON, b'{"type":%s,"input":%s}'),
        ("POST", f"/v2/images/{image}/import", JSON, b'{"method":%s}'),
        ("POST", f"/v2/images/{image}/locations", JSON, b'{"url":%s}'),
    ]
    for body in bodies:
        for method, path, headers, form in forms:
            assert check(site, method, path, headers, form.replace(b"%s", body)) >= 400 or len(body) < 5000


@pytest.mark.parametrize(("path", "status"), [("/v3/auth/tokens", 413), ("/v3/users", 401), ("/v3/nothing", 404)])
def test_who_writes_before_he_reads_is_answered_all_the_same(site: Site, path: str, status: int) -> None:
    connection = HTTPConnection("127.0.0.1", site.port, timeout=30)
    connection.request("POST", path, b'{"auth":"' + b"x" * 20_000_000 + b'"}', JSON)
    assert connection.getresponse().status == status
    connection.close()


def test_too_many_of_everything(site: Site, image: str) -> None:
    assert check(site, "POST", "/v2/images", JSON, b'{"name":"' + b"x" * 10_000_000 + b'"}') in (400, 413, 999)
    many = {f"p{number}": "v" for number in range(5000)}
    assert check(site, "POST", "/v2/images", JSON, json.dumps(many).encode()) == 413
    assert check(site, "POST", "/v2/images", JSON, json.dumps({**many, "p0": 1}).encode()) in (400, 413)
    for length, wanted in ((65_535, 201), (65_536, 400)):
        assert check(site, "POST", "/v2/images", JSON, json.dumps({"long": "v" * length}).encode()) == wanted
        change = [{"op": "add", "path": "/long", "value": "\u00e9" * (length // 2)}]
        status = check(site, "PATCH", f"/v2/images/{image}", PATCH, json.dumps(change).encode())
        assert status == (200 if wanted == 201 else 400)
    tags = [f"t{number}" for number in range(5000)]
    assert check(site, "POST", "/v2/images", JSON, json.dumps({"tags": tags}).encode()) == 413
    assert check(site, "POST", "/v2/images", JSON, json.dumps({"tags": [*range(400_000)]}).encode()) == 413
    assert check(site, "POST", "/v2/images", JSON, json.dumps({"tags": [*range(5000)]}).encode()) == 400
    changes = [{"op": "add", "path": f"/p{number}", "value": "x"} for number in range(20_000)]
    assert check(site, "PATCH", f"/v2/images/{image}", PATCH, json.dumps(changes).encode()) == 413
    for length in (256, 65_000):
        for body in ({"name": "n" * length}, {"n" * length: "v"}, {"tags": ["t" * length]}, {"id": "0" * length}):
            assert check(site, "POST", "/v2/images", JSON, json.dumps(body).encode()) == 400
        assert check(site, "PUT", f"/v2/images/{image}/tags/{'t' * length}") in (400, 414, 999)
        assert check(site, "GET", f"/v2/images/{'i' * length}") in (404, 414, 999)


def test_hundreds_of_filters(site: Site, image: str) -> None:
    """PostgreSQL planned hundreds of them for minutes, SQLite refused a thousand."""
    for number in (33, 500, 3000):
        assert check(site, "GET", "/v2/images?" + "&".join(f"tag=t{each}" for each in range(number))) == 400
        assert check(site, "GET", "/v2/images?" + "&".join(f"p{each}=1" for each in range(number))) == 400
        assert check(site, "GET", "/v2.1/images?" + "&".join(f"property-p{each}=1" for each in range(number))) == 400
    assert check(site, "GET", "/v2/images?name=in:" + ",".join(["same"] * 8000)) == 200
    assert check(site, "GET", "/v2/images?id=in:" + ",".join(f"{each:06}" for each in range(5000))) == 400
    assert check(site, "GET", "/v2/images?" + "&".join(["sort_key=name"] * 2000)) == 200


def test_methods_and_targets(site: Site, image: str) -> None:
    for method in ("FOO", "TRACE", "CONNECT", "get", "OPTIONS", "PUT", "HEAD", "A" * 300, "M-SEARCH", "PRI"):
        for path in (
            "/v2/images",
            f"/v2.1/images/{image}",
            "/v3/auth/tokens",
            "/",
            "*",
            "/v2",
            "/v2.1/",
            "//v2//images//",
        ):
            check(site, method, path)
    for path in (
        "http://x/v2/images",
        "v2",
        "",
        "/" * 5000,
        "/v2/images" + "/a" * 5000,
        "/v2.1/" + "0" * 5000 + "/images",
    ):
        check(site, "GET", path)


def test_what_is_no_http(site: Site, image: str) -> None:
    chance = random.Random(7)
    texts = [
        b"\r\n\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"GET /v2/images HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\x00: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA\xff: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 2_000_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"".join(b"X%d: y\r\n" % each for each in range(3000)) + b"\r\n",
        *(chance.randbytes(chance.randrange(1, 3000)) + b"\r\n\r\n" for _ in range(40)),
    ]
    for text in texts:
        with Raw(site.port, timeout=0.5) as client, suppress(ConnectionError, TimeoutError, ValueError, IndexError):
            client.send(text)
            status = client.answer().status
            assert status < 500 or status in (501, 505), text


@pytest.mark.parametrize("seed", [1])
@pytest.mark.parametrize("make", [image_request, compute_request, identity_request])
def test_chance(
    site: Site, image: str, make: Callable[[Chance, str, str], tuple[str, str, dict[str, str], bytes]], seed: int
) -> None:
    chance = Chance(seed)
    project = site.server.personas["demo"].project_id
    statuses = set()
    for _ in range(REQUESTS):
        method, path, headers, body = make(chance, image, project)
        statuses.add(check(site, method, path, headers, body))
    assert len(statuses) > 2, "All the requests were refused for the same reason."


def test_a_head_in_pieces(site: Site, image: str) -> None:
    """Byte by byte is slow and no crime."""
    with Raw(site.port) as client:
        for byte in head("GET", f"/v2/images/{image}", {"X-Auth-Token": site.token}):
            client.send(bytes([byte]))
        assert client.answer().status == 200
