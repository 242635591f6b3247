"""Reading from other people's servers, the worst of them included; the servers are real, and on loopback."""

import asyncio
import contextlib
import gzip
import logging
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calotype.images.errors import StorageUnavailable
from calotype.settings import Uris
from calotype.stores.fetch import Fetcher, FetchFailed
from calotype.stores.uris import UriRefused
from tests.support.remote import Act, Remote, answer, body, failure, opened, read, rules

DATA = bytes(range(256)) * 1024

NO_TIME = "The remote server did not answer in time."
NO_CONNECTION = "The remote server cannot be connected to."
BROKEN = "The remote server broke its answer off, or broke HTTP's rules."
OTHER_PART = "The remote server sent another part of the data than it was asked for."


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    async with opened() as found:
        yield found


# ---------------------------------------------------------------- as it should be


async def test_a_whole_file(fetcher: Fetcher) -> None:
    async with (
        Remote(answer(body=DATA, content_type="application/x-qemu-disk")) as remote,
        fetcher.get(f"{remote.url}/a%20b?c=d#e", {"X-Auth-Token": "t"}) as got,
    ):
        assert (got.status, got.size, got.total, got.start) == (200, len(DATA), len(DATA), 0)
        assert got.headers["content-type"] == "application/x-qemu-disk"
        assert got.url == f"{remote.url}/a%20b?c=d"
        assert await body(got) == DATA
    lines = remote.heads[0].split("\r\n")
    assert lines[0] == "GET /a%20b?c=d HTTP/1.1"
    assert sorted(line for line in lines[1:] if line and not line.startswith("User-Agent: calotype/")) == [
        "Accept-Encoding: identity",
        f"Host: 127.0.0.1:{remote.port}",
        "X-Auth-Token: t",
    ]


async def test_a_chunked_file_has_no_size(fetcher: Fetcher) -> None:
    chunked = answer(transfer_encoding="chunked") + b"5\r\nhello\r\n1;x=y\r\n!\r\n0\r\nX-Trailer: 1\r\n\r\n"
    async with Remote(chunked) as remote, fetcher.get(remote.url) as got:
        assert (got.size, got.total) == (None, None)
        assert await body(got) == b"hello!"


async def test_a_file_that_ends_with_the_connection(fetcher: Fetcher) -> None:
    async with Remote(b"HTTP/1.0 200 OK\r\n\r\nhello") as remote, fetcher.get(remote.url) as got:
        assert got.size is None
        assert await body(got) == b"hello"


async def test_an_empty_file(fetcher: Fetcher) -> None:
    async with Remote(answer()) as remote, fetcher.get(remote.url) as got:
        assert (got.size, await body(got)) == (0, b"")


async def test_head(fetcher: Fetcher) -> None:
    async with Remote(answer(content_length="7")) as remote, fetcher.head(remote.url) as got:
        assert (got.size, await body(got)) == (7, b"")
    assert remote.paths == ["HEAD /"]


async def test_interim_answers_are_passed_over(fetcher: Fetcher) -> None:
    async with Remote(b"HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n" + answer(body=b"x")) as remote:
        assert await read(fetcher, remote.url) == b"x"


@pytest.mark.parametrize(
    ("start", "stop", "line"),
    [(5, None, "bytes=5-"), (None, 9, "bytes=0-8"), (5, 9, "bytes=5-8"), (0, 1, "bytes=0-0")],
)
async def test_a_part(fetcher: Fetcher, start: int | None, stop: int | None, line: str) -> None:
    first = start or 0
    part = answer(
        "206 Partial Content", DATA[first:stop], content_range=f"bytes {first}-{stop or len(DATA)}/{len(DATA)}"
    )
    async with Remote(part) as remote, fetcher.get(remote.url, start=start, stop=stop) as got:
        assert (got.start, got.total) == (first, len(DATA))
        assert await body(got) == DATA[first:stop]
    assert f"Range: {line}\r\n" in remote.heads[0]


async def test_a_server_may_ignore_that_a_part_is_wanted(fetcher: Fetcher) -> None:
    async with Remote(answer(body=DATA)) as remote, fetcher.get(remote.url, start=5) as got:
        assert (got.status, got.start, got.total) == (200, 0, len(DATA))


# ---------------------------------------------------------------- the filter, and where it connects


async def test_a_url_that_is_refused_is_not_connected_to() -> None:
    async with Remote(answer(body=b"secret")) as remote, opened(Uris(allowed_ports=())) as fetcher:
        with pytest.raises(UriRefused) as refused:
            await read(fetcher, remote.url)
    assert refused.value.reason == "host 127.0.0.1 has the address 127.0.0.1, which is not public"
    assert remote.heads == []


