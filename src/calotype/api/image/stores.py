"""The named stores (spec: image-v2 14, 20)."""

from typing import Any

from starlette.responses import Response

from calotype.api.image.api import ImageAPI
from calotype.api.wire import Reply, Request, json_reply
from calotype.images.locations import StoreInfo


async def index(api: ImageAPI, request: Request) -> Response:
    """GET /v2/info/stores"""
    return json_reply({"stores": [_store(each) for each in api.locations.stores()]})


async def detail(api: ImageAPI, request: Request) -> Response:
    """GET /v2/info/stores/detail"""
    found = api.locations.stores()
    api.library.authorize("stores_info_detail", request.caller)
    return json_reply(
        {
            "stores": [
                {**_store(each), "type": each.kind, "weight": each.weight, "properties": each.properties}
                for each in found
            ]
        }
    )


async def remove(api: ImageAPI, request: Request) -> Response:
    """DELETE /v2/stores/{store_id}/{image_id}"""
    await api.locations.remove_from_store(
        request.caller, request.parameters["store_id"], request.parameters["image_id"]
    )
    return Reply(204)


def _store(found: StoreInfo) -> dict[str, Any]:
    """Flags are the text "true", or absent."""
    document = {"id": found.name}
    if found.description:
        document["description"] = found.description
    if found.default:
        document["default"] = "true"
    if found.read_only:
        document["read-only"] = "true"
    return document
