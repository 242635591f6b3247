"""The properties that a namespace defines (spec: image-v2 25)."""

from starlette.responses import Response

from calotype.api.image import query as queries
from calotype.api.image.api import ImageAPI
from calotype.api.image.metadefs import bodies, views
from calotype.api.wire import Reply, Request, json_reply
from calotype.metadefs.model import PROPERTY


async def index(api: ImageAPI, request: Request) -> Response:
    """GET /v2/metadefs/namespaces/{namespace}/properties"""
    found = await api.definitions.parts(request.caller, request.parameters["namespace"], PROPERTY)
    return json_reply({"properties": views.properties(found)})


async def create(api: ImageAPI, request: Request) -> Response:
    """POST /v2/metadefs/namespaces/{namespace}/properties"""
    new = bodies.property_(await api.json_object(request))
    (made,) = await api.definitions.add(request.caller, request.parameters["namespace"], PROPERTY, [new])
    return json_reply(views.property_(made), 201)


async def show(api: ImageAPI, request: Request) -> Response:
    """GET /v2/metadefs/namespaces/{namespace}/properties/{name}"""
    asked = dict(queries.pairs(request.scope["query_string"]))
    namespace, name = request.parameters["namespace"], request.parameters["name"]
    found = await api.definitions.part(request.caller, namespace, PROPERTY, name, asked.get("resource_type", ""))
    return json_reply(views.property_(found))


async def update(api: ImageAPI, request: Request) -> Response:
    """PUT /v2/metadefs/namespaces/{namespace}/properties/{name}"""
    new = bodies.property_(await api.json_object(request))
    namespace, name = request.parameters["namespace"], request.parameters["name"]
    changed = await api.definitions.change(request.caller, namespace, name, new)
    return json_reply(views.property_(changed))


async def delete(api: ImageAPI, request: Request) -> Response:
    """DELETE /v2/metadefs/namespaces/{namespace}/properties/{name}"""
    await api.definitions.remove(request.caller, request.parameters["namespace"], PROPERTY, request.parameters["name"])
    return Reply(204)


async def clear(api: ImageAPI, request: Request) -> Response:
    """DELETE /v2/metadefs/namespaces/{namespace}/properties"""
    await api.definitions.clear(request.caller, request.parameters["namespace"], PROPERTY)
    return Reply(204)
