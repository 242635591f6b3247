"""Domain errors as the Image API words them (spec: image-v2 1.5, 3.4)."""

import logging

from starlette.requests import ClientDisconnect

from calotype.api.wire import BadBody, BodyTooLarge, Reply, Request, SlowClient, webob_fault
from calotype.images import errors

log = logging.getLogger("calotype.image")

STATUSES: tuple[tuple[type[errors.ImageError], int], ...] = (
    (errors.Invalid, 400),
    (errors.NotFound, 404),
    (errors.Forbidden, 403),
    (errors.Conflict, 409),
    (errors.Gone, 410),
    (errors.LimitExceeded, 413),
    (errors.StorageFull, 413),
    (errors.ContentRefused, 415),
    (errors.StorageUnavailable, 503),
)


class Refused(Exception):
    """A refusal that only the wire knows; `headers` go out with it."""

    def __init__(self, status: int, text: str | None = None, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = headers


def reply(error: Exception, request: Request, missing: str | None) -> Reply:
    """The answer to a refused or failed request; `missing` words an absent image, `{}` standing for its id."""
    if isinstance(error, Refused):
        return fault(request, error.status, error.text, error.headers)
    if isinstance(error, errors.ImageNotFound) and missing:
        return fault(request, 404, missing.format(error.image_id))
    if isinstance(error, errors.ImageError):
        return fault(request, next((status for kind, status in STATUSES if isinstance(error, kind)), 500), error.text)
    if isinstance(error, BadBody):
        return fault(request, 400, "Malformed JSON in request body.")
    if isinstance(error, BodyTooLarge):
        return fault(request, 413, f"The request body is larger than {error.limit} bytes.")
    if isinstance(error, SlowClient):
        return fault(request, 408, "The request body came too slowly.", ((b"connection", b"close"),))
    if isinstance(error, ClientDisconnect):
        return fault(request, 400, "The request body ended before it was complete.")
    log.exception("unexpected failure")
    return fault(request, 500)


def fault(
    request: Request, status: int, text: str | None = None, headers: tuple[tuple[bytes, bytes], ...] = ()
) -> Reply:
    """A fault in the form that `Accept` asks for; without one, plain text."""
    explanation, detail = (None, text) if status == 415 else (text, None)
    kind, body = webob_fault(
        status, request.method, request.field(b"accept"), explanation, detail, request.field(b"content-type")
    )
    return Reply(status, body, ((b"content-type", kind), *headers))
