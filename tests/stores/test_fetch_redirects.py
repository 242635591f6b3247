"""Redirects: followed by hand, each target as strictly judged as the first URL."""

from collections.abc import AsyncIterator

import pytest

from calotype.stores.fetch import Fetcher, FetchFailed
from calotype.stores.uris import UriRefused
from tests.support.remote import Remote, answer, by_path, failure, moved, opened, read, rules


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    async with opened() as found:
        yield found


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
async def test_redirects_are_followed(fetcher: Fetcher, status: str) -> None:
    act = by_path(root=moved("/b?x=\u00e4", status), b=moved("../c", status), c=answer(body=b"here"))
    async with Remote(act) as remote:
        assert await read(fetcher, remote.url) == b"here"
    assert remote.paths == ["GET /", "GET /b?x=%C3%A4", "GET /c"]


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://10.0.0.1/", "host 10.0.0.1 has the address 10.0.0.1, which is not public"),
        ("//169.254.169.254/latest", "host 169.254.169.254 has the address 169.254.169.254, which is not public"),
        ("http://[::ffff:10.0.0.1]/", "host 10.0.0.1 has the address 10.0.0.1, which is not public"),
        ("http://0x7f.1/", "has a host that is neither a name nor an address in standard form"),
        ("http://inside.example/", "host inside.example has the address 10.0.0.2, which is not public"),
        ("http://unknown.example/", "host unknown.example was not found: [Errno -2] not known"),
        ("file:///etc/passwd", "scheme file cannot be read"),
        ("gopher://mirror.example/", "scheme gopher cannot be read"),
        ("http://mirror.example:22/", "port 22 is not allowed"),
        ("http://me:hunter2@mirror.example/", "has a user name or password"),
        ("http://mirror.example\\@127.0.0.1/", "redirect at host 127.0.0.1 has a space or a backslash"),
        ("http://mirror.\texample/", "redirect at host 127.0.0.1 has a space or a backslash"),
        ("http://[", "redirect at host 127.0.0.1 cannot be understood"),
    ],
)
async def test_where_a_redirect_leads_passes_the_filter(location: str, reason: str) -> None:
    settings = rules(disallowed_ports=(22,))
    async with (
        Remote(moved(location)) as remote,
        opened(settings, mirror=["127.0.0.1"], inside=["10.0.0.2"]) as fetcher,
    ):
        with pytest.raises(UriRefused) as refused:
            await read(fetcher, remote.url)
    assert refused.value.reason == reason


@pytest.mark.parametrize("redirects", [0, 3])
async def test_redirects_end(redirects: int) -> None:
    async with Remote(moved("/")) as remote, opened(rules(redirects=redirects)) as fetcher:
        with pytest.raises(FetchFailed, match="redirects too often"):
            await read(fetcher, remote.url)
    assert len(remote.heads) == redirects + 1


async def test_a_redirect_to_nowhere(fetcher: Fetcher) -> None:
    assert await failure(fetcher, answer("302 Found")) == "The remote server redirects to nowhere."
    twice = b"HTTP/1.1 302 Found\r\nLocation: /a\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"
    assert await failure(fetcher, twice) == "The remote server redirects to nowhere."


async def test_what_a_caller_sends_stays_with_the_server_it_is_for(fetcher: Fetcher) -> None:
    async with Remote(answer(body=b"x" * 9)) as other:
        act = by_path(root=moved("/b"), b=answer("302 Found", location=other.url, set_cookie="a=b"))
        async with Remote(act) as remote, fetcher.get(remote.url, {"X-Auth-Token": "hunter2"}, start=3):
            pass
    assert all("X-Auth-Token: hunter2\r\n" in head for head in remote.heads)
    assert len(remote.heads) == 2
    assert "hunter2" not in other.heads[0]
    assert "cookie" not in other.heads[0].lower()
    assert "Range: bytes=3-\r\n" in other.heads[0]
