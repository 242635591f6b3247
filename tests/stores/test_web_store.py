"""The read-only store over http: sizes and parts, from servers that know HEAD and Range and from those that do not."""

import asyncio
import contextlib
import functools
import http.server
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from calotype.images.errors import StorageUnavailable
from calotype.stores.fetch import Fetcher, FetchFailed
from calotype.stores.uris import UriRefused
from calotype.stores.web import WebStore
from tests.support.remote import Act, Remote, answer, rules

DATA = bytes(range(256)) * 1000


@pytest.fixture
async def store() -> AsyncIterator[WebStore]:
    fetcher = Fetcher(rules())
    await fetcher.open()
    yield WebStore(fetcher)
    await fetcher.close()


async def read(store: WebStore, url: str, start: int = 0, stop: int | None = None) -> bytes:
    return b"".join([chunk async for chunk in store.read(url, start, stop)])


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("files")
    (directory / "image").write_bytes(DATA)
    (directory / "empty").write_bytes(b"")
    return directory


@pytest.fixture(scope="module")
def without_ranges(files: Path) -> Iterator[str]:
    """Python's own server, which knows no parts."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=files)) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def with_ranges(files: Path) -> Iterator[str]:
    """A server that knows parts."""
    server = uvicorn.Server(
        uvicorn.Config(Starlette(routes=[Mount("/", StaticFiles(directory=files))]), port=0, log_level="error")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture(params=["with_ranges", "without_ranges"])
def site(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(request.param)
    return url


async def test_sizes(store: WebStore, site: str) -> None:
    assert await store.size(f"{site}/image") == len(DATA)
    assert await store.size(f"{site}/empty") == 0
    assert await store.size(f"{site}/none") is None


@pytest.mark.parametrize(
    ("start", "stop"),
    [
        (0, None),
        (0, len(DATA)),
        (0, 1),
        (1, None),
        (len(DATA) - 1, None),
        (65536, 65537),
        (65535, 131073),
        (len(DATA) - 5, len(DATA)),
        (7, 7),
        (9, 3),
    ],
)
async def test_parts(store: WebStore, site: str, start: int, stop: int | None) -> None:
    assert await read(store, f"{site}/image", start, stop) == DATA[start:stop]


@given(start=st.integers(0, len(DATA)), length=st.integers(0, len(DATA)))
def test_any_part(with_ranges: str, without_ranges: str, start: int, length: int) -> None:
    stop = min(start + length, len(DATA))

    async def both() -> list[bytes]:
        store = WebStore(Fetcher(rules()))
        return [await read(store, f"{site}/image", start, stop) for site in (with_ranges, without_ranges)]

    assert asyncio.run(both()) == [DATA[start:stop]] * 2


@pytest.mark.parametrize("stop", [None, len(DATA) + 1, len(DATA) + 10])
async def test_a_part_that_is_not_there(store: WebStore, site: str, stop: int | None) -> None:
    with pytest.raises(StorageUnavailable):
        await read(store, f"{site}/image", len(DATA) + 1 if stop is None else 5, stop)


async def test_what_is_not_there(store: WebStore, site: str) -> None:
    with pytest.raises(FetchFailed, match="status 404"):
        await read(store, f"{site}/none")


def by_method(head: bytes, get: bytes) -> Act:
    async def act(request: str, writer: asyncio.StreamWriter) -> None:
        writer.write(head if request.startswith("HEAD") else get)
        await writer.drain()

    return act


PART = answer("206 Partial Content", b"a", content_range="bytes 0-0/77")
NO_PART = answer("416 Range Not Satisfiable", content_range="bytes */0")


@pytest.mark.parametrize(
    ("head", "get", "size"),
    [
        (answer(content_length="77"), b"", 77),
        (answer("405 Method Not Allowed"), PART, 77),
        (answer("501 Not Implemented"), answer(body=b"x" * 77), 77),
        (answer("403 Forbidden"), PART, 77),  # a URL signed for GET
        (answer("404 Not Found"), PART, 77),
        (answer(content_length="0"), PART, 77),
        (answer(transfer_encoding="chunked"), PART, 77),
        (answer(content_length="0"), NO_PART, 0),
        (answer("404 Not Found"), answer("404 Not Found"), None),
        (answer("405 Method Not Allowed"), answer("410 Gone"), None),
    ],
)
async def test_sizes_where_head_is_of_no_use(store: WebStore, head: bytes, get: bytes, size: int | None) -> None:
    async with Remote(by_method(head, get)) as remote:
        assert await store.size(remote.url) == size
    assert len(remote.heads) == (1 if not get else 2)


@pytest.mark.parametrize(
    ("get", "text"),
    [
        (answer("500 Oops"), "status 500"),
        (answer(transfer_encoding="chunked") + b"0\r\n\r\n", "does not tell the size"),
        (answer("206 Partial Content", b"a", content_range="bytes 0-0/*"), "does not tell the size"),
        (answer("206 Partial Content", b"a", content_range="bytes 1-1/77"), "another part"),
    ],
)
async def test_no_size(store: WebStore, get: bytes, text: str) -> None:
    async with Remote(by_method(answer("405 Method Not Allowed"), get)) as remote:
        with pytest.raises(StorageUnavailable, match=text):
            await store.size(remote.url)


@pytest.mark.parametrize(
    ("start", "stop", "sent"),
    [
        (2, 9, answer("206 Partial Content", b"cde", content_range="bytes 2-4/26")),
        (2, None, answer("206 Partial Content", b"cde", content_range="bytes 2-4/26")),
        (2, 9, answer(body=b"abcdef")),
        (9, None, answer(body=b"abc")),
        (9, 12, answer(transfer_encoding="chunked") + b"3\r\nabc\r\n0\r\n\r\n"),
    ],
)
async def test_less_than_was_asked_for(store: WebStore, start: int, stop: int | None, sent: bytes) -> None:
    async with Remote(sent) as remote:
        with pytest.raises(StorageUnavailable, match="less data"):
            await read(store, remote.url, start, stop)


async def test_more_than_was_asked_for(store: WebStore) -> None:
    async with Remote(answer("206 Partial Content", b"cdefgh", content_range="bytes 2-7/26")) as remote:
        assert await read(store, remote.url, 2, 4) == b"cd"


async def test_a_url_that_may_not_be_read() -> None:
    store = WebStore(Fetcher(rules(allowed_networks=())))
    with pytest.raises(UriRefused):
        await store.size("http://127.0.0.1/")
    with pytest.raises(UriRefused):
        await read(store, "http://127.0.0.1/")


async def test_one_may_leave_early(store: WebStore) -> None:
    async with Remote(answer(body=DATA)) as remote:
        async with contextlib.aclosing(store.read(remote.url)) as chunks:
            assert DATA.startswith(await anext(chunks))
        await asyncio.wait_for(remote.left.wait(), 2)
