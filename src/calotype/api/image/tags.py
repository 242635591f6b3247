"""The tags of an image (spec: image-v2 17)."""

from starlette.responses import Response

from calotype.api.image.api import ImageAPI
from calotype.api.wire import Reply, Request
from calotype.images import attributes
from calotype.images.errors import Invalid


async def add(api: ImageAPI, request: Request) -> Response:
    """PUT /v2/images/{image_id}/tags/{tag}"""
    tag = request.parameters["tag"]
    if len(tag) > attributes.NAME_LENGTH or "\0" in tag:
        raise Invalid(f"Provided object does not match schema 'image': {tag!r} is too long")
    await api.library.tag(request.caller, request.parameters["image_id"], tag)
    return Reply(204)


async def remove(api: ImageAPI, request: Request) -> Response:
    """DELETE /v2/images/{image_id}/tags/{tag}"""
    await api.library.untag(request.caller, request.parameters["image_id"], request.parameters["tag"])
    return Reply(204)
