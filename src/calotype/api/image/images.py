"""Create, show, list, change, delete (spec: image-v2 9, 10, 11)."""

from typing import Any

from starlette.responses import Response

from calotype.api.image import patch, query
from calotype.api.image.api import ImageAPI
from calotype.api.wire import Reply, Request, json_reply
from calotype.images import attributes
from calotype.images.errors import LimitExceeded

MOST_ITEMS = 10_000
MOST_ITEMS = 10_000

_SENT_LINKS = frozenset(attributes.LINKS)


async def show(api: ImageAPI, request: Request) -> Response:
    """GET /v2/images/{image_id}"""
    found = await api.library.show(request.caller, request.parameters["image_id"])
    return json_reply(api.view(found, request.caller))


async def index(api: ImageAPI, request: Request) -> Response:
    """GET /v2/images"""
    asked = query.pairs(request.scope["query_string"])
    listing, marker = query.listing(asked, api.settings.image)
    found = await api.library.find(request.caller, listing, marker)
    last_id = found[-1].id if found else None
    document = {
        "images": [api.view(each, request.caller) for each in found],
        "schema": "/v2/schemas/images",
        **query.links(asked, len(found), listing.limit or 0, last_id),
    }
    return json_reply(document)


async def create(api: ImageAPI, request: Request) -> Response:
    """POST /v2/images"""
    body = await api.json_object(request)
    check_new(api, body)
    made = await api.library.create(request.caller, body)
    url = f"{api.base(request)}/v2/images/{made.id}"
    headers = [(b"location", url.encode())]
    if api.imports.methods:
        headers.append((b"openstack-image-import-methods", ",".join(api.imports.methods).encode()))
    if api.locations.stores_named:
        headers.append((b"openstack-image-store-ids", ",".join(api.locations.store_names()).encode()))
    return json_reply(api.view(made, request.caller), 201, headers)


def check_new(api: ImageAPI, body: dict[str, Any]) -> None:
    """Raise Forbidden, Invalid for attributes that no new image may be given."""
    for name in body:
        if name in _SENT_LINKS:
            attributes.refuse_read_only(name)
    # Counted before they are looked at one by one, which would keep everybody else waiting.
    tags = body.get("tags")
    if max(len(body), len(tags) if isinstance(tags, list) else 0) > MOST_ITEMS:
        raise LimitExceeded(f"A new image takes {MOST_ITEMS} attributes and {MOST_ITEMS} tags at the most.")
    api.validator.check_new(body)
    for name in body:
        if name not in attributes.BASE:
            attributes.refuse_long_name(name)
            attributes.refuse_reserved(name)


async def update(api: ImageAPI, request: Request) -> Response:
    """PATCH /v2/images/{image_id}"""
    kind = patch.media_type(request.field(b"content-type"))
    body = await api.json(request)
    operations = patch.operations(body, kind, api.validator, api.settings.image.max_operations)
    changed = await api.locations.update(request.caller, request.parameters["image_id"], operations)
    return json_reply(api.view(changed, request.caller))


async def delete(api: ImageAPI, request: Request) -> Response:
    """DELETE /v2/images/{image_id}"""
    await api.library.delete(request.caller, request.parameters["image_id"])
    return Reply(204)
