"""Signs requests as the specification says (identity-and-huawei C.2), written from it and not from what verifies."""

import hashlib
import hmac
import time
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import quote, unquote

import httpx

EMPTY = hashlib.sha256(b"").hexdigest()


class Pair(NamedTuple):
    """An access key and its secret."""

    access: str
    secret: str


def sdk_date(moment: float | None = None) -> str:
    """A time, now if none is given, as X-Sdk-Date has it."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(moment))


def canonical(
    method: str, path: str, query: Iterable[tuple[str, str]], headers: Mapping[str, str], payload: str
) -> str:
    """The canonical request; every header is signed."""
    segments = [quote(each, safe="~") for each in unquote(path).split("/")]
    uri = "/".join(segments)
    fields = {name.lower(): value.strip() for name, value in headers.items()}
    return "\n".join(
        [
            method.upper(),
            uri if uri.endswith("/") else uri + "/",
            "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in sorted(query)),
            "".join(f"{name}:{fields[name]}\n" for name in sorted(fields)),
            ";".join(sorted(fields)),
            payload,
        ]
    )


def signature(secret: str, date: str, request: str) -> str:
    """The signature of a canonical request."""
    text = "\n".join(["SDK-HMAC-SHA256", date, hashlib.sha256(request.encode()).hexdigest()])
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def signed(
    pair: Pair,
    method: str,
    path: str,
    headers: Mapping[str, str],
    query: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    date: str | None = None,
    payload: str | None = None,
) -> dict[str, str]:
    """The headers with those that sign the request; Host has to be among those given."""
    # Sent as it is signed, without white space around it: Unicode's, too, which no server takes away.
    whole = {name: value.strip() for name, value in headers.items()} | {"X-Sdk-Date": date or sdk_date()}
    told = payload or (hashlib.sha256(body).hexdigest() if body else EMPTY)
    request = canonical(method, path, query, whole, told)
    names = ";".join(sorted(name.lower() for name in whole))
    proof = signature(pair.secret, whole["X-Sdk-Date"], request)
    whole["Authorization"] = f"SDK-HMAC-SHA256 Access={pair.access}, SignedHeaders={names}, Signature={proof}"
    return whole


class Signing(httpx.Auth):
    """Signs what an httpx client sends, bodies included."""

    requires_request_body = True

    def __init__(self, pair: Pair, **headers: str) -> None:
        self.pair = pair
        self.headers = headers

    def auth_flow(self, request: httpx.Request):  # type: ignore[no-untyped-def]
        """Put the headers on."""
        kept = {"Host": request.headers["Host"], **self.headers}
        if "Content-Type" in request.headers:
            kept["Content-Type"] = request.headers["Content-Type"]
        path = request.url.raw_path.partition(b"?")[0].decode()
        query = request.url.params.multi_items()
        request.headers.update(signed(self.pair, request.method, path, kept, query, request.content))
        yield request
