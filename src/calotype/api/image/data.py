"""Image data (spec: image-v2 12): upload, download, ranges."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from calotype.api.image import ranges
from calotype.api.image.api import ImageAPI
from calotype.api.image.faults import Refused
from calotype.api.wire import STATUS, Reply, Request

_PIECE = 256 * 1024


async def upload(api: ImageAPI, request: Request) -> Response:
    """PUT /v2/images/{image_id}/file"""
    content_type = request.field(b"content-type")
    if content_type is None or content_type.partition(";")[0].strip() != "application/octet-stream":
        raise Refused(415, f"Invalid content type {content_type}")
    declared = _declared(request)
    await api.transfer.upload(request.caller, request.parameters["image_id"], request.chunks(), declared)
    return Reply(204)


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
    image, path = await api.transfer.download(request.caller, request.parameters["image_id"])
    if b"prefer=" in request.scope["query_string"]:
        raise Refused(400, "Store selection with 'prefer' needs several stores, and this site has one.")
    if path is None or image.size is None:
        return Reply(204)
    headers = [(b"content-type", b"application/octet-stream")]
    if image.checksum:
        headers.append((b"content-md5", image.checksum.encode()))
    span = ranges.wanted(request, image.size)
    if span is None:
        return File(path, (0, image.size), 200, headers)
    start, end = span
    headers.append((b"content-range", f"bytes {start}-{end - 1}/{image.size}".encode()))
    return File(path, span, 206, headers)


class File(Response):
    """Bytes of a file. A whole file goes out by `http.response.pathsend` where the server can, in pieces otherwise."""

    def __init__(self, path: Path, span: ranges.Span, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self.path = path
        self.span = span
        self.status_code = status
        self.background = None
        self.raw_headers = [*headers, (b"content-length", str(span[1] - span[0]).encode())]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; a slow reader holds one piece in memory."""
        scope[STATUS] = self.status_code
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if self.status_code == 200 and "http.response.pathsend" in scope.get("extensions", {}):
            await send({"type": "http.response.pathsend", "path": str(self.path)})
        else:
            await self._send_pieces(send)

    async def _send_pieces(self, send: Send) -> None:
        start, end = self.span
        with await asyncio.to_thread(open, self.path, "rb") as file:
            file.seek(start)
            while start < end:
                piece = await asyncio.to_thread(file.read, min(_PIECE, end - start))
                if not piece:
                    raise OSError(f"{self.path} became shorter while it was sent")
                start += len(piece)
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
