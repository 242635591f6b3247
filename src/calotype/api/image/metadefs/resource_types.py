"""Resource types, and the associations of namespaces with them (spec: image-v2 25)."""

from starlette.responses import Response

from calotype.api.image.api import ImageAPI
from calotype.api.image.metadefs import bodies, views
from calotype.api.wire import Reply, Request, json_reply
from calotype.metadefs.model import RESOURCE_TYPE


async def types(api: ImageAPI, request: Request) -> Response:
    """GET /v2/metadefs/resource_types"""
    found = await api.definitions.resource_types(request.caller)
    return json_reply({"resource_types": [views.resource_type(each) for each in found]})


async def index(api: ImageAPI, request: Request) -> Response:
    """GET /v2/metadefs/namespaces/{namespace}/resource_types"""
    found = await api.definitions.parts(request.caller, request.parameters["namespace"], RESOURCE_TYPE)
    return json_reply({"resource_type_associations": [views.association(each) for each in found]})


async def create(api: ImageAPI, request: Request) -> Response:
    """POST /v2/metadefs/namespaces/{namespace}/resource_types"""
    new = bodies.association(await api.json_object(request))
    (made,) = await api.definitions.add(request.caller, request.parameters["namespace"], RESOURCE_TYPE, [new])
    return json_reply(views.association(made), 201)


async def delete(api: ImageAPI, request: Request) -> Response:
    """DELETE /v2/metadefs/namespaces/{namespace}/resource_types/{name}"""
    namespace, name = request.parameters["namespace"], request.parameters["name"]
    await api.definitions.remove(request.caller, namespace, RESOURCE_TYPE, name)
    return Reply(204)
