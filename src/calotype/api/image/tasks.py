"""Tasks: those of an image, and the administrator's deprecated calls (spec: image-v2 19)."""

import re
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from calotype.api.image import query
from calotype.api.image.api import ImageAPI
from calotype.api.image.faults import Refused
from calotype.api.image.images import check_new
from calotype.api.image.imports import asked
from calotype.api.wire import Request, json_reply, timestamp
from calotype.images.errors import Invalid
from calotype.images.model import TASK_SORT_KEYS, TASK_STATUSES, Task

_EXACT = ("id", "owner", "user_id", "request_id", "image_id")
_UUID = re.compile(r"[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


async def of_image(api: ImageAPI, request: Request) -> Response:
    """GET /v2/images/{image_id}/tasks"""
    found = await api.tasks.of_image(request.caller, request.parameters["image_id"])
    return json_reply({"tasks": [_of_image(each) for each in found]})


async def index(api: ImageAPI, request: Request) -> Response:
    """GET /v2/tasks"""
    api.library.authorize("tasks_api_access", request.caller)
    pairs = query.pairs(request.scope["query_string"])
    given = dict(pairs)
    limit = query.limit(given.get("limit"), api.settings.image)
    found = await api.tasks.find(request.caller, _filters(given), _sort(given), _marker(given), limit)
    document = {
        "tasks": [_stub(each) for each in found],
        "schema": "/v2/schemas/tasks",
        **query.links(pairs, len(found), limit, found[-1].id if found else None, "/v2/tasks"),
    }
    return json_reply(document)


def _filters(given: dict[str, str]) -> dict[str, str]:
    """Columns and their values; an empty `type` or `status` is none."""
    found = {name: value for name, value in given.items() if name in _EXACT}
    for name, allowed in (("type", ("import",)), ("status", TASK_STATUSES)):
        value = given.get(name)
        if value and value not in allowed:
            raise Invalid(f"Invalid {name} value: {value}")
        if value:
            found[name] = value
    return found


def _sort(given: dict[str, str]) -> tuple[str, str]:
    key, direction = given.get("sort_key", "created_at"), given.get("sort_dir", "desc")
    if key not in TASK_SORT_KEYS:
        raise Invalid("Sort key supplied was not valid.")
    if direction not in ("asc", "desc"):
        raise Invalid(f"Invalid sort direction: {direction}")
    return key, direction


def _marker(given: dict[str, str]) -> str | None:
    marker = given.get("marker")
    if marker is not None and not _UUID.fullmatch(marker):
        raise Invalid("Invalid marker format")
    return marker


async def show(api: ImageAPI, request: Request) -> Response:
    """GET /v2/tasks/{task_id}"""
    return json_reply(_whole(await api.tasks.show(request.caller, request.parameters["task_id"])))


async def remove(api: ImageAPI, request: Request) -> Response:
    """DELETE /v2/tasks/{task_id}: never; ended tasks go by themselves."""
    api.library.authorize("tasks_api_access", request.caller)
    raise Refused(
        405,
        "This operation is currently not permitted on Glance Tasks. They are auto deleted after reaching the time "
        "based on their expires_at property.",
        ((b"allow", b"GET"),),
    )


async def create(api: ImageAPI, request: Request) -> Response:
    """POST /v2/tasks: the import of a URL into an image made for it."""
    api.library.authorize("tasks_api_access", request.caller)
    body = await api.json_object(request)
    for name in ("type", "input"):
        if not body.get(name):
            raise Invalid(f"Task '{name}' is required")
    for name in body:
        if name not in api.schemas["task"]["properties"]:
            raise Invalid(f"Provided object does not match schema 'task': {name!r} was unexpected")
    if body["type"] != "import":
        raise Invalid(f"Provided object does not match schema 'task': {body['type']!r} is not one of ['import']")
    wanted = body["input"]
    if not isinstance(wanted, dict):
        raise Invalid("Provided object does not match schema 'task': the input is not an object")
    for name in ("import_from", "import_from_format", "image_properties"):
        if name not in wanted:
            raise Invalid(f"Input does not contain '{name}' field")
    properties = wanted["image_properties"]
    if not isinstance(properties, dict):
        raise Invalid("Provided object does not match schema 'task': image_properties is not an object")
    new = {"disk_format": wanted["import_from_format"], "container_format": "bare", **properties}
    check_new(api, new)
    task = await api.imports.start_task(asked(api, request, {}), wanted, new)
    headers = ((b"location", f"{api.base(request)}/v2/tasks/{task.id}".encode()),)
    return json_reply(_whole(task), 201, headers)


def _stub(task: Task) -> dict[str, Any]:
    document = {
        "id": task.id,
        "type": task.type,
        "status": task.status,
        "owner": task.owner,
        "created_at": timestamp(task.created_at),
        "updated_at": timestamp(task.updated_at),
        "self": f"/v2/tasks/{task.id}",
        "schema": "/v2/schemas/task",
    }
    if task.expires_at is not None:
        document["expires_at"] = timestamp(task.expires_at)
    return document


def _whole(task: Task) -> dict[str, Any]:
    """Members that have no value are left out, as Glance does."""
    named = {name: getattr(task, name) for name in ("image_id", "request_id", "user_id")}
    return {
        **_stub(task),
        "input": task.input,
        "result": task.result,
        "message": task.message,
        **{name: value for name, value in named.items() if value is not None},
    }


def _of_image(task: Task) -> dict[str, Any]:
    return {
        "id": task.id,
        "type": task.type,
        "status": task.status,
        "owner": task.owner,
        "expires_at": None if task.expires_at is None else _moment(task.expires_at),
        "created_at": _moment(task.created_at),
        "updated_at": _moment(task.updated_at),
        "deleted_at": None,
        "deleted": False,
        "image_id": task.image_id,
        "request_id": task.request_id,
        "user_id": task.user_id,
        "input": task.input,
        "result": task.result,
        "message": task.message,
    }


def _moment(microseconds: int) -> str:
    """Microseconds and no zone: this one call shows times so."""
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
