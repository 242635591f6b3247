"""The tags that a namespace proposes (spec: image-v2 25)."""

from starlette.responses import Response

from calotype.api.image import query as queries
from calotype.api.image.api import ImageAPI
from calotype.api.image.metadefs import bodies, query, views
from calotype.api.wire import Reply, Request, json_reply
from calotype.images.errors import NotFound
from calotype.images.model import keepable
from calotype.metadefs.model import TAG

_YES = ("1", "t", "true", "on", "y", "yes")


async def index(api: ImageAPI, request: Request) -> Response:
    """GET /v2/metadefs/namespaces/{namespace}/tags"""
    asked = queries.pairs(request.scope["query_string"])
    namespace = request.parameters["namespace"]
    wanted = query.parts(asked, TAG)
    parts = await api.definitions.parts(request.caller, namespace, TAG)
    shown = query.page(parts, wanted, namespace)
    return json_reply({"tags": [{"name": each.name} for each in shown]})


async def put_all(api: ImageAPI, request: Request) -> Response:
    """POST /v2/metadefs/namespaces/{namespace}/tags: instead of those that are there, unless told to append."""
    new = bodies.tags(await api.json_object(request))
    append = (request.field(b"x-openstack-append") or "").strip().lower() in _YES
    await api.definitions.add(
        request.caller, request.parameters["namespace"], TAG, new, replace=not append, rule="add_metadef_tags"
    )
    return json_reply({"tags": [{"name": each.name} for each in new]}, 201)


async def create(api: ImageAPI, request: Request) -> Response:
    """POST /v2/metadefs/namespaces/{namespace}/tags/{name}"""
    name = request.parameters["name"]
    if not keepable(name):
        raise NotFound("The resource could not be found.")
    new = bodies.tag({"name": name})
    (made,) = await api.definitions.add(request.caller, request.parameters["namespace"], TAG, [new])
    return json_reply(views.tag(made), 201)


async def show(api: ImageAPI, request: Request) -> Response:
    """GET /v2/metadefs/namespaces/{namespace}/tags/{name}"""
    namespace, name = request.parameters["namespace"], request.parameters["name"]
    return json_reply(views.tag(await api.definitions.part(request.caller, namespace, TAG, name)))


async def update(api: ImageAPI, request: Request) -> Response:
    """PUT /v2/metadefs/namespaces/{namespace}/tags/{name}"""
    new = bodies.tag(await api.json_object(request))
    namespace, name = request.parameters["namespace"], request.parameters["name"]
    changed = await api.definitions.change(request.caller, namespace, name, new)
    return json_reply(views.tag(changed))


async def delete(api: ImageAPI, request: Request) -> Response:
    """DELETE /v2/metadefs/namespaces/{namespace}/tags/{name}"""
    await api.definitions.remove(request.caller, request.parameters["namespace"], TAG, request.parameters["name"])
    return Reply(204)


async def clear(api: ImageAPI, request: Request) -> Response:
    """DELETE /v2/metadefs/namespaces/{namespace}/tags"""
    await api.definitions.clear(request.caller, request.parameters["namespace"], TAG)
    return Reply(204)
