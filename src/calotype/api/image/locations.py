"""The location calls of Image API 2.17 (spec: image-v2 15.2)."""

from typing import Any

from starlette.responses import Response

from calotype.api.image.api import ImageAPI
from calotype.api.image.imports import asked
from calotype.api.image.schemas import Validator
from calotype.api.wire import Reply, Request, json_reply
from calotype.images.hashes import ALGORITHMS, Hashes

_SCHEMA = {
    "name": "location",
    "type": "object",
    "required": ["url"],
    "properties": {
        "url": {"type": "string"},
        "validation_data": {
            "type": "object",
            "additionalProperties": False,
            "dependentRequired": {"os_hash_algo": ["os_hash_value"], "os_hash_value": ["os_hash_algo"]},
            "properties": {
                "os_hash_algo": {"type": "string", "enum": list(ALGORITHMS)},
                "os_hash_value": {"type": "string", "maxLength": 128},
            },
        },
    },
}
_VALIDATOR = Validator(_SCHEMA)


async def index(api: ImageAPI, request: Request) -> Response:
    """GET /v2/images/{image_id}/locations"""
    found = await api.locations.show(request.caller, request.parameters["image_id"])
    return json_reply([api.view.location(each) for each in found])


async def add(api: ImageAPI, request: Request) -> Response:
    """POST /v2/images/{image_id}/locations"""
    body = await api.json_object(request)
    _VALIDATOR.check(body)
    validation: dict[str, Any] | None = body.get("validation_data")
    expected = Hashes(**validation) if validation else None
    await api.locations.add(asked(api, request, body), request.parameters["image_id"], body["url"], expected)
    return Reply(202)
