"""What a project has used of its limits (spec: image-v2 20)."""

from starlette.responses import Response

from calotype.api.image.api import ImageAPI
from calotype.api.wire import Request, json_reply


async def show(api: ImageAPI, request: Request) -> Response:
    """GET /v2/info/usage"""
    found = await api.library.usage(request.caller)
    return json_reply({"usage": {name: {"usage": used, "limit": limit} for name, (limit, used) in found.items()}})