async def test_a_name_that_changes_its_address_leads_nowhere_else() -> None:
    """DNS rebinding: the first answer is allowed, all later ones are not, and lead to another server."""
    asked: list[str] = []

    def rebinding(host: str) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    fetcher = Fetcher(rules(allowed_networks=("127.0.0.1/32",)), rebinding)
    async with AsyncExitStack() as running:
        public = await running.enter_async_context(Remote(answer(body=b"public")))
        inside = await running.enter_async_context(Remote(answer(body=b"secret"), "127.0.0.2", public.port))
        url = f"http://rebinding.example:{public.port}/"
        assert await read(fetcher, url) == b"public"
        assert asked == ["rebinding.example"]
        with pytest.raises(UriRefused):
            await read(fetcher, url)
        await fetcher.close()
    assert f"Host: rebinding.example:{public.port}\r\n" in public.heads[0]
    assert inside.heads == []


async def test_the_next_address_is_tried(fetcher: Fetcher) -> None:
    async with Remote(answer(body=b"x")) as remote, opened(mirror=["127.0.0.9", "127.0.0.1"]) as fetcher:
        assert await read(fetcher, f"http://mirror.example:{remote.port}/") == b"x"


async def test_proxies_of_the_environment_are_not_used(fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Remote(answer(body=b"proxy")) as proxy, Remote(answer(body=b"x")) as remote:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        assert await read(fetcher, remote.url) == b"x"
    assert proxy.heads == []


# ---------------------------------------------------------------- servers that fail


@pytest.mark.parametrize("status", [201, 204, 206, 300, 304, 401, 404, 416, 500, 503])
async def test_other_statuses(fetcher: Fetcher, status: int) -> None:
    async with Remote(f"HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n".encode()) as remote:
        with pytest.raises(StorageUnavailable) as failed:
            await read(fetcher, remote.url)
    assert failed.value.text == f"The remote server answered with status {status}."
    assert isinstance(failed.value, FetchFailed)
    assert failed.value.status == status


async def test_encoded_data(fetcher: Fetcher) -> None:
    encoded = answer(body=gzip.compress(b"x"), content_encoding="gzip")
    assert await failure(fetcher, encoded) == "The remote server sent encoded data although it was asked not to."


async def test_data_that_is_not_encoded_may_say_so(fetcher: Fetcher) -> None:
    async with Remote(answer(body=b"x", content_encoding="Identity")) as remote:
        assert await read(fetcher, remote.url) == b"x"


@pytest.mark.parametrize(
    "found", ["bytes 4-9/100", "bytes */100", "items 5-9/100", "bytes 5-9", "bytes 5-9/" + "1" * 5000]
)
async def test_another_part_than_the_wanted(fetcher: Fetcher, found: str) -> None:
    async with Remote(answer("206 Partial Content", b"hello", content_range=found)) as remote:
        with pytest.raises(FetchFailed, match=OTHER_PART):
            async with fetcher.get(remote.url, start=5):
                pass


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\x00\xff\x16\x03\x01",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"220 mail.example ESMTP\r\n",
        b"<html>hello</html>",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nBad Header: 1\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: \x00\r\n\r\nhello",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 99999 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 300_000,
        # truncated
        answer(body=b"hello", content_length="6"),
        answer(body=DATA, content_length=str(len(DATA) + 1)),
        answer(transfer_encoding="chunked") + b"5\r\nhello\r\n",
        answer(transfer_encoding="chunked") + b"5\r\nhel",
    ],
)
async def test_answers_that_are_none_or_end_early(fetcher: Fetcher, sent: bytes) -> None:
    assert await failure(fetcher, sent) == BROKEN


SCRAPS = st.sampled_from(
    [
        *(b"HTTP/1.1 ", b"HTTP/1.0 ", b"HTTP/2 ", b"200 OK", b"206 x", b"302 x", b"100 x", b" ", b":", b"\r\n", b"\n"),
        *(b"Content-Length: ", b"Transfer-Encoding: chunked", b"Content-Encoding: ", b"Content-Range: bytes 0-1/2"),
        *(b"Location: ", b"http://127.0.0.1:1/", b"//[", b"Connection: close", b"0", b"5", b"-1", b"\x00", b"\xff"),
        *(b"\r\n\r\n", b"hello", b"5\r\nhello\r\n", b"0\r\n\r\n", b"gzip", b"\t", b","),
    ]
)
HEADS = st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 206 x\r\n", b"HTTP/1.1 302 x\r\nLocation: "])


