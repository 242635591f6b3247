"""What this site has switched off answers as Glance does where it is off: import, tasks, stores, locations, cache
(spec: image-v2 12.3, 13 to 15, 19, 20, 22)."""

from starlette.responses import Response

from calotype.api.image.api import ImageAPI
from calotype.api.image.faults import Refused
from calotype.api.wire import Request, json_reply
from calotype.images.errors import Forbidden, Invalid, NotFound

_NO_STORES = "Multi backend is not supported at this site."
_NO_CACHE = "Caching via API is not supported at this site."


async def import_info(api: ImageAPI, request: Request) -> Response:
    """GET /v2/info/import"""
    methods = {"description": "Import methods available.", "type": "array", "value": []}
    return json_reply({"import-methods": methods})


async def stores_info(api: ImageAPI, request: Request) -> Response:
    """GET /v2/info/stores and DELETE /v2/stores/{store_id}/{image_id}"""
    raise NotFound(_NO_STORES)


async def stores_detail(api: ImageAPI, request: Request) -> Response:
    """GET /v2/info/stores/detail"""
    api.library.authorize("stores_info_detail", request.caller)
    raise NotFound(_NO_STORES)


async def usage(api: ImageAPI, request: Request) -> Response:
    """GET /v2/info/usage"""
    return json_reply({"usage": {}})


async def stage(api: ImageAPI, request: Request) -> Response:
    """PUT /v2/images/{image_id}/stage"""
    content_type = request.field(b"content-type")
    if content_type is None or content_type.partition(";")[0].strip() != "application/octet-stream":
        raise Refused(415, f"Invalid content type {content_type}")
    raise NotFound("'glance-direct' method is not available at this site.")


async def import_image(api: ImageAPI, request: Request) -> Response:
    """POST /v2/images/{image_id}/import"""
    body = await api.json_object(request)
    method = body.get("method")
    if method is None:
        raise Invalid("Import request requires a 'method' field.")
    if not isinstance(method, dict):
        raise Invalid("The 'method' field of an import request must be an object.")
    if "name" not in method:
        raise Invalid("Import request requires a 'name' field.")
    raise Invalid(f"Unknown import method name '{method['name']}'.")


async def image_tasks(api: ImageAPI, request: Request) -> Response:
    """GET /v2/images/{image_id}/tasks"""
    await api.library.show(request.caller, request.parameters["image_id"])
    return json_reply({"tasks": []})


async def tasks(api: ImageAPI, request: Request) -> Response:
    """GET /v2/tasks"""
    api.library.authorize("tasks_api_access", request.caller)
    return json_reply({"tasks": [], "first": "/v2/tasks", "schema": "/v2/schemas/tasks"})


async def task(api: ImageAPI, request: Request) -> Response:
    """GET /v2/tasks/{task_id}"""
    api.library.authorize("tasks_api_access", request.caller)
    raise NotFound(f"Could not find task {request.parameters['task_id']}")


async def create_task(api: ImageAPI, request: Request) -> Response:
    """POST /v2/tasks"""
    api.library.authorize("tasks_api_access", request.caller)
    body = await api.json_object(request)
    for name in ("type", "input"):
        if not body.get(name):
            raise Invalid(f"Task '{name}' is required")
    raise Forbidden("Tasks are switched off at this site.")


async def get_locations(api: ImageAPI, request: Request) -> Response:
    """GET /v2/images/{image_id}/locations"""
    image = await api.library.show(request.caller, request.parameters["image_id"])
    api.library.authorize("fetch_image_location", request.caller, image)
    return json_reply([])


async def add_location(api: ImageAPI, request: Request) -> Response:
    """POST /v2/images/{image_id}/locations"""
    body = await api.json_object(request)
    if not isinstance(body.get("url"), str):
        raise Invalid("Provided object does not match schema 'location': 'url' is a required property")
    image = await api.library.show(request.caller, request.parameters["image_id"])
    if image.status != "queued":
        raise Refused(409, f"It's not allowed to add locations if image status is {image.status}.")
    api.library.authorize("set_image_location", request.caller, image)
    raise Forbidden("http store must be enabled to use location API by normal user.")


async def cache(api: ImageAPI, request: Request) -> Response:
    """Everything under /v2/cache"""
    api.library.authorize(_CACHE_RULES[request.method], request.caller)
    raise NotFound(_NO_CACHE)


_CACHE_RULES = {"GET": "cache_list", "PUT": "cache_image", "DELETE": "cache_delete", "POST": "cache_clean"}
