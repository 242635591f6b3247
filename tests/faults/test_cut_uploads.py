"""An upload that ends before its end never makes an active image and leaves nothing behind."""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

import pytest

from tests.support.attacked import OCTETS, PATCH, Site, eventually
from tests.support.raw import Raw
from tests.support.threads import together

DATA = bytes(range(256)) * 8192  # 2 MiB: more than one block
HALF = len(DATA) // 2
CHUNKED = {"Transfer_Encoding": "chunked"}


def whole(length: int = len(DATA)) -> dict[str, str]:
    """The headers of a body of known length."""
    return {"Content_Length": str(length)}


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


# Name: headers, the bytes sent, and how the connection ends: "close", "reset", or "" when the server ends the matter.
CUTS: dict[str, tuple[dict[str, str], bytes, str]] = {
    "nothing of a known length": (whole(), b"", "close"),
    "one byte of a known length": (whole(), DATA[:1], "close"),
    "half of a known length": (whole(), DATA[:HALF], "close"),
    "all but a byte of a known length": (whole(), DATA[:-1], "close"),
    "half of a known length, reset": (whole(), DATA[:HALF], "reset"),
    "all but a byte, reset": (whole(), DATA[:-1], "reset"),
    "no chunk": (CHUNKED, b"", "close"),
    "half a size line": (CHUNKED, chunk(DATA[:100]) + b"10", "close"),
    "half a chunk": (CHUNKED, b"%x\r\n" % len(DATA) + DATA[:HALF], "close"),
    "half a chunk, reset": (CHUNKED, b"%x\r\n" % len(DATA) + DATA[:HALF], "reset"),
    "a chunk without its end of line": (CHUNKED, b"%x\r\n" % len(DATA) + DATA, "close"),
    "no last chunk": (CHUNKED, chunk(DATA), "close"),
    "no last chunk, reset": (CHUNKED, chunk(DATA), "reset"),
    "half a last chunk": (CHUNKED, chunk(DATA) + b"0\r\n", "close"),
    "a size that is no number": (CHUNKED, chunk(DATA) + b"zz\r\n", ""),
    "a size that is too large": (CHUNKED, chunk(DATA) + b"f" * 30 + b"\r\n", ""),
    "a negative size": (CHUNKED, chunk(DATA) + b"-5\r\nabcde\r\n", ""),
    "a chunk longer than its size": (CHUNKED, b"5\r\nabcdefgh\r\n0\r\n\r\n", ""),
    "an announced size larger than the body": (
        {**whole(), "X_OpenStack_Image_Size": str(len(DATA) + 1)}, DATA, "",
    ),
    "an announced size smaller than the body": (
        {**whole(), "X_OpenStack_Image_Size": str(len(DATA) - 1)}, DATA, "",
    ),
    "an announced size larger than the chunks": (
        {**CHUNKED, "X_OpenStack_Image_Size": str(len(DATA) + 1)}, chunk(DATA) + b"0\r\n\r\n", "",
    ),
    "an announced size smaller than the chunks": (
        {**CHUNKED, "X_OpenStack_Image_Size": "5"}, chunk(DATA) + b"0\r\n\r\n", "",
    ),
    "an announced size, cut at exactly it": (
        {**CHUNKED, "X_OpenStack_Image_Size": str(len(DATA))}, chunk(DATA), "close",
    ),
}  # fmt: skip


def queued_and_clean(site: Site, image: str, before: set[str]) -> None:
    """Assert that nothing is left of the upload, and that another one succeeds."""
    assert site.status(image, "queued") == "queued"
    found = site.show(image)
    assert (found["size"], found["checksum"], found["os_hash_value"]) == (None, None, None)
    assert site.only(before) == before
    assert site.put(image, DATA).status_code == 204
    assert site.show(image)["checksum"] == hashlib.md5(DATA).hexdigest()
    assert site.data(image) == DATA


