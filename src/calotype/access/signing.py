"""SDK-HMAC-SHA256: how a request is signed with an access key (spec: identity-and-huawei C).

Everything here is about bytes as they came over the wire, so that nothing is lost between what was signed and what is
compared.
"""

import hashlib
import hmac
import re
from calendar import timegm
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from urllib.parse import quote_from_bytes, unquote_to_bytes

from calotype.access.errors import Unauthorized

ALGORITHM = b"SDK-HMAC-SHA256"
UNSIGNED = b"UNSIGNED-PAYLOAD"
"""What stands in place of the body's hash when the body is not signed."""
EMPTY = hashlib.sha256().hexdigest().encode()

_FAMILIES = (b"SDK-", b"V11-")
_FORM = re.compile(
    rb"SDK-HMAC-SHA256\s+Access=([A-Za-z0-9]{1,128}),\s*SignedHeaders=([a-z0-9!#$%&'*+.^`|~;-]{1,4096}),"
    rb"\s*Signature=([0-9a-f]{64})"
).fullmatch
_DATE = re.compile(rb"[0-9]{8}T[0-9]{6}Z").fullmatch
_SAFE = "~"  # besides letters, digits and -._
_NEEDED = {b"host", b"x-sdk-date"}
# What decides for whom the request acts or what its body is has to be signed if it is there.
_TELLING = {b"x-project-id", b"x-domain-id", b"x-sdk-content-sha256"}


class Claim(NamedTuple):
    """What the headers of a signed request say: the access key, the names of the signed headers in their order, the
    signature in hexadecimal, and the time of signing as it stands there and in seconds since 1970.
    """

    access: str
    names: tuple[bytes, ...]
    signature: str
    date: bytes
    moment: int


class Message(NamedTuple):
    """What is signed. `path` and `query` are as they came, percent-encoded; `fields` maps lower-case header names to
    values; `payload` is the hexadecimal SHA-256 of the body, or UNSIGNED.
    """

    method: str
    path: bytes
    query: bytes
    fields: Mapping[bytes, bytes]
    payload: bytes


def meant(authorization: bytes) -> bool:
    """Whether a value of `Authorization` is of the kind that is judged here, well-formed or not."""
    return authorization.startswith(_FAMILIES)


def claim(fields: Mapping[bytes, bytes]) -> Claim:
    """What a request claims; raises Unauthorized for a form that cannot be right."""
    authorization = fields.get(b"authorization", b"").strip()
    if authorization.partition(b" ")[0] != ALGORITHM:
        raise Unauthorized(f"Requests are signed with {ALGORITHM.decode()}; no other algorithm is known here.")
    if b"x-security-token" in fields:
        raise Unauthorized(
            "Temporary access keys, with X-Security-Token, are not known here; sign with a permanent one."
        )
    found = _FORM(authorization)
    date = fields.get(b"x-sdk-date", b"").strip()
    if found is None or not _DATE(date):
        raise Unauthorized
    names = tuple(found[2].split(b";"))
    unsigned = {name for name in _TELLING if name in fields}.difference(names)
    if not _NEEDED.issubset(names) or unsigned or len({*names}) != len(names):
        raise Unauthorized
    return Claim(found[1].decode(), names, found[3].decode(), date, _seconds(date))


def signature(secret: bytes, message: Message, names: tuple[bytes, ...]) -> str:
    """The signature that a message must have, in hexadecimal; raises Unauthorized when a signed header is missing."""
    date = message.fields.get(b"x-sdk-date", b"").strip()
    digest = hashlib.sha256(canonical(message, names)).hexdigest().encode()
    return hmac.new(secret, b"\n".join((ALGORITHM, date, digest)), "sha256").hexdigest()


def canonical(message: Message, names: tuple[bytes, ...]) -> bytes:
    """The canonical request (C.2); raises Unauthorized when a signed header is missing."""
    lines = []
    for name in names:
        value = message.fields.get(name)
        if value is None:
            raise Unauthorized
        lines.append(name + b":" + value.strip() + b"\n")
    return b"\n".join(
        (
            message.method.upper().encode("ascii", "replace"),
            _path(message.path),
            _query(message.query),
            b"".join(lines),
            b";".join(names),
            message.payload,
        )
    )


def _path(path: bytes) -> bytes:
    """Decoded as a whole before it is split, so an encoded slash becomes a separator; with a slash at the end."""
    encoded = "/".join(_encoded(each) for each in unquote_to_bytes(path).split(b"/"))
    return (encoded if encoded.endswith("/") else encoded + "/").encode()


def _query(query: bytes) -> bytes:
    pairs = []
    for each in query.split(b"&"):
        if each:
            name, _, value = each.replace(b"+", b" ").partition(b"=")
            pairs.append((unquote_to_bytes(name), unquote_to_bytes(value)))
    return "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in sorted(pairs)).encode()


def _encoded(text: bytes) -> str:
    return quote_from_bytes(text, safe=_SAFE)


def _seconds(date: bytes) -> int:
    try:
        return timegm(datetime.strptime(date.decode(), "%Y%m%dT%H%M%SZ").timetuple())
    except ValueError:
        raise Unauthorized from None
