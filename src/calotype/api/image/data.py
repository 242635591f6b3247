"""Image data (spec: image-v2 12): upload, download, ranges."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from calotype.api.image import ranges
from calotype.api.image.api import ImageAPI
from calotype.api.image.faults import Refused
from calotype.api.wire import STATUS, Reply, Request
from calotype.images.errors import Invalid, NotFound, StorageUnavailable

Headers = list[tuple[bytes, bytes]]


async def upload(api: ImageAPI, request: Request) -> Response:
    """PUT /v2/images/{image_id}/file"""
    _check_type(request)
    declared = _declared(request)
    store = request.field(b"x-image-meta-store") if api.locations.stores_named else None
    if store is not None:
        try:
            api.locations.find_store(store)
        except NotFound as error:
            raise Invalid(error.text) from None
    await api.transfer.upload(request.caller, request.parameters["image_id"], request.chunks(), declared, store)
    return Reply(204)


async def stage(api: ImageAPI, request: Request) -> Response:
    """PUT /v2/images/{image_id}/stage"""
    if "glance-direct" not in api.settings.imports.methods:
        raise NotFound("'glance-direct' method is not available at this site.")
    _check_type(request)
    declared = _declared(request)
    await api.transfer.stage(request.caller, request.parameters["image_id"], request.chunks(), declared)
    return Reply(204)


def _check_type(request: Request) -> None:
    content_type = request.field(b"content-type")
    if content_type is None or content_type.partition(";")[0].strip() != "application/octet-stream":
        raise Refused(415, f"Invalid content type {content_type}")


def _declared(request: Request) -> int | None:
    """The announced size in bytes; None when it is unknown, which zero means too."""
    text = request.field(b"x-openstack-image-size")
    if text is None:
        text = request.field(b"content-length") or "0"
    try:
        size = int(text)
    except ValueError:
        raise Refused(400, "Invalid or missing image size in request headers.") from None
    if size < 0:
        raise Refused(400, f"Size mismatch: expected {size} bytes")
    return size or None


async def download(api: ImageAPI, request: Request) -> Response:
    """GET /v2/images/{image_id}/file"""
    prefer = _preferred(request)
    whole = b"range" not in request.fields and b"content-range" not in request.fields
    image, data = await api.transfer.download(request.caller, request.parameters["image_id"], prefer, whole)
    if data is None:
        return Reply(204)
    headers = [(b"content-type", b"application/octet-stream")]
    if image.checksum:
        headers.append((b"content-md5", image.checksum.encode()))
    span = ranges.wanted(request, data.size)
    if span is not None:
        headers.append((b"content-range", f"bytes {span[0]}-{span[1] - 1}/{data.size}".encode()))
    start, end = span or (0, data.size)
    headers.append((b"content-length", str(end - start).encode()))
    if span is None and data.path and "http.response.pathsend" in request.scope.get("extensions", {}):
        return File(data.path, headers)
    pieces = data.read(start, end)
    try:
        first = await anext(pieces, b"")
    except StorageUnavailable:
        # Deleted since it was found, which this tells, or out of reach: an answer that began could not say it.
        await api.library.show(request.caller, request.parameters["image_id"])
        raise
    return Pieces(first, pieces, 200 if span is None else 206, headers)


def _preferred(request: Request) -> list[str]:
    """The stores that the client would like the data from (image-v2 12.5)."""
    if b"prefer=" not in request.scope["query_string"]:
        return []
    return [each.strip() for each in request.query_params.get("prefer", "").split(",") if each.strip()]


class File(Response):
    """A whole file, which the server sends by itself (`http.response.pathsend`)."""

    def __init__(self, path: Path, headers: Headers) -> None:
        self._path = path
        self.status_code = 200
        self.background = None
        self.raw_headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        scope[STATUS] = self.status_code
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.pathsend", "path": str(self._path)})


class Pieces(Response):
    """Image data in pieces, of which the first is there."""

    def __init__(self, first: bytes, rest: AsyncGenerator[bytes], status: int, headers: Headers) -> None:
        self._first = first
        self._rest = rest
        self.status_code = status
        self.background = None
        self.raw_headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; a slow reader holds one piece in memory."""
        scope[STATUS] = self.status_code
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async with aclosing(self._rest):
            await send({"type": "http.response.body", "body": self._first, "more_body": True})
            async for piece in self._rest:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
