"""Reading over TLS: who is trusted, and what a redirect may not give up."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from calotype.stores.fetch import Fetcher, FetchFailed
from calotype.stores.uris import UriRefused
from tests.support.certified import Certified
from tests.support.remote import Remote, answer, moved, read, rules

NOT_TRUSTED = "The remote server's TLS or certificate is not trusted."


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Certified:
    return Certified(tmp_path_factory.mktemp("certificates"))


async def opened(**settings: object) -> Fetcher:
    fetcher = Fetcher(rules(**settings), lambda host: ["127.0.0.1"])
    await fetcher.open()
    return fetcher


@pytest.fixture
async def trusting(certified: Certified, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Fetcher]:
    """A fetcher whose host trusts the certificate."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certified.file))
    fetcher = await opened()
    yield fetcher
    await fetcher.close()


async def test_a_trusted_server_is_asked_by_its_name(trusting: Fetcher, certified: Certified) -> None:
    async with Remote(answer(body=b"x"), tls=certified.context) as remote:
        assert await read(trusting, f"https://Mirror.example.:{remote.port}/") == b"x"
        assert await read(trusting, f"https://127.0.0.1:{remote.port}/") == b"x"
    assert certified.asked == ["mirror.example", None]
    assert f"Host: mirror.example:{remote.port}\r\n" in remote.heads[0]


async def test_another_name_than_the_certificates(trusting: Fetcher, certified: Certified) -> None:
    async with Remote(answer(body=b"x"), tls=certified.context) as remote:
        with pytest.raises(FetchFailed, match=NOT_TRUSTED):
            await read(trusting, f"https://other.example:{remote.port}/")
    assert remote.heads == []


async def test_a_certificate_that_nobody_trusts(certified: Certified) -> None:
    fetcher = await opened()
    async with Remote(answer(body=b"x"), tls=certified.context) as remote:
        with pytest.raises(FetchFailed, match=NOT_TRUSTED):
            await read(fetcher, f"https://mirror.example:{remote.port}/")
    await fetcher.close()
    assert remote.heads == []


async def test_plain_http_where_tls_is_wanted(trusting: Fetcher) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer())
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1") as server:
        with pytest.raises(FetchFailed, match=NOT_TRUSTED):
            await read(trusting, f"https://mirror.example:{server.sockets[0].getsockname()[1]}/")


async def test_a_server_that_does_not_begin_tls() -> None:
    fetcher = await opened(connect_seconds=0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(FetchFailed, match="in time"):
        await read(fetcher, f"https://mirror.example:{silent.getsockname()[1]}/")
    await fetcher.close()


async def test_a_reader_that_is_cancelled_while_tls_begins_leaves_nothing_open(trusting: Fetcher) -> None:
    async with Remote(b"") as silent:
        reading = asyncio.create_task(read(trusting, f"https://mirror.example:{silent.port}/"))
        await asyncio.sleep(0.1)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await asyncio.wait_for(silent.left.wait(), 1)


async def test_a_redirect_may_lead_to_tls_but_not_away_from_it(trusting: Fetcher, certified: Certified) -> None:
    async with Remote(answer(body=b"x"), tls=certified.context) as safe, Remote(moved(safe.url)) as plain:
        assert await read(trusting, plain.url) == b"x"
    async with Remote(answer(body=b"x")) as plain, Remote(moved(plain.url), tls=certified.context) as safe:
        with pytest.raises(UriRefused) as refused:
            await read(trusting, safe.url)
    assert refused.value.reason == "redirect from https to http at host 127.0.0.1"
    assert plain.heads == []


async def test_a_host_without_certificates_trusts_certifis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    fetcher = await opened()
    await fetcher.close()
    assert fetcher._tls is not None
    assert fetcher._tls.cert_store_stats()["x509_ca"] > 100
