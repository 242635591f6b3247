"""What this site has switched off answers as Glance does where it is off: import, tasks, stores, locations, cache,
metadata definitions (spec: image-v2 12.3, 13 to 15, 19, 20, 22, 25)."""

from starlette.responses import Response

from calotype.api.image.api import ImageAPI
from calotype.api.wire import Request, json_reply
from calotype.images.errors import Forbidden, NotFound

_NO_CACHE = "Caching via API is not supported at this site."


async def usage(api: ImageAPI, request: Request) -> Response:
    """GET /v2/info/usage"""
    return json_reply({"usage": {}})


async def cache(api: ImageAPI, request: Request) -> Response:
    """Everything under /v2/cache"""
    api.library.authorize(_CACHE_RULES[request.method], request.caller)
    raise NotFound(_NO_CACHE)


_CACHE_RULES = {"GET": "cache_list", "PUT": "cache_image", "DELETE": "cache_delete", "POST": "cache_clean"}


async def namespaces(api: ImageAPI, request: Request) -> Response:
    """GET /v2/metadefs/namespaces"""
    api.library.authorize("get_metadef_namespaces", request.caller)
    document = {"namespaces": [], "first": "/v2/metadefs/namespaces", "schema": "/v2/schemas/metadefs/namespaces"}
    return json_reply(document)


async def resource_types(api: ImageAPI, request: Request) -> Response:
    """GET /v2/metadefs/resource_types"""
    return json_reply({"resource_types": []})


async def no_namespace(api: ImageAPI, request: Request) -> Response:
    """Everything below /v2/metadefs/namespaces/{namespace}: there is none."""
    raise NotFound(f"Metadata definition namespace={request.parameters['namespace']} was not found.")


async def add_namespace(api: ImageAPI, request: Request) -> Response:
    """POST /v2/metadefs/namespaces"""
    await api.json_object(request)
    api.library.authorize("metadef_admin", request.caller)
    raise Forbidden("Metadata definitions are switched off at this site.")
