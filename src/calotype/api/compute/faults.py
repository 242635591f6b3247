"""What the Compute API refuses, and how it words it (spec: compute-images 4, 8)."""

import html
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from http import HTTPStatus

from calotype.api.wire import Reply, Request, challenge, encode, webob_fault
from calotype.images.errors import (
    Conflict,
    Forbidden,
    ImageError,
    Invalid,
    LimitExceeded,
    NotFound,
    StorageFull,
    StorageUnavailable,
)

_NAMES = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    413: "overLimit",
    415: "badMediaType",
    429: "overLimit",
    501: "notImplemented",
    503: "serviceUnavailable",
}
_TYPE = (b"content-type", b"application/json; charset=UTF-8")
_UNAUTHORIZED = '{{"error": {{"code": 401, "title": "Unauthorized", "message": {}}}}}'
_NOT_PROVEN = "The request you have made requires authentication."

NO_SUCH_RESOURCE = "The resource could not be found."
UNEXPECTED = "Unexpected API Error. Please contact the administrator\n<class 'calotype.InternalError'>"
BROKEN = "The server has either erred or is incapable of performing the requested operation."


class Refusal(Exception, ABC):
    """A request that ends here."""

    @abstractmethod
    def reply(self, request: Request) -> Reply:
        """The answer, without the header lines that every answer gets."""


class Fault(Refusal):
    """A fault in Nova's own shape (8.1)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message

    def reply(self, request: Request) -> Reply:
        """One member, named after the status."""
        name = _NAMES.get(self.status, "computeFault")
        return Reply(self.status, encode({name: {"code": self.status, "message": self.message}}), (_TYPE,))


class RawFault(Refusal):
    """A fault of the layers around Nova, in WebOb's shape, which follows `Accept` (8.2)."""

    def __init__(self, status: int, explanation: str | None = None, detail: str | None = None) -> None:
        super().__init__(explanation)
        self.status = status
        self.explanation = explanation
        self.detail = detail

    def reply(self, request: Request) -> Reply:
        """HTML, JSON or plain text; for a HEAD request, which has no body to suit, always HTML."""
        if request.method == "HEAD":
            return Reply(self.status, headers=((b"content-type", b"text/html; charset=UTF-8"),))
        kind, body = webob_fault(self.status, request.method, request.field(b"accept"), self.explanation, self.detail)
        return Reply(self.status, body, ((b"content-type", kind),))


class RateLimited(Refusal):
    """Too many requests; in `seconds` the next one is answered."""

    def __init__(self, message: str, seconds: int) -> None:
        super().__init__(message)
        self.message = message
        self.seconds = str(seconds)

    def reply(self, request: Request) -> Reply:
        """Nova says when to come back in the body, too."""
        fault = {"code": 429, "message": self.message, "retryAfter": self.seconds}
        return Reply(429, encode({"overLimit": fault}), (_TYPE, (b"retry-after", self.seconds.encode())))


class Unauthorized(Refusal):
    """No valid token (4); `uri` is the identity service's."""

    def __init__(self, uri: str, message: str = _NOT_PROVEN) -> None:
        super().__init__(uri)
        self.uri = uri
        self.message = message

    def reply(self, request: Request) -> Reply:
        """The one body that is unlike all others."""
        body = _UNAUTHORIZED.format(encode(self.message).decode()).encode()
        return Reply(401, body, ((b"content-type", b"application/json"), challenge(self.uri)))


def image_api(status: int, text: str) -> Fault:
    """A refusal that Nova passes on from the Image API: prefixed, and escaped for HTML (Q14)."""
    escaped = html.escape(text, quote=True).encode("ascii", "xmlcharrefreplace").decode()
    return Fault(status, f"HTTP {status} {HTTPStatus(status).phrase}: {escaped}")


Row = tuple[type[ImageError], Callable[[str, str], Fault]]
"""A domain error, and the fault made of the id of the image and the error's own text."""


def _says(status: int, message: str) -> Callable[[str, str], Fault]:
    return lambda image_id, _: Fault(status, message.format(image_id=image_id))


# The first row that fits counts, so that what a call words in its own way goes before the rest.
_COMMON: tuple[Row, ...] = (
    (NotFound, _says(404, "Image not found.")),
    (Conflict, lambda _, text: Fault(409, text)),
    (Invalid, lambda _, text: Fault(400, text)),
    (Forbidden, _says(403, "Not authorized for image {image_id}.")),
    (LimitExceeded, _says(403, "Image metadata limit exceeded")),
    (StorageUnavailable, _says(503, "The service is unavailable at the moment. Please try again later.")),
    (StorageFull, _says(503, "The service has no room left at the moment. Please try again later.")),
)
OF_LISTS: tuple[Row, ...] = (
    (Invalid, lambda _, text: image_api(400, text)),
    (Forbidden, lambda _, text: image_api(403, text)),
)
OF_DELETE: tuple[Row, ...] = ((Forbidden, _says(403, "You are not allowed to delete the image.")),)


def translated(error: ImageError, own: Sequence[Row], image_id: str) -> Fault | None:
    """The fault that a call makes of a domain error; `own` are the call's own rows (8.3)."""
    for kind, fault in (*own, *_COMMON):
        if isinstance(error, kind):
            return fault(image_id, error.text)
    return None
