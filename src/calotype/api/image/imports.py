"""Imports (spec: image-v2 13, 20)."""

from typing import Any

from starlette.responses import Response

from calotype.api.image.api import ImageAPI
from calotype.api.wire import Reply, Request, json_reply
from calotype.images.errors import Invalid
from calotype.images.imports import Wanted
from calotype.images.tasks import Asked

_MEMBERS = ("method", "stores", "all_stores", "all_stores_must_succeed")
_METHOD_MEMBERS = ("name", "uri", "glance_region", "glance_image_id", "glance_service_interface")
_LONGEST = 2048


async def info(api: ImageAPI, request: Request) -> Response:
    """GET /v2/info/import"""
    methods = {"description": "Import methods available.", "type": "array", "value": list(api.imports.methods)}
    return json_reply({"import-methods": methods})


async def begin(api: ImageAPI, request: Request) -> Response:
    """POST /v2/images/{image_id}/import"""
    body = await api.json_object(request)
    wanted = _wanted(api, request, body)
    body.pop("stores", None)
    if wanted.stores is not None:
        body["stores"] = list(dict.fromkeys(wanted.stores))
    await api.imports.start(asked(api, request, body), request.parameters["image_id"], wanted)
    return Reply(202)


def asked(api: ImageAPI, request: Request, body: dict[str, Any]) -> Asked:
    """Who asks for a task, and what for; the task keeps nothing that it has no use for."""
    body = {name: body[name] for name in _MEMBERS if name in body}
    method = body.get("method")
    if not isinstance(method, dict):
        return Asked(request.caller, request.request_id, body)
    method = body["method"] = {name: method[name] for name in _METHOD_MEMBERS if name in method}
    if method["name"] != "glance-download":
        return Asked(request.caller, request.request_id, body)
    method.setdefault("glance_service_interface", "public")
    region = method.get("glance_region")
    url = api.settings.imports.glance_endpoints.get(region) if isinstance(region, str) else None
    if url is None and region == api.settings.identity.region:
        url = api.base(request)
    return Asked(request.caller, request.request_id, body, request.token, url)


def _wanted(api: ImageAPI, request: Request, body: dict[str, Any]) -> Wanted:
    method = body.get("method")
    if method is None:
        raise Invalid("Import request requires a 'method' field.")
    if not isinstance(method, dict):
        raise Invalid("The 'method' field of an import request must be an object.")
    if "name" not in method:
        raise Invalid("Import request requires a 'name' field.")
    if method["name"] not in api.imports.methods:
        raise Invalid(f"Unknown import method name '{method['name']}'.")
    if method["name"] == "glance-download" and not request.token:
        raise Invalid("glance-download shows the caller's token to the other service; a signed request brings none.")
    for name in _METHOD_MEMBERS:
        if len(str(method.get(name, ""))) > _LONGEST:
            raise Invalid(f"'{name}' has {_LONGEST} characters at the most")
    for name in ("all_stores_must_succeed", "all_stores"):
        if not isinstance(body.get(name, True), bool):
            raise Invalid(f"'{name}' must be boolean value only")
    stores = body.get("stores")
    if not api.locations.stores_named:
        stores = None  # with one store, nobody listens
    if stores is not None and not (isinstance(stores, list) and all(isinstance(each, str) for each in stores)):
        raise Invalid("'stores' must be a list of store identifiers")
    return Wanted(
        method,
        stores,
        request.field(b"x-image-meta-store"),
        body.get("all_stores", False),
        body.get("all_stores_must_succeed", True),
    )
