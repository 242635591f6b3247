"""The JSON schemas that clients build their models from (spec: image-v2 21); requests are checked against the same."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import jsonschema

from calotype.images.errors import Invalid
from calotype.images.schema_properties import SchemaProperties
from calotype.settings import Image as Limits

Schema = dict[str, Any]

_TEXT = {"type": "string"}
_UUID = "^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$"
_STATUSES = [
    "queued",
    "saving",
    "active",
    "killed",
    "deleted",
    "uploading",
    "importing",
    "pending_delete",
    "deactivated",
]
_FAULTS = 20
"""Of how many faults in an object the most telling is chosen."""
_SHOWN = 2000
"""Characters of a value that a refusal repeats."""


def _read_only(kind: Any, description: str, **more: Any) -> Schema:
    return {"type": kind, "readOnly": True, "description": description, **more}


def _or_null(kind: str, description: str, **more: Any) -> Schema:
    return {"type": ["null", kind], "description": description, **more}


def image(limits: Limits, more: SchemaProperties | None = None) -> Schema:
    """The schema of an image; `more` are the properties that the operator describes."""
    described = {} if more is None else more.schemas
    required = {} if more is None or not more.required else {"required": [*more.required]}
    return {
        "name": "image",
        "properties": {**_image_properties(limits), **described},
        **required,
        "additionalProperties": {"type": "string"},
        "links": [
            {"rel": "self", "href": "{self}"},
            {"rel": "enclosure", "href": "{file}"},
            {"rel": "describedby", "href": "{schema}"},
        ],
    }


def _image_properties(limits: Limits) -> Schema:
    nullable = ["null", "string"]
    return {
        "id": {"type": "string", "description": "Identifier of the image", "pattern": _UUID},
        "name": _or_null("string", "Name of the image", maxLength=255),
        "status": _read_only("string", "Status of the image", enum=_STATUSES),
        "visibility": {
            "type": "string",
            "description": "Who may see the image",
            "enum": ["community", "public", "private", "shared"],
        },
        "protected": {"type": "boolean", "description": "Whether the image is protected from deletion"},
        "os_hidden": {"type": "boolean", "description": "Whether the image is left out of lists"},
        "checksum": _read_only(nullable, "MD5 of the data", maxLength=32),
        "os_hash_algo": _read_only(nullable, "Algorithm of os_hash_value", maxLength=64),
        "os_hash_value": _read_only(nullable, "Hash of the data in hexadecimal", maxLength=128),
        "owner": _or_null("string", "Project that owns the image", maxLength=255),
        "size": _read_only(["null", "integer"], "Size of the data in bytes"),
        "virtual_size": _read_only(["null", "integer"], "Size of the disk inside, in bytes"),
        "container_format": _or_null("string", "Container format", enum=[None, *limits.container_formats]),
        "disk_format": _or_null("string", "Disk format", enum=[None, *limits.disk_formats]),
        "created_at": _read_only("string", "When the image was created"),
        "updated_at": _read_only("string", "When the image was changed last"),
        "tags": {"type": "array", "description": "Tags of the image", "items": {"type": "string", "maxLength": 255}},
        "direct_url": _read_only("string", "URL of the data in its store"),
        "min_ram": {"type": "integer", "description": "Memory that a server needs, in MiB"},
        "min_disk": {"type": "integer", "description": "Disk that a server needs, in GiB"},
        "self": _read_only("string", "Path of the image"),
        "file": _read_only("string", "Path of the data"),
        "stores": _read_only("string", "Stores that hold the data, separated by commas"),
        "schema": _read_only("string", "Path of this schema"),
        "locations": _locations(),
    }


def _locations() -> Schema:
    validation = {
        "type": "object",
        "writeOnly": True,
        "additionalProperties": False,
        "description": "Expected hashes of the data",
        "properties": {
            "checksum": {"type": "string", "minLength": 32, "maxLength": 32},
            "os_hash_algo": {"type": "string", "maxLength": 64},
            "os_hash_value": {"type": "string", "maxLength": 128},
        },
        "required": ["os_hash_algo", "os_hash_value"],
    }
    location = {
        "type": "object",
        "properties": {
            "url": {"type": "string", "maxLength": 255},
            "metadata": {"type": "object"},
            "validation_data": validation,
        },
        "required": ["url", "metadata"],
    }
    return {"type": "array", "items": location, "description": "URLs of the data in external stores"}


def member() -> Schema:
    """The schema of a member."""
    return {
        "name": "member",
        "properties": {
            "created_at": {"type": "string", "description": "When the image was shared"},
            "image_id": {"type": "string", "description": "Identifier of the image", "pattern": _UUID},
            "member_id": {"type": "string", "description": "Project that the image is shared with"},
            "schema": {"readOnly": True, "type": "string"},
            "status": {
                "type": "string",
                "description": "What the project made of it",
                "enum": ["pending", "accepted", "rejected"],
            },
            "updated_at": {"type": "string", "description": "When the status changed last"},
        },
    }


def task() -> Schema:
    """The schema of a task."""
    return {
        "name": "task",
        "properties": {
            **_task_stub(),
            "input": {"type": ["null", "object"], "description": "What the task was asked to do"},
            "result": {"type": ["null", "object"], "description": "What came of it"},
            "message": {"type": "string", "description": "What went wrong"},
        },
    }


def _task_stub() -> Schema:
    return {
        "id": {"type": "string", "description": "Identifier of the task", "pattern": _UUID},
        "type": {
            "type": "string",
            "description": "Kind of the task",
            "enum": ["import", "api_image_import", "location_import"],
        },
        "status": {
            "type": "string",
            "description": "State of the task",
            "enum": ["pending", "processing", "success", "failure"],
        },
        "owner": {"type": "string", "description": "Project that asked for the task"},
        "expires_at": {"type": ["null", "string"], "description": "When the task is forgotten"},
        "created_at": {"type": "string", "description": "When the task was created"},
        "updated_at": {"type": "string", "description": "When the task changed last"},
        "self": _read_only("string", "Path of the task"),
        "schema": _read_only("string", "Path of this schema"),
    }


def collection(name: str, item: Schema, paged: bool) -> Schema:
    """The schema of a list of items."""
    links = [{"rel": "describedby", "href": "{schema}"}]
    properties: Schema = {name: {"type": "array", "items": item}, "schema": _TEXT}
    if paged:
        properties.update(first=_TEXT, next=_TEXT)
        links = [{"rel": "first", "href": "{first}"}, {"rel": "next", "href": "{next}"}, *links]
    return {"name": name, "properties": properties, "links": links}


def documents(limits: Limits, more: SchemaProperties | None = None) -> dict[str, Schema]:
    """Every schema that is served, by its name in the path."""
    stub = {"name": "task", "properties": _task_stub()}
    return {
        "image": image(limits, more),
        "images": collection("images", image(limits, more), paged=True),
        "member": member(),
        "members": collection("members", member(), paged=False),
        "task": task(),
        "tasks": collection("tasks", stub, paged=True),
    }


def _distinct(
    validator: Any, wanted: bool, found: Any, schema: Mapping[str, Any]
) -> Iterator[jsonschema.ValidationError]:
    """`uniqueItems` for arrays of strings, in linear time: the library's own takes quadratic time on mixed arrays."""
    if wanted and isinstance(found, list):
        texts = [each for each in found if isinstance(each, str)]
        if len(set(texts)) < len(texts):
            yield jsonschema.ValidationError("the items are not all different")


