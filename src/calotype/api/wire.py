"""What every API shares on the wire: requests, route tables, JSON, base URLs, answers, faults in WebOb's style."""

import asyncio
import json
import random
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, MutableMapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec
import webob.exc
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.requests import Request as StarletteRequest
from starlette.responses import Response
from starlette.routing import compile_path
from starlette.types import Receive, Scope, Send

from calotype.access.caller import NOBODY
from calotype.settings import Settings

DRAIN_BYTES = 256 * 1024 * 1024
DRAIN_SECONDS = 20.0

STATUS = "calotype.status"
"""Where a response leaves its status in the scope, for the request's line."""

type_json = (b"content-type", b"application/json")

_encode = msgspec.json.Encoder().encode
_SLASHES = re.compile(r"/{2,}")


class BadBody(Exception):
    """The body is not JSON, not UTF-8, or holds text that no database keeps (NUL, half a surrogate pair)."""


class BodyTooLarge(Exception):
    """The body is larger than the call takes; `limit` is in bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the body is larger than {limit} bytes")
        self.limit = limit


class SlowClient(ClientDisconnect):
    """The body came too slowly, and nobody waits for the rest of it."""


class Request(StarletteRequest):
    """A request, with what the layers in front of a handler found out about it.

    `caller` is set by authentication (NOBODY before it and on calls without it), `parameters` by the route table;
    `prefix` is the part of the path at which the API is mounted. `fields` maps lower-case header names to values,
    repeated ones joined with a comma.
    """

    def __init__(self, scope: Scope, receive: Receive) -> None:
        super().__init__(scope, receive)
        scope["calotype.request"] = self
        self.request_id = new_request_id()
        self.global_request_id: str | None = None
        self.caller = NOBODY
        self.parameters: Mapping[str, str] = {}
        self.fields = _fields(scope["headers"])
        self.path: str = scope["path"]
        self.prefix: str = scope.get("calotype.prefix", "")

    def field(self, name: bytes) -> str | None:
        """The value of a header; `name` in lower case."""
        value = self.fields.get(name)
        return None if value is None else value.decode("latin-1")

    @property
    def token(self) -> str | None:
        """The caller's token, stripped: X-Auth-Token, or X-Storage-Token when that is absent."""
        value = self.field(b"x-auth-token")
        if value is None:
            value = self.field(b"x-storage-token")
        return value and value.strip()

    @property
    def has_body(self) -> bool:
        """Whether the client announced a body."""
        length = self.fields.get(b"content-length", b"0").strip()
        return b"transfer-encoding" in self.fields or length not in (b"", b"0")

    async def content(self, limit: int) -> bytes:
        """The whole body; raises BodyTooLarge."""
        length = self.fields.get(b"content-length", b"")
        if length.isdigit() and int(length) > limit:
            raise BodyTooLarge(limit)
        chunks: list[bytes] = []
        received = 0
        async for chunk in self.stream():
            received += len(chunk)
            if received > limit:
                raise BodyTooLarge(limit)
            chunks.append(chunk)
        return b"".join(chunks)

    def give_back(self, body: bytes) -> None:
        """The whole body, which was read ahead of the handler; it is read again from here."""
        self._body = body

    async def drain(self) -> None:
        """Read and forget what is left of a refused body, within bounds: clients that write before they read would
        otherwise meet a broken connection instead of the answer. Who asked with `Expect` reads first."""
        if b"expect" in self.fields or self._stream_consumed:
            return
        left = DRAIN_BYTES
        with suppress(ClientDisconnect, TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                async for chunk in self.stream():
                    left -= len(chunk)
                    if left < 0:
                        return

    def chunks(self) -> AsyncIterator[bytes]:
        """The body piece by piece; raises ClientDisconnect when the client goes away before its end."""
        return self.stream()


class Reply(Response):
    """An answer whose header lines are sent as they are given."""

    def __init__(self, status: int = 200, body: bytes = b"", headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self.status_code = status
        self.body = body
        self.background = None
        self.raw_headers = [*headers]
        if status != 204:
            self.raw_headers.append((b"content-length", b"%d" % len(body)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; a HEAD request gets the headers alone."""
        scope[STATUS] = self.status_code
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else self.body})


Handler = Callable[..., Awaitable[Response]]


class Call(NamedTuple):
    """A row of a route table. `path` is a Starlette path template; `options` are the API's own."""

    method: str
    path: str
    handler: Handler
    options: Mapping[str, Any] = {}


class Routes:
    """A route table, tried from top to bottom: put the hot calls first."""

    def __init__(self, calls: Iterable[Call], spelt_out: Iterable[str] = ()) -> None:
        """`spelt_out` are paths that no row with a parameter answers for, although it fits."""
        calls = tuple(calls)
        self._spelt_out = {path: Routes(call for call in calls if call.path == path) for path in spelt_out}
        self._rows = [(call.method, compile_path(call.path)[0].match, call) for call in calls]

    def find(self, method: str, path: str) -> tuple[Call, Mapping[str, str]] | None:
        """The row that answers, with its path parameters."""
        if path in self._spelt_out:
            return self._spelt_out[path].find(method, path)
        for row_method, match, call in self._rows:
            if row_method == method:
                found = match(path)
                if found:
                    return call, found.groupdict()
        return None

    def methods(self, path: str) -> list[str]:
        """The methods that the path answers to, sorted."""
        if path in self._spelt_out:
            return self._spelt_out[path].methods(path)
        return sorted({method for method, match, _ in self._rows if match(path)})


def new_request_id() -> str:
    """`req-` and a random UUID (RFC 9562, version 4).

    It names a request and guards nothing, so it comes from the process's own generator: asking the kernel would hand
    the interpreter to another thread for every request.
    """
    number = f"{random.getrandbits(128):032x}"
    variant = "89ab"[int(number[16], 16) & 3]
    return f"req-{number[:8]}-{number[8:12]}-4{number[13:16]}-{variant}{number[17:20]}-{number[20:]}"


def encode(document: Any) -> bytes:
    """JSON in ASCII, as the peers send it."""
    body = _encode(document)
    return body if body.isascii() else json.dumps(document).encode()


def json_reply(document: Any, status: int = 200, headers: Iterable[tuple[bytes, bytes]] = ()) -> Reply:
    """A JSON answer."""
    return Reply(status, encode(document), (type_json, *headers))


def decode(body: bytes, finite: bool = False) -> Any:
    """Parse a JSON body; raises BadBody. Repeated members: the last one counts.

    `finite` refuses what JSON has no way to say: NaN, and numbers larger than any (RFC 8259, 6).
    """
    try:
        document = json.loads(body.decode("utf-8"))
        text = json.dumps(document, ensure_ascii=False, allow_nan=not finite)
        text.encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise BadBody from error
    if "\\u0000" in text and _holds_nul(document):
        raise BadBody
    return document


def _holds_nul(document: Any) -> bool:
    if isinstance(document, str):
        return "\0" in document
    if isinstance(document, list):
        return any(_holds_nul(each) for each in document)
    return isinstance(document, dict) and any("\0" in name or _holds_nul(each) for name, each in document.items())


def timestamp(microseconds: int) -> str:
    """`YYYY-MM-DDTHH:MM:SSZ`, the fraction cut off."""
    return _second(microseconds // 1_000_000)


@lru_cache(4096)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def collapse(path: str) -> str:
    """The path with repeated slashes made one."""
    return _SLASHES.sub("/", path) if "//" in path else path


def base_url(request: Request, public_endpoint: str, believe_proxy: bool) -> str:
    """Scheme, host and proxy prefix by which the client reaches the service, without a final slash.

    Source: compute-images 10.2 and 10.3; the default port of the scheme is dropped.
    """
    if public_endpoint:
        return public_endpoint.rstrip("/")
    scheme, host, prefix = request.scope["scheme"], request.field(b"host"), ""
    if believe_proxy:
        scheme, host, prefix = forwarded(request, scheme, host)
    if not host:
        server = request.scope.get("server") or ("localhost", None)
        host = server[0] if server[1] is None else f"{server[0]}:{server[1]}"
    default = ":443" if scheme == "https" else ":80"
    return f"{scheme}://{host.removesuffix(default)}{prefix}"


def identity_url(settings: Settings, request: Request) -> str:
    """The URL of identity v3 by which this client reaches it, without a final slash; under a prefix if it came so."""
    base = base_url(request, settings.public_endpoint, settings.proxy_headers)
    return settings.identity_url or base + ("/identity/v3" if request.prefix else "/v3")


def challenge(url: str) -> tuple[bytes, bytes]:
    """The header line of a 401: where to get a token."""
    return b"www-authenticate", f'Keystone uri="{url}"'.encode("latin-1", "replace")


def forwarded(request: Request, scheme: str, host: str | None) -> tuple[str, str | None, str]:
    """Scheme, host and path prefix by which the client reached the proxy, as the proxy says."""
    told = request.field(b"forwarded")
    if told is not None:
        for pair in told.partition(",")[0].split(";"):
            name, _, value = pair.strip().partition("=")
            if name.lower() == "proto":
                scheme = value.strip('"')
            elif name.lower() == "host":
                host = value.strip('"')
    else:
        scheme = request.field(b"x-forwarded-proto") or scheme
        host = request.field(b"x-forwarded-host") or host
    return scheme, host, (request.field(b"x-forwarded-prefix") or "").rstrip("/")


def replace_host(url: str, prefix: str) -> str:
    """`url` with scheme and host of `prefix`, whose path goes in front of the url's own."""
    if not prefix:
        return url
    parts = urlsplit(url)
    return prefix + parts.path


def webob_fault(
    status: int,
    method: str,
    accept: str | None,
    explanation: str | None = None,
    detail: str | None = None,
    content_type: str | None = None,
) -> tuple[bytes, bytes]:
    """Content type and body of a fault as WebOb renders it for an `Accept` (compute-images 8.2, image-v2 1.5).

    A 415 names the request's `content_type` and shows `detail`, never `explanation`.
    """
    environ = {"REQUEST_METHOD": method, "CONTENT_TYPE": "None" if content_type is None else content_type}
    if accept is not None:
        environ["HTTP_ACCEPT"] = accept
    # A 405 that explains itself shows that alone, as Glance's does.
    template = "${explanation}" if status == 405 and explanation is not None else None
    fault = webob.exc.status_map[status](detail=detail, body_template=template)
    if explanation is not None:
        fault.explanation = explanation
    headers: dict[str, str] = {}

    def start(_: str, lines: list[tuple[str, str]], *_more: Any) -> Any:
        headers.update(lines)

    body = b"".join(fault.generate_response(environ, start))
    return headers["Content-Type"].encode(), body


def _fields(raw: list[tuple[bytes, bytes]]) -> MutableMapping[bytes, bytes]:
    fields = dict(raw)
    if len(fields) != len(raw):
        headers = Headers(raw=raw)
        fields = {name: ", ".join(headers.getlist(name.decode("latin-1"))).encode("latin-1") for name in fields}
    return fields
