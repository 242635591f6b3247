"""Reads bytes from URLs that users name (spec: image-v2 13.3; docs/decisions/0010-reading-urls.md).

Each request has a connection of its own, made to an address that the filter judged, so a name that resolves otherwise
a moment later leads nowhere else. Nothing is taken from the environment: no proxy, no .netrc; no cookies are kept.
"""

import asyncio
import logging
import re
import ssl
import time
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import urljoin

import certifi
import httpcore

from calotype import __version__
from calotype.images.errors import StorageUnavailable
from calotype.settings import Uris
from calotype.stores.uris import Place, Resolve, UriFilter, UriRefused, system_addresses

log = logging.getLogger("calotype.fetch")

WINDOW_SECONDS = 30.0
"""How long a server is watched before it is called slow."""

_MOVED = (301, 302, 303, 307, 308)
_ADDRESSES = 8  # of one host, at the most, are tried
_NONE: Mapping[str, str] = {}
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,20})-([0-9]{1,20})/([0-9]{1,20}|\*)")


class FetchFailed(StorageUnavailable):
    """The remote server did not give what was asked of it; `status` is its answer's, None if there was none."""

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


class Answer:
    """What a remote server answers: 200, or 206 to a request for a part."""

    def __init__(self, place: Place, response: httpcore.Response) -> None:
        self._place = place
        self._response = response
        self.status = response.status
        """200 or 206."""
        self.headers = _headers(response)
        """By name in lower case; the values of repeated ones are joined with a comma."""
        self.size = _size(self.headers)
        """How many bytes the body is said to have (Content-Length), None if that is not said."""
        self.start = 0
        """Which byte of the whole the body begins with: 0 also if the server ignored the wanted range."""
        self.total = self.size
        """How many bytes the whole has, None if that is not said."""

    @property
    def url(self) -> str:
        """Who answered in the end."""
        return str(self._place.uri)

    async def chunks(self) -> AsyncGenerator[bytes]:
        """The body, in pieces of 64 KiB at the most, as endless as the server likes.

        Raises FetchFailed, at the end too if it is shorter than announced. Close it (`aclosing`) or read it to the end.
        """
        with _worded(self._place):
            async for chunk in self._response.aiter_stream():
                yield chunk


class Fetcher:
    """Reads URLs. `resolve` finds the addresses of a host name; it blocks, and raises OSError."""

    def __init__(self, settings: Uris, resolve: Resolve = system_addresses) -> None:
        self.uris = UriFilter(settings, resolve)
        """The rules that every URL has to pass."""
        self._settings = settings
        self._tls: ssl.SSLContext | None = None

    async def open(self) -> None:
        """Load the certificates that are trusted: the system's (or `SSL_CERT_FILE`'s), if it has none certifi's."""
        self._tls = await asyncio.to_thread(_trusted)

    async def close(self) -> None:
        """Nothing is held but threads that look up names."""
        await self.uris.close()

    def get(
        self, url: str, headers: Mapping[str, str] = _NONE, start: int | None = None, stop: int | None = None
    ) -> AbstractAsyncContextManager[Answer]:
        """Read a URL, or ask for its bytes from `start` up to and without `stop`; redirects are followed.

        `headers` go to the named scheme, host and port alone. Raises UriRefused, FetchFailed.
        """
        wanted = {**headers, "Range": _range(start or 0, stop)} if (start, stop) != (None, None) else headers
        return self._follow("GET", url, wanted)

    def head(self, url: str, headers: Mapping[str, str] = _NONE) -> AbstractAsyncContextManager[Answer]:
        """The same without the body; many servers refuse it."""
        return self._follow("HEAD", url, headers)

    @asynccontextmanager
    async def _follow(self, method: str, url: str, headers: Mapping[str, str]) -> AsyncGenerator[Answer]:
        place = await self.uris.place(url)
        for _ in range(self._settings.redirects + 1):
            async with self._ask(method, place, headers) as response:
                if response.status not in _MOVED:
                    yield _answer(place, response, headers)
                    return
                new = _target(place, response)
            moved = await self.uris.place(new)
            if (place.uri.scheme, moved.uri.scheme) == ("https", "http"):
                raise UriRefused(f"redirect from https to http at host {place.uri.host}")
            if moved.uri.origin != place.uri.origin:
                headers = {name: value for name, value in headers.items() if name == "Range"}
            place = moved
        raise _failed(place, "The remote server redirects too often.", f"more than {self._settings.redirects} times")

    @asynccontextmanager
    async def _ask(self, method: str, place: Place, headers: Mapping[str, str]) -> AsyncGenerator[httpcore.Response]:
        """One request on a connection of its own, up to the head of its answer."""
        uri = place.uri
        scheme, host, port = uri.origin
        url = httpcore.URL(scheme=scheme.encode(), host=host.encode(), port=port, target=uri.target.encode())
        own = {"Host": uri.authority, "Accept-Encoding": "identity", "User-Agent": f"calotype/{__version__}"}
        fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in {**headers, **own}.items()]
        seconds = self._settings.read_seconds
        timeouts = {"read": seconds, "write": seconds}
        with _worded(place):
            stream = await self._connect(place)
        connection = httpcore.AsyncHTTP11Connection(url.origin, stream)
        try:
            with _worded(place):
                async with asyncio.timeout(seconds):
                    response = await connection.handle_async_request(
                        httpcore.Request(method, url, headers=fields, extensions={"timeout": timeouts})
                    )
            yield response
        finally:
            await connection.aclose()

    async def _connect(self, place: Place) -> httpcore.AsyncNetworkStream:
        """A connection to one of the judged addresses; each has its share of the time."""
        scheme, host, port = place.uri.origin
        addresses = place.addresses[:_ADDRESSES]
        share = self._settings.connect_seconds / len(addresses)
        for count, address in enumerate(addresses, 1):
            try:
                stream = await httpcore.AnyIOBackend().connect_tcp(address, port, timeout=share)
                break
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if count == len(addresses):
                    raise
        return stream if scheme == "http" else await self._secured(stream, host)

    async def _secured(self, stream: httpcore.AsyncNetworkStream, host: str) -> httpcore.AsyncNetworkStream:
        if self._tls is None:
            raise RuntimeError("the fetcher is not open")
        try:
            return await stream.start_tls(self._tls, host, self._settings.connect_seconds)
        except BaseException:
            await stream.aclose()
            raise