@pytest.mark.parametrize("cut", CUTS)
def test_a_cut_upload_leaves_a_queued_image(sqlite_site: Site, cut: str) -> None:
    headers, sent, end = CUTS[cut]
    before, image = sqlite_site.files(), sqlite_site.image()
    with Raw(sqlite_site.port) as client:
        client.request(*sqlite_site.upload_head(image, **headers))
        try:
            client.send(sent)
            if end == "reset":
                time.sleep(0.05)
                client.reset()
            elif not end:
                assert client.answer().status == 400
        except ConnectionError:
            assert not end, "the server gave up on a client that was still sending"
    queued_and_clean(sqlite_site, image, before)


def test_a_cut_upload_on_postgresql(start: Callable[..., Site]) -> None:
    site = start("postgresql")
    image = site.image()
    with Raw(site.port) as client:
        client.request(*site.upload_head(image, **whole()), DATA[:HALF])
        assert site.status(image, "saving") == "saving"
    queued_and_clean(site, image, set())


def test_a_stalled_client_that_goes_away(sqlite_site: Site) -> None:
    before, image = sqlite_site.files(), sqlite_site.image()
    with Raw(sqlite_site.port) as client:
        client.request(*sqlite_site.upload_head(image, **whole()), DATA[:HALF])
        assert sqlite_site.status(image, "saving") == "saving"
        time.sleep(1.0)
        assert sqlite_site.show(image)["status"] == "saving"
    queued_and_clean(sqlite_site, image, before)


def test_the_body_is_asked_for_only_when_it_is_wanted(sqlite_site: Site) -> None:
    image = sqlite_site.image()
    method, path, headers = sqlite_site.upload_head(image, Expect="100-continue", **whole())
    with Raw(sqlite_site.port) as client:
        client.request(method, path, headers)
        assert client.interim() == 100
        assert client.send(DATA).answer().status == 204
    with Raw(sqlite_site.port) as client:
        assert client.request(method, path, headers).interim() == 409
    assert sqlite_site.data(image) == DATA


def test_bytes_beyond_the_body_are_another_request(sqlite_site: Site) -> None:
    image = sqlite_site.image()
    with Raw(sqlite_site.port) as client:
        client.request(*sqlite_site.upload_head(image, **whole(5)), b"12345GARBAGE\r\n\r\n")
        status = client.answer().status  # 400 of a server that reads ahead, as uvicorn does
        assert status in (204, 400)
        with suppress(ConnectionError):
            assert client.answer().status == 400
    if status == 204:
        assert sqlite_site.data(image) == b"12345"
    else:
        assert sqlite_site.status(image, "queued") == "queued"


def test_pipelined_requests_are_answered_in_order(sqlite_site: Site) -> None:
    image = sqlite_site.image()
    token = {"X-Auth-Token": sqlite_site.token}
    with Raw(sqlite_site.port) as client:
        client.request(*sqlite_site.upload_head(image, **whole()), DATA)
        client.request("GET", f"/v2/images/{image}/file", token)
        client.request("DELETE", f"/v2/images/{image}", token)
        client.request("GET", f"/v2/images/{image}/file", token)
        assert client.answer().status == 204
        assert client.answer().body == DATA
        assert [client.answer().status, client.answer().status] == [204, 404]


@pytest.mark.parametrize(
    "headers", [{"Content_Length": "5, 6"}, {"Transfer_Encoding": "gzip"}, {**whole(5), **CHUNKED}]
)
def test_a_body_with_two_lengths_hides_no_request(sqlite_site: Site, headers: dict[str, str]) -> None:
    """Two readings of one request are how requests are smuggled past a proxy: the connection ends after the first."""
    image = sqlite_site.image()
    with Raw(sqlite_site.port) as client:
        client.request(*sqlite_site.upload_head(image, **headers), b"0\r\n\r\nGET /v2/images HTTP/1.1\r\n\r\n")
        with suppress(ConnectionError):
            # RFC 9112 6.3 lets a server go by Transfer-Encoding, if it closes the connection.
            assert client.answer().status in ((204, 400) if len(headers) == 2 else (400, 501))
        assert client.ended()
    if len(headers) == 1:
        assert sqlite_site.status(image, "queued") == "queued"


