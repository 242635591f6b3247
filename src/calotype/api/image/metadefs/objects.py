"""The objects of a namespace: properties that belong together (spec: image-v2 25)."""

from starlette.responses import Response

from calotype.api.image import query as queries
from calotype.api.image.api import ImageAPI
from calotype.api.image.metadefs import bodies, query, views
from calotype.api.wire import Reply, Request, json_reply
from calotype.metadefs.model import OBJECT


async def index(api: ImageAPI, request: Request) -> Response:
    """GET /v2/metadefs/namespaces/{namespace}/objects"""
    asked = queries.pairs(request.scope["query_string"])
    namespace = request.parameters["namespace"]
    wanted = query.parts(asked, OBJECT)
    parts = await api.definitions.parts(request.caller, namespace, OBJECT)
    shown = query.page(parts, wanted, namespace)
    return json_reply(
        {"objects": [views.object_(namespace, each) for each in shown], "schema": "v2/schemas/metadefs/objects"}
    )


async def create(api: ImageAPI, request: Request) -> Response:
    """POST /v2/metadefs/namespaces/{namespace}/objects"""
    new = bodies.object_(await api.json_object(request))
    namespace = request.parameters["namespace"]
    (made,) = await api.definitions.add(request.caller, namespace, OBJECT, [new])
    return json_reply(views.written_object(namespace, made), 201)


async def show(api: ImageAPI, request: Request) -> Response:
    """GET /v2/metadefs/namespaces/{namespace}/objects/{name}"""
    namespace, name = request.parameters["namespace"], request.parameters["name"]
    found = await api.definitions.part(request.caller, namespace, OBJECT, name)
    return json_reply(views.object_(namespace, found))


async def update(api: ImageAPI, request: Request) -> Response:
    """PUT /v2/metadefs/namespaces/{namespace}/objects/{name}"""
    new = bodies.object_(await api.json_object(request))
    namespace, name = request.parameters["namespace"], request.parameters["name"]
    changed = await api.definitions.change(request.caller, namespace, name, new)
    return json_reply(views.written_object(namespace, changed))


async def delete(api: ImageAPI, request: Request) -> Response:
    """DELETE /v2/metadefs/namespaces/{namespace}/objects/{name}"""
    await api.definitions.remove(request.caller, request.parameters["namespace"], OBJECT, request.parameters["name"])
    return Reply(204)


async def clear(api: ImageAPI, request: Request) -> Response:
    """DELETE /v2/metadefs/namespaces/{namespace}/objects"""
    await api.definitions.clear(request.caller, request.parameters["namespace"], OBJECT)
    return Reply(204)
