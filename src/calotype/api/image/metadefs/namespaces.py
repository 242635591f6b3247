"""The namespaces of metadata definitions (spec: image-v2 25)."""

from urllib.parse import quote

from starlette.responses import Response

from calotype.api.image import query as queries
from calotype.api.image.api import ImageAPI
from calotype.api.image.metadefs import bodies, query, views
from calotype.api.wire import Reply, Request, json_reply

_UNQUOTED = ":!$&'()*+,;=@~"
"""What may stand in a segment of a path beside letters, digits and `-._` (RFC 3986, 3.3)."""


async def index(api: ImageAPI, request: Request) -> Response:
    """GET /v2/metadefs/namespaces"""
    asked = queries.pairs(request.scope["query_string"])
    listing = query.listing(asked, api.settings.image)
    found = await api.definitions.find(request.caller, listing, dict(asked).get("marker"))
    document = {
        "namespaces": [views.whole(each) for each in found.namespaces],
        **query.links(asked, found.following),
        "schema": "/v2/schemas/metadefs/namespaces",
    }
    return json_reply(document)


async def create(api: ImageAPI, request: Request) -> Response:
    """POST /v2/metadefs/namespaces"""
    body = await api.json_object(request)
    draft, parts = bodies.namespace(body)
    made = await api.definitions.create(request.caller, draft, parts)
    url = f"{api.base(request)}/v2/metadefs/namespaces/{quote(draft.name, safe=_UNQUOTED)}"
    return json_reply(views.created(made, body), 201, ((b"location", url.encode()),))


async def show(api: ImageAPI, request: Request) -> Response:
    """GET /v2/metadefs/namespaces/{namespace}"""
    asked = dict(queries.pairs(request.scope["query_string"]))
    found = await api.definitions.show(request.caller, request.parameters["namespace"])
    return json_reply(views.whole(found, asked.get("resource_type", "")))


async def update(api: ImageAPI, request: Request) -> Response:
    """PUT /v2/metadefs/namespaces/{namespace}: what is in it stays, whatever the body says of that."""
    draft, _ = bodies.namespace(await api.json_object(request))
    changed = await api.definitions.replace(request.caller, request.parameters["namespace"], draft)
    return json_reply(views.namespace(changed))


async def delete(api: ImageAPI, request: Request) -> Response:
    """DELETE /v2/metadefs/namespaces/{namespace}"""
    await api.definitions.delete(request.caller, request.parameters["namespace"])
    return Reply(204)
