"""Content types of requests and answers, and the limit of a body (spec: compute-images 7)."""

from typing import Any
from urllib.parse import unquote_to_bytes

from webob.acceptparse import create_accept_header

from calotype.api.compute.faults import Fault, RawFault
from calotype.api.compute.request import ComputeRequest
from calotype.api.wire import BadBody, BodyTooLarge, Reply, decode, encode, type_json

MAX_BODY = 114688

_VENDOR = "application/vnd.openstack.compute+json"
_OFFERS = ["application/json", _VENDOR]
_TYPE_VENDOR = (b"content-type", _VENDOR.encode())
_ACCEPTED = frozenset((b"application/json", _VENDOR.encode(), b"text/plain", b""))
_MALFORMED = "Malformed request body"

type_of_nothing = type_json
"""An answer without a body says JSON all the same."""


def reply(request: ComputeRequest, document: Any) -> Reply:
    """A success in the type that the client likes best (7.1)."""
    accept = request.fields.get(b"accept")
    vendor = accept is not None and b"openstack" in accept.lower() and _prefers_vendor(accept)
    return Reply(200, encode(document), (_TYPE_VENDOR if vendor else type_json,))


def _prefers_vendor(accept: bytes) -> bool:
    offers = create_accept_header(accept.decode("latin-1")).acceptable_offers(_OFFERS)
    return bool(offers) and offers[0][0] == _VENDOR


def refuse_large(request: ComputeRequest) -> None:
    """RawFault 413 if the client announces too much (7.3)."""
    length = request.fields.get(b"content-length")
    if length is not None and length.isdigit() and (len(length) > 18 or int(length) > MAX_BODY):
        # Nova forgot to fill the number in.
        raise RawFault(413, "Request is too large. Larger than max_request_body_size (%s).")


def refuse_type(request: ComputeRequest) -> None:
    """Fault 415 for a type that is not taken for JSON, whatever the method and the body (7.2)."""
    kind = request.fields.get(b"content-type", b"")
    if kind not in _ACCEPTED and kind.partition(b";")[0] not in _ACCEPTED:
        raise Fault(415, "Unsupported Content-Type")


async def document(request: ComputeRequest) -> Any:
    """The JSON body of a POST or PUT; an empty one is null (7.2)."""
    try:
        body = await request.content(MAX_BODY)
    except BodyTooLarge as error:
        raise RawFault(413, f"Request is too large. Larger than {error.limit}.") from None
    try:
        return decode(body) if body else None
    except BadBody:
        raise Fault(400, _MALFORMED) from None


def refuse_query(query: bytes) -> None:
    """Fault 400 for a query string that is not UTF-8 (8.3)."""
    try:
        unquote_to_bytes(query).decode()
    except UnicodeDecodeError:
        raise Fault(400, "Query string is not UTF-8 encoded") from None