def test_of_two_uploads_one_wins(site: Site) -> None:
    for _ in range(5):
        image = site.image()
        bodies = [bytes([number]) * len(DATA) for number in range(4)]
        answers = together(partial(site.put, image, body) for body in bodies)
        statuses = [answer.status_code for answer in answers]
        assert sorted(statuses) == [204, 409, 409, 409]
        winner = statuses.index(204)
        assert site.data(image) == bodies[winner]
        assert site.show(image)["checksum"] == hashlib.md5(bodies[winner]).hexdigest()


@pytest.fixture
def half_way(site: Site) -> Iterator[tuple[str, Raw]]:
    """An image, and the connection on which the first half of its data was sent."""
    image = site.image()
    with Raw(site.port) as client:
        client.request(*site.upload_head(image, **whole()), DATA[:HALF])
        assert site.status(image, "saving") == "saving"
        yield image, client


def test_an_image_deleted_while_it_is_uploaded(site: Site, half_way: tuple[str, Raw]) -> None:
    image, client = half_way
    with site.server.client() as api:
        assert api.delete(f"/v2/images/{image}").status_code == 204
        assert client.send(DATA[HALF:]).answer().status == 410
        assert api.get(f"/v2/images/{image}").status_code == 404
    assert eventually(lambda: not [name for name in site.files() if image in name], 5)


def test_an_image_changed_while_it_is_uploaded(site: Site, half_way: tuple[str, Raw]) -> None:
    image, client = half_way
    change = [{"op": "add", "path": "/colour", "value": "blue"}, {"op": "replace", "path": "/name", "value": "new"}]
    with site.server.client() as api:
        assert api.patch(f"/v2/images/{image}", json=change, headers=PATCH).status_code == 200
        assert api.put(f"/v2/images/{image}/tags/tagged").status_code == 204
        assert api.put(f"/v2/images/{image}/file", content=b"other", headers=OCTETS).status_code == 409
        assert api.get(f"/v2/images/{image}/file").status_code == 204
    assert client.send(DATA[HALF:]).answer().status == 204
    found = site.show(image)
    assert [found[name] for name in ("status", "colour", "name", "tags")] == ["active", "blue", "new", ["tagged"]]
    assert site.data(image) == DATA


@pytest.mark.parametrize("ranged", [False, True])
def test_an_image_deleted_while_it_is_read(site: Site, ranged: bool) -> None:
    """The reader gets all of the bytes or a broken connection, never others."""
    data = DATA * 8
    image = site.image()
    assert site.put(image, data).status_code == 204
    headers = {"X-Auth-Token": site.token, **({"Range": "bytes=0-"} if ranged else {})}
    with Raw(site.port, receive_buffer=4096) as client:
        client.request("GET", f"/v2/images/{image}/file", headers)
        time.sleep(0.2)
        with site.server.client() as api:
            assert api.delete(f"/v2/images/{image}").status_code == 204
        with suppress(ConnectionError):
            assert client.answer().body == data


def test_an_image_deactivated_while_it_is_read(sqlite_site: Site) -> None:
    data = DATA * 8
    image = sqlite_site.image()
    assert sqlite_site.put(image, data).status_code == 204
    with Raw(sqlite_site.port, receive_buffer=4096) as client, sqlite_site.server.client() as api:
        client.request("GET", f"/v2/images/{image}/file", {"X-Auth-Token": sqlite_site.token})
        time.sleep(0.1)
        assert api.post(f"/v2/images/{image}/actions/deactivate").status_code == 204
        assert api.get(f"/v2/images/{image}/file").status_code == 403
        assert api.post(f"/v2/images/{image}/actions/reactivate").status_code == 204
        assert client.answer().body == data
