"""PATCH bodies of both media types as operations of the domain (spec: image-v2 10.1 to 10.3)."""

from typing import Any

from calotype.api.image.faults import Refused
from calotype.api.image.schemas import ImageValidator
from calotype.images import attributes
from calotype.images.errors import Invalid, LimitExceeded
from calotype.images.patch import Operation

V21 = "application/openstack-images-v2.1-json-patch"
V20 = "application/openstack-images-v2.0-json-patch"
_OPERATIONS = ("add", "remove", "replace")


def media_type(content_type: str | None) -> str:
    """The PATCH media type that the request names; Refused with 415."""
    kind = (content_type or "").partition(";")[0].strip()
    if kind not in (V20, V21):
        accepted = f"{V20}, {V21}"
        raise Refused(
            415, f"Image PATCH expects Content-Type one of: {accepted}", ((b"accept-patch", accepted.encode()),)
        )
    return kind


def operations(body: Any, kind: str, validator: ImageValidator, limit: int) -> list[Operation]:
    """The operations of a body, each checked as far as it can be without the image.

    Raises Invalid for form, pointer, value; Forbidden for names that cannot be changed; LimitExceeded past `limit`.
    """
    if not isinstance(body, list):
        raise Invalid("Request body must be a JSON array of operation objects.")
    if len(body) > limit:
        raise LimitExceeded(f"A PATCH may hold {limit} operations at the most, this one holds {len(body)}.")
    return [_operation(each, kind, validator) for each in body]


def _operation(change: Any, kind: str, validator: ImageValidator) -> Operation:
    if not isinstance(change, dict):
        raise Invalid("Operations must be JSON objects.")
    op, pointer = _form_v20(change) if kind == V20 else _form_v21(change)
    tokens = _tokens(pointer)
    name = _target(op, tokens, pointer)
    if op != "remove" and "value" not in change:
        raise Invalid(f'Operation "{op}" requires a member named "value".')
    value = change.get("value")
    attributes.refuse_read_only(name)
    if name != "locations":
        attributes.refuse_reserved(name)
    if op != "remove":
        validator.check({name: [value] if len(tokens) > 1 else value})
    if op == "add" and name not in attributes.BASE:
        attributes.refuse_long_name(name)
    # `op` is one of the three words by now, which its type does not tell.
    return Operation(op, name, value, strict_add=kind == V20, place="/".join(tokens[1:]))  # type: ignore[arg-type]


def _form_v20(change: dict[str, Any]) -> tuple[str, Any]:
    named = [op for op in _OPERATIONS if op in change]
    if not named:
        raise Invalid('Operation objects must contain exactly one member named "add", "remove", or "replace".')
    if len(named) > 1:
        raise Invalid('Operation objects must contain only one member named "add", "remove", or "replace".')
    return named[0], change[named[0]]


def _form_v21(change: dict[str, Any]) -> tuple[str, Any]:
    if change.get("op") is None:
        raise Invalid(
            "Unable to find `op` in JSON Schema change. It must be one of the following: add, remove, replace."
        )
    op = change["op"]
    if op not in _OPERATIONS:
        raise Invalid(f"Invalid operation: `{op}`. It must be one of the following: add, remove, replace.")
    if "path" not in change:
        raise Invalid("Unable to find 'path' in JSON Schema change")
    return op, change["path"]


def _tokens(pointer: Any) -> list[str]:
    """The steps of a JSON pointer, unescaped and stripped; Invalid for a malformed one."""
    if not isinstance(pointer, str):
        raise Invalid("JSON pointers must be strings.")
    if not pointer.startswith("/"):
        raise Invalid(f'Pointer `{pointer}` does not start with "/".')
    steps = pointer[1:].split("/")
    if len(steps) > 1 and not steps[-1].strip():
        raise Invalid(f'Pointer `{pointer}` end with "/".')
    if len(steps) > 1 and not all(step.strip() for step in steps):
        raise Invalid(f'Pointer `{pointer}` contains adjacent "/".')
    for step in steps:
        if "~" in step.replace("~0", "").replace("~1", ""):
            raise Invalid(f'Pointer `{pointer}` contains "~" not part of a recognized escape sequence.')
    return [step.replace("~1", "/").replace("~0", "~").strip() for step in steps]


def _target(op: str, tokens: list[str], pointer: str) -> str:
    depth = 2 if tokens[0] == "locations" and op in ("add", "remove") else 1
    if len(tokens) != depth:
        raise Invalid(f"Invalid JSON pointer for this resource: '{pointer}'")
    return tokens[0]