# The library leaves this function without types.
_Validator: Any = jsonschema.validators.extend(  # type: ignore[no-untyped-call]
    jsonschema.Draft202012Validator, {"uniqueItems": _distinct}
)


class Validator:
    """Checks the body of a request against one schema."""

    def __init__(self, schema: Schema) -> None:
        self._name = schema["name"]
        self._validator = _Validator(schema)

    def check(self, body: Mapping[str, Any]) -> None:
        """Raise Invalid with the reason."""
        try:
            # The first faults are enough: a body of megabytes can hold hundreds of thousands.
            error = jsonschema.exceptions.best_match(islice(self._validator.iter_errors(body), _FAULTS))
            reason = None if error is None else _reason(error)
        except RecursionError:
            reason = "it is nested too deeply"
        except (OverflowError, ValueError):
            reason = "a number in it is out of range"
        if reason is not None:
            raise Invalid(f"Provided object does not match schema '{self._name}': {reason}")


class ImageValidator(Validator):
    """Checks the attributes of a request against the image schema; what is required, of a new image only."""

    def __init__(self, limits: Limits, more: SchemaProperties | None = None) -> None:
        whole = image(limits, more)
        super().__init__({**whole, "required": []})
        self._of_new = Validator(whole)

    def check_new(self, body: Mapping[str, Any]) -> None:
        """Raise Invalid with the reason unless this can become an image."""
        self._of_new.check(body)


def _reason(error: jsonschema.ValidationError) -> str:
    """What is wrong; the value at fault is shown only as far as that is no work (a long one takes seconds to print)."""
    if len(repr(error.instance)) <= _SHOWN:
        return str(error)
    return f"{error.message[:_SHOWN]} …"
