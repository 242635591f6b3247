"""What this site has switched off answers as Glance does where it is off: import, tasks, stores, locations, cache
(spec: image-v2 12.3, 13 to 15, 19, 20, 22)."""

from starlette.responses import Response

from calotype.api.image.api import ImageAPI
from calotype.api.wire import Request, json_reply
from calotype.images.errors import NotFound

_NO_CACHE = "Caching via API is not supported at this site."


async def usage(api: ImageAPI, request: Request) -> Response:
    """GET /v2/info/usage"""
    return json_reply({"usage": {}})


async def cache(api: ImageAPI, request: Request) -> Response:
    """Everything under /v2/cache"""
    api.library.authorize(_CACHE_RULES[request.method], request.caller)
    raise NotFound(_NO_CACHE)


_CACHE_RULES = {"GET": "cache_list", "PUT": "cache_image", "DELETE": "cache_delete", "POST": "cache_clean"}
