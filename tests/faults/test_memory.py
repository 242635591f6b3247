"""Images of any size go in and out in bounded memory, whatever the pace of the client."""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.support.attacked import OCTETS, Site
from tests.support.raw import Raw
from tests.support.threads import together

MIB = 2**20
SIZE = 384 * MIB
PIECE = bytes(MIB - 1) + b"\1"
GROWTH = 250 * MIB


def resident(site: Site) -> int:
    """Bytes of memory that the workers hold, and ever held at once."""
    found = 0
    for pid in site.workers():
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        found += next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    return found


def pieces() -> Iterator[bytes]:
    """The data, chunked."""
    for _ in range(SIZE // MIB):
        yield PIECE


@pytest.fixture
def big(start: Callable[..., Site]) -> tuple[Site, str, int]:
    """A server with a large image, and what its workers held before the upload."""
    site = start("sqlite")
    image, before = site.image(), resident(site)
    with site.server.client() as api:
        answer = api.put(f"/v2/images/{image}/file", content=pieces(), headers=OCTETS, timeout=60)
        assert answer.status_code == 204
    assert resident(site) - before < GROWTH
    return site, image, before


def test_readers_fast_slow_and_stalled(big: tuple[Site, str, int]) -> None:
    site, image, before = big
    path, token = f"/v2/images/{image}/file", {"X-Auth-Token": site.token}
    with ExitStack() as open_:
        for headers in [token] * 4 + [{**token, "Range": "bytes=0-"}] * 4:
            stalled = open_.enter_context(Raw(site.port, receive_buffer=4096))
            stalled.request("GET", path, headers)
        time.sleep(1.0)
        digests = together([lambda: _digest(site, path)] * 2)
        for _ in range(20):  # others are served meanwhile
            started = time.monotonic()
            site.show(image)
            assert time.monotonic() - started < 1.0
    assert digests == [site.show(image)["checksum"]] * 2
    assert resident(site) - before < GROWTH


def _digest(site: Site, path: str) -> str:
    found = hashlib.md5()
    with site.server.client() as api, api.stream("GET", path) as answer:
        for piece in answer.iter_raw(MIB):
            found.update(piece)
    return found.hexdigest()


def test_a_client_that_sends_faster_than_the_server_stores(start: Callable[..., Site]) -> None:
    site = start("sqlite")
    before = resident(site)
    images = [site.image() for _ in range(4)]

    def upload(image: str) -> httpx.Response:
        with site.server.client() as api:
            data = (PIECE for _ in range(96))
            return api.put(f"/v2/images/{image}/file", content=data, headers=OCTETS, timeout=60)

    answers = together([lambda image=image: upload(image) for image in images])  # type: ignore[misc]
    assert [answer.status_code for answer in answers] == [204] * 4
    assert resident(site) - before < GROWTH
