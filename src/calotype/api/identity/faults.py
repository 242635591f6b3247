"""What went wrong, in Keystone's words (spec: identity-and-huawei A.1, A.6, A.8)."""

from http import HTTPStatus
from typing import Any

from calotype.access.errors import (
    AccessError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Refused,
    TooManyRequests,
    Unauthorized,
    UnsupportedMethod,
)
from calotype.api.wire import BadBody, BodyTooLarge, Reply, challenge, json_reply
from calotype.images.errors import StorageUnavailable

MALFORMED = (
    "The server could not comply with the request since it is either malformed or otherwise incorrect. "
    "The client is assumed to be in error."
)
_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (Unauthorized, 401),
    (Forbidden, 403),
    (Refused, 403),
    (NotFound, 404),
    (Conflict, 409),
    (Invalid, 400),
    (BadBody, 400),
    (BodyTooLarge, 413),
    (TooManyRequests, 429),
    (StorageUnavailable, 503),
)
HANDLED = tuple(kind for kind, _ in _STATUS)
_PAGE = """<!doctype html>
<html lang=en>
<title>{title}</title>
<h1>{heading}</h1>
<p>{text}</p>
"""
_HTML = (b"content-type", b"text/html; charset=utf-8")
_NO_METHOD = "The method is not allowed for the requested URL."
_NO_PAGE = (
    "The requested URL was not found on the server. If you entered the URL manually please check your spelling and "
    "try again."
)


def expecting(what: str, where: str) -> Invalid:
    """A part of the request is absent."""
    return Invalid(f"Expecting to find {what} in {where}. {MALFORMED}")


def fault(error: Exception, identity_url: str) -> Reply:
    """The answer to one of the HANDLED errors; `identity_url` is what a 401 points at."""
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    body: dict[str, Any] = {"code": status, "message": _text(error), "title": HTTPStatus(status).phrase}
    if isinstance(error, UnsupportedMethod):
        body["identity"] = {"methods": list(error.supported)}
    headers = []
    if status == 401:
        headers.append(challenge(identity_url))
    if isinstance(error, TooManyRequests):
        headers.append((b"retry-after", b"%d" % error.seconds))
    return json_reply({"error": body}, status, headers)


def not_found() -> Reply:
    """No such path: Flask's page."""
    page = _PAGE.format(title="404 Not Found", heading="Not Found", text=_NO_PAGE)
    return Reply(404, page.encode(), [_HTML])


def method_not_allowed(path: str, allowed: list[str]) -> Reply:
    """The path knows other methods: a page at the top, JSON below."""
    allow = (b"allow", ", ".join(allowed).encode())
    if path in ("/", "/v3"):
        page = _PAGE.format(title="405 Method Not Allowed", heading="Method Not Allowed", text=_NO_METHOD)
        return Reply(405, page.encode(), [_HTML, allow])
    return json_reply({"message": _NO_METHOD}, 405, [allow])


def options(allowed: list[str]) -> Reply:
    """The methods of a path."""
    return Reply(200, b"", [_HTML, (b"allow", ", ".join(allowed).encode())])


def _text(error: Exception) -> str:
    if isinstance(error, (AccessError, StorageUnavailable)):
        return error.text
    if isinstance(error, BodyTooLarge):
        return "Request is too large."
    return expecting("valid JSON", "request body").text
