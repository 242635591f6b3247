"""The image cache (spec: image-v2 22)."""

from starlette.responses import Response

from calotype.api.image.api import ImageAPI
from calotype.api.wire import Reply, Request, json_reply


async def index(api: ImageAPI, request: Request) -> Response:
    """GET /v2/cache"""
    copies, queued = await api.cached.all(request.caller)
    cached = [
        {
            "image_id": each.name.image_id,
            "hits": each.hits,
            "last_accessed": each.accessed,
            "last_modified": each.modified,
            "size": each.name.size,
        }
        for each in copies
    ]
    return json_reply({"cached_images": cached, "queued_images": queued})


async def fetch(api: ImageAPI, request: Request) -> Response:
    """PUT /v2/cache/{image_id}"""
    await api.cached.fetch(request.caller, request.parameters["image_id"])
    return Reply(202)


async def remove(api: ImageAPI, request: Request) -> Response:
    """DELETE /v2/cache/{image_id}"""
    await api.cached.remove(request.caller, request.parameters["image_id"])
    return Reply(204)


async def clear(api: ImageAPI, request: Request) -> Response:
    """DELETE /v2/cache"""
    target = request.field(b"x-image-cache-clear-target") or ""
    await api.cached.clear(request.caller, target.lower())
    return Reply(204)


async def clean(api: ImageAPI, request: Request) -> Response:
    """POST /v2/cache/clean"""
    await api.cached.clean(request.caller)
    return Reply(200)


async def prune(api: ImageAPI, request: Request) -> Response:
    """POST /v2/cache/prune"""
    pruned = await api.cached.prune(request.caller)
    return json_reply({"total_files_pruned": pruned.files, "total_bytes_pruned": pruned.bytes})


async def nodes(api: ImageAPI, request: Request) -> Response:
    """GET /v2/cache/nodes/{image_id}"""
    api.cached.nodes(request.caller)
