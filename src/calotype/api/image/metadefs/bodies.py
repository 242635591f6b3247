"""Documents of metadata definitions, as requests and files hold them, checked and made into domain objects.

Everything here raises Invalid for what does not fit, and Forbidden for what only the service writes.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from calotype.api.image.metadefs import schemas
from calotype.api.image.schemas import Validator
from calotype.images.errors import Forbidden, Invalid
from calotype.metadefs.model import NAME_LENGTH, OBJECT, PROPERTY, RESOURCE_TYPE, TAG, Draft, Kind, Part

Body = Mapping[str, Any]

_TIMES = ("created_at", "updated_at")
MADE = ("self", "schema", *_TIMES)
"""What only the service says of a namespace or an object."""
_ATTRIBUTES = ("display_name", "description", "visibility", "protected", "owner")
_NUMBERS = frozenset(("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"))
_LEAST, _MOST = -(2**63), 2**64 - 1
"""Whole numbers beyond these are kept exactly by few JSON parsers, and not by ours."""

_namespace = Validator(schemas.namespace())
_property = Validator(schemas.property_())
_unnamed = Validator(schemas.property_(named=False))
_object = Validator(schemas.object_())
_tag = Validator(schemas.tag())
_tags = Validator(schemas.tags())
_association = Validator(schemas.resource_type())


def namespace(body: Body) -> tuple[Draft, list[Part]]:
    """A namespace and everything in it."""
    _check(_namespace, body, MADE)
    draft = Draft(
        name=_name("namespace", body["namespace"]),
        **{name: body[name] for name in _ATTRIBUTES if name in body},
    )
    parts = [
        *_nested(body, "resource_type_associations", RESOURCE_TYPE, _association_body),
        *(
            Part(PROPERTY, _name("namespace", name), _definition(each))
            for name, each in body.get("properties", {}).items()
        ),
        *_nested(body, "objects", OBJECT, _object_body),
        *_nested(body, "tags", TAG, lambda _: {}),
    ]
    return draft, parts


def association(body: Body) -> Part:
    """The association of a resource type."""
    _check(_association, body, _TIMES)
    return Part(RESOURCE_TYPE, _name("resource_type_association", body["name"]), _association_body(body))


def property_(body: Body) -> Part:
    """A property."""
    _check(_property, body, _TIMES)
    return Part(PROPERTY, _name("property", body["name"]), _definition(body))


def object_(body: Body) -> Part:
    """An object."""
    _check(_object, body, MADE)
    for each in body.get("properties", {}).values():
        _unnamed.check(each)
    return Part(OBJECT, _name("object", body["name"]), _object_body(body))


def tag(body: Body) -> Part:
    """A tag."""
    _check(_tag, body, _TIMES)
    return Part(TAG, _name("tag", body["name"]), {})


def tags(body: Body) -> list[Part]:
    """Several tags."""
    _check(_tags, body, _TIMES)
    return [Part(TAG, _name("tags", each["name"]), {}) for each in body["tags"]]


def _check(validator: Validator, body: Body, read_only: tuple[str, ...]) -> None:
    for name in read_only:
        if name in body:
            raise Forbidden(f"Attribute '{name}' is read-only.")
    validator.check(body)
    _refuse_odd_numbers(body)


def _refuse_odd_numbers(body: Body) -> None:
    """Invalid for numbers that JSON does not have or that would come back as others."""
    waiting: list[Any] = [body]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, float) and not math.isfinite(value):
            raise Invalid("A number is not finite.")
        elif isinstance(value, int) and not _LEAST <= value <= _MOST:
            raise Invalid(f"A number is not between {_LEAST} and {_MOST}.")


def _name(schema: str, value: Any) -> str:
    """A name by which something will be found: it must fit into a segment of a path."""
    if not isinstance(value, str) or not 0 < len(value) <= NAME_LENGTH or "/" in value or value in (".", ".."):
        complaint = f"a name has 1 to {NAME_LENGTH} characters, none of them a slash, and is not . or .."
        raise Invalid(f"Provided object does not match schema '{schema}': {complaint}")
    return value


def _nested(body: Body, key: str, kind: Kind, document: Callable[[Body], dict[str, Any]]) -> Iterable[Part]:
    for each in body.get(key, []):
        if "name" not in each:
            raise Invalid(f"Provided object does not match schema 'namespace': an item of '{key}' has no name")
        yield Part(kind, _name("namespace", each["name"]), document(each))


def _association_body(document: Body) -> dict[str, Any]:
    found = {name: document[name] for name in ("prefix", "properties_target") if name in document}
    for name, value in found.items():
        if len(value) > NAME_LENGTH:
            complaint = f"'{name}' is longer than {NAME_LENGTH} characters"
            raise Invalid(f"Provided object does not match schema 'resource_type_association': {complaint}")
    return found


def _definition(document: Body) -> dict[str, Any]:
    """What a property says of itself, its name too if it does; what nobody knows is left out."""
    found = {name: value for name, value in document.items() if name in schemas.PROPERTY}
    if isinstance(document.get("confidential"), bool):
        found["confidential"] = document["confidential"]
    if isinstance(found.get("default"), (bool, int, float)):
        # Text, as Glance answers: clients read even OpenStack's own definitions so.
        found["default"] = str(found["default"])
    for name in _NUMBERS & found.keys():
        if isinstance(found[name], float) and found[name].is_integer() and _LEAST <= found[name] < _MOST:
            found[name] = int(found[name])
    return found


def _object_body(document: Body) -> dict[str, Any]:
    found = {name: document[name] for name in ("description", "required") if name in document}
    if "properties" in document:
        found["properties"] = {name: _definition(each) for name, each in document["properties"].items()}
    return found