@given(sent=st.builds(bytes.__add__, HEADS, st.lists(SCRAPS | st.binary(max_size=9), max_size=12).map(b"".join)))
def test_whatever_a_server_sends_is_read_or_refused(sent: bytes) -> None:
    async def ask() -> None:
        async with Remote(sent) as remote, opened(rules(redirects=1)) as fetcher:
            with contextlib.suppress(FetchFailed, UriRefused):
                async with fetcher.get(remote.url, start=0) as got:
                    assert len(await body(got)) <= len(sent)

    asyncio.run(ask())


async def test_what_follows_the_announced_data_is_not_read(fetcher: Fetcher) -> None:
    async with Remote(answer(body=b"hello, world", content_length="5")) as remote:
        assert await read(fetcher, remote.url) == b"hello"


async def endless_fields(head: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(10**6):
        writer.write(b"X-%d: %s\r\n" % (number, b"x" * 1000))
        await writer.drain()


async def endless_interim(head: str, writer: asyncio.StreamWriter) -> None:
    for _ in range(10**7):
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)
        await writer.drain()


async def one_byte_at_a_time(head: str, writer: asyncio.StreamWriter) -> None:
    for byte in answer(body=b"x", x_padding="x" * 1000):
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.05)


async def silence(head: str, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3)


async def half_a_body(head: str, writer: asyncio.StreamWriter) -> None:
    writer.write(answer(body=b"hello", content_length="10"))
    await writer.drain()
    await asyncio.sleep(3)


@pytest.mark.parametrize(
    ("act", "text"),
    [
        (endless_fields, BROKEN),
        (endless_interim, NO_TIME),
        (one_byte_at_a_time, NO_TIME),
        (silence, NO_TIME),
        (half_a_body, NO_TIME),
    ],
)
async def test_servers_that_do_not_come_to_an_end(act: Act, text: str) -> None:
    started = time.monotonic()
    async with opened(rules(read_seconds=0.3)) as fetcher:
        assert await failure(fetcher, act) == text
    assert time.monotonic() - started < 2


async def test_nobody_listens(fetcher: Fetcher) -> None:
    async with Remote(b"") as gone:
        pass
    with pytest.raises(FetchFailed, match=NO_CONNECTION):
        await read(fetcher, gone.url)


async def test_a_host_that_does_not_answer_at_all() -> None:
    with contextlib.ExitStack() as kept:
        full = kept.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):  # fill the queue of those who want to connect; the kernel drops the next one's wish
            waiting = kept.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        await asyncio.sleep(0.05)
        async with opened(rules(connect_seconds=0.2)) as fetcher:
            started = time.monotonic()
            with pytest.raises(FetchFailed, match=NO_TIME):
                await read(fetcher, f"http://127.0.0.1:{full.getsockname()[1]}/")
            assert time.monotonic() - started < 1


# ---------------------------------------------------------------- leaving


async def endless_body(head: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    for _ in range(10**5):
        writer.write(DATA)
        await writer.drain()


async def test_one_may_leave_an_endless_body(fetcher: Fetcher) -> None:
    async with Remote(endless_body) as remote:
        async with fetcher.get(remote.url) as got, contextlib.aclosing(got.chunks()) as chunks:
            assert len(await anext(chunks)) <= 65536
        await asyncio.wait_for(remote.left.wait(), 2)


@pytest.mark.parametrize("act", [endless_body, half_a_body, silence])
async def test_a_cancelled_reader_leaves_nothing_open(fetcher: Fetcher, act: Act) -> None:
    async with Remote(act) as remote:
        reading = asyncio.create_task(read(fetcher, remote.url))
        await asyncio.sleep(0.05)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await asyncio.wait_for(remote.left.wait(), 1)


async def test_the_callers_own_errors_stay_what_they_are(fetcher: Fetcher) -> None:
    async with Remote(answer(body=b"x")) as remote:
        with pytest.raises(TimeoutError, match="mine"):
            async with fetcher.get(remote.url):
                raise TimeoutError("mine")


async def test_the_log_has_no_more_of_a_url_than_the_host(fetcher: Fetcher, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with Remote(answer("404 Not Found")) as remote:
        with pytest.raises(FetchFailed):
            async with fetcher.get(f"{remote.url}/?signature=hunter2", {"X-Auth-Token": "hunter3"}):
                pass
    assert f"reading from 127.0.0.1:{remote.port}: status 404" in caplog.text
    assert "hunter" not in caplog.text
