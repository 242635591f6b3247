"""What this site has switched off answers as Glance does where it is off: limits in Keystone (spec: image-v2 20)."""

from starlette.responses import Response

from calotype.api.image.api import ImageAPI
from calotype.api.wire import Request, json_reply


async def usage(api: ImageAPI, request: Request) -> Response:
    """GET /v2/info/usage"""
    found = await api.library.usage(request.caller)
    return json_reply({"usage": {name: {"usage": used, "limit": limit} for name, (limit, used) in found.items()}})