async def steady(chunks: AsyncGenerator[bytes], slowest: int) -> AsyncGenerator[bytes]:
    """The same pieces, as long as `slowest` bytes a second come; FetchFailed then: a trickle would hold work up."""
    begun, received = time.monotonic(), 0
    async with aclosing(chunks):
        async for chunk in chunks:
            received += len(chunk)
            yield chunk
            elapsed = time.monotonic() - begun
            if elapsed >= WINDOW_SECONDS:
                if received < elapsed * slowest:
                    raise FetchFailed(f"The remote server sends fewer than {slowest} bytes a second.")
                begun, received = time.monotonic(), 0


def _answer(place: Place, response: httpcore.Response, asked: Mapping[str, str]) -> Answer:
    """The answer, if it can be used; raises FetchFailed."""
    answer = Answer(place, response)
    if answer.status != 200 and not (answer.status == 206 and "Range" in asked):
        text = f"The remote server answered with status {answer.status}."
        raise _failed(place, text, f"status {answer.status}", answer.status)
    coding = answer.headers.get("content-encoding", "").strip().lower()
    if coding not in ("", "identity"):
        text = "The remote server sent encoded data although it was asked not to."
        raise _failed(place, text, f"content-encoding {coding!r}", answer.status)
    if answer.status == 206:
        found = _CONTENT_RANGE.fullmatch(answer.headers.get("content-range", "").strip())
        if found is None or not asked["Range"].startswith(f"bytes={int(found[1])}-"):
            text = "The remote server sent another part of the data than it was asked for."
            raise _failed(place, text, f"content-range {answer.headers.get('content-range')!r}", answer.status)
        answer.start = int(found[1])
        answer.total = None if found[3] == "*" else int(found[3])
    return answer


def _target(place: Place, response: httpcore.Response) -> str:
    """Where an answer sends us; raises UriRefused, FetchFailed. The filter still has to judge it."""
    values = [value for name, value in response.headers if name.lower() == b"location"]
    if len(values) != 1:
        raise _failed(place, "The remote server redirects to nowhere.", f"{len(values)} Location", response.status)
    try:
        location = values[0].decode()
    except UnicodeDecodeError:
        location = values[0].decode("latin-1")
    if any(character.isspace() or character == "\\" for character in location):
        raise UriRefused(f"redirect at host {place.uri.host} has a space or a backslash")
    try:
        return urljoin(str(place.uri), location)
    except ValueError:
        raise UriRefused(f"redirect at host {place.uri.host} cannot be understood") from None


def _headers(response: httpcore.Response) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for name, value in response.headers:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return {name: ", ".join(values) for name, values in found.items()}


def _size(headers: Mapping[str, str]) -> int | None:
    """The announced size; equal repetitions count once, as HTTP has it (RFC 9110, 8.6)."""
    text = headers.get("content-length")
    return None if text is None or "transfer-encoding" in headers else int(text.partition(",")[0])


def _range(start: int, stop: int | None) -> str:
    return f"bytes={start}-" if stop is None else f"bytes={start}-{stop - 1}"


def _failed(place: Place, text: str, detail: str, status: int | None = None) -> FetchFailed:
    """The error for the user; the log has the host besides, but no more of the URL: a query may be a secret."""
    log.info("reading from %s: %s", place.uri.authority, detail)
    return FetchFailed(text, status)


@contextmanager
def _worded(place: Place) -> Iterator[None]:
    """Turn the errors of the way there and back into the domain's."""
    try:
        yield
    except (TimeoutError, httpcore.TimeoutException) as error:
        raise _failed(place, "The remote server did not answer in time.", f"timed out: {error!r}") from error
    except httpcore.ConnectError as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, ssl.SSLError):
            cause = cause.__cause__ or cause.__context__
        if cause is not None:
            raise _failed(place, "The remote server's TLS or certificate is not trusted.", repr(cause)) from error
        raise _failed(place, "The remote server cannot be connected to.", repr(error)) from error
    except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError, OSError) as error:
        raise _failed(place, "The remote server broke its answer off, or broke HTTP's rules.", repr(error)) from error


def _trusted() -> ssl.SSLContext:
    context = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    if not paths.cafile and not (paths.capath and any(Path(paths.capath).iterdir())):
        context.load_verify_locations(certifi.where())
    return context
