"""Sharing with projects (spec: image-v2 16)."""

from typing import Any

from starlette.responses import Response

from calotype.api.image import views
from calotype.api.image.api import ImageAPI
from calotype.api.wire import Reply, Request, json_reply
from calotype.images.errors import Invalid

_LENGTH = 255


async def index(api: ImageAPI, request: Request) -> Response:
    """GET /v2/images/{image_id}/members"""
    found = await api.sharing.members(request.caller, request.parameters["image_id"])
    return json_reply({"members": [views.member(each) for each in found], "schema": "/v2/schemas/members"})


async def show(api: ImageAPI, request: Request) -> Response:
    """GET /v2/images/{image_id}/members/{member_id}"""
    return json_reply(views.member(await api.sharing.show(request.caller, *_named(request))))


async def add(api: ImageAPI, request: Request) -> Response:
    """POST /v2/images/{image_id}/members"""
    member = _value(await api.json(request), "member", "Member to be added not specified", '{"member": "image_id"}')
    if not member:
        raise Invalid("Member can't be empty")
    if not isinstance(member, str) or len(member) > _LENGTH:
        raise Invalid(f"Member must be a string of at most {_LENGTH} characters.")
    added = await api.sharing.add(request.caller, request.parameters["image_id"], member)
    return json_reply(views.member(added))


async def update(api: ImageAPI, request: Request) -> Response:
    """PUT /v2/images/{image_id}/members/{member_id}"""
    status = _value(await api.json(request), "status", "Status not specified", '{"status": "status"}')
    changed = await api.sharing.decide(request.caller, *_named(request), status)
    return json_reply(views.member(changed))


async def remove(api: ImageAPI, request: Request) -> Response:
    """DELETE /v2/images/{image_id}/members/{member_id}"""
    await api.sharing.remove(request.caller, *_named(request))
    return Reply(204)


def _named(request: Request) -> tuple[str, str]:
    return request.parameters["image_id"], request.parameters["member_id"]


def _value(body: Any, name: str, absent: str, form: str) -> Any:
    if not isinstance(body, dict):
        raise Invalid(f"Expected a {name} in the form: {form}")
    if name not in body:
        raise Invalid(absent)
    return body[name]
