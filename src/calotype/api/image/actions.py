"""Barring an image's data and unbarring it (spec: image-v2 18)."""

from starlette.responses import Response

from calotype.api.image.api import ImageAPI
from calotype.api.wire import Reply, Request


async def deactivate(api: ImageAPI, request: Request) -> Response:
    """POST /v2/images/{image_id}/actions/deactivate"""
    await api.library.deactivate(request.caller, request.parameters["image_id"])
    return Reply(204)


async def reactivate(api: ImageAPI, request: Request) -> Response:
    """POST /v2/images/{image_id}/actions/reactivate"""
    await api.library.reactivate(request.caller, request.parameters["image_id"])
    return Reply(204)
