"""The JSON schemas of metadata definitions (spec: image-v2 21, 25); requests are checked against the same."""

from typing import Any

from calotype.metadefs.model import NAME_LENGTH, VISIBILITIES

Schema = dict[str, Any]

_TEXT = {"type": "string"}
_BOOLEAN = {"type": "boolean"}
_NAME = {"type": "string", "maxLength": NAME_LENGTH}
_COUNT = {"$ref": "#/definitions/positiveInteger"}
_COUNT_FROM_0 = {"$ref": "#/definitions/positiveIntegerDefault0"}
_TEXTS = {"$ref": "#/definitions/stringArray"}
_PROPERTIES = {"$ref": "#/definitions/property"}
_READ_ONLY = {"readOnly": True, "type": "string"}
_TYPES = {"type": "string", "enum": ["array", "boolean", "integer", "number", "object", "string", None]}
_REQUIRED_OF_PROPERTY = ["title", "type"]

PROPERTY: Schema = {
    "name": _NAME,
    "title": _TEXT,
    "description": _TEXT,
    "operators": {"type": "array", "items": _TEXT},
    "type": _TYPES,
    "required": _TEXTS,
    "minimum": {"type": "number"},
    "maximum": {"type": "number"},
    "maxLength": _COUNT,
    "minLength": _COUNT_FROM_0,
    "pattern": {"type": "string", "format": "regex"},
    "enum": {"type": "array"},
    "readonly": _BOOLEAN,
    "default": {},
    "items": {"type": "object", "properties": {"type": _TYPES, "enum": {"type": "array"}}},
    "maxItems": _COUNT,
    "minItems": _COUNT_FROM_0,
    "uniqueItems": {"type": "boolean", "default": False},
    "additionalItems": _BOOLEAN,
}
"""What the definition of a property may say."""

_NUMBERS: Schema = {
    "positiveInteger": {"type": "integer", "minimum": 0},
    "positiveIntegerDefault0": {"allOf": [{"$ref": "#/definitions/positiveInteger"}, {"default": 0}]},
}
_DEFINITIONS: Schema = {
    **_NUMBERS,
    "stringArray": {"type": "array", "items": _TEXT, "uniqueItems": True},
    "property": {
        "type": "object",
        "additionalProperties": {"type": "object", "required": _REQUIRED_OF_PROPERTY, "properties": PROPERTY},
    },
}


def _times(thing: str) -> Schema:
    moment = {"type": "string", "readOnly": True, "format": "date-time"}
    return {
        "created_at": {**moment, "description": f"When the {thing} was created"},
        "updated_at": {**moment, "description": f"When the {thing} was changed last"},
    }


def _schema(name: str, properties: Schema, required: list[str], definitions: Schema | None = None) -> Schema:
    found = {"name": name, "properties": properties, "additionalProperties": False, "required": required}
    return found if definitions is None else {**found, "definitions": definitions}


def namespace() -> Schema:
    """The schema of a namespace with everything in it."""
    objects = {"name": _TEXT, "description": _TEXT, "required": _TEXTS, "properties": _PROPERTIES}
    associations = {"name": _TEXT, "prefix": _TEXT, "properties_target": _TEXT}
    properties = {
        "namespace": {"type": "string", "description": "Unique name of the namespace", "maxLength": NAME_LENGTH},
        "display_name": {"type": "string", "description": "Name that people are shown", "maxLength": NAME_LENGTH},
        "description": {"type": "string", "description": "What the namespace is for", "maxLength": 500},
        "visibility": {
            "type": "string",
            "description": "Who may see the namespace",
            "enum": [*VISIBILITIES],
        },
        "protected": {"type": "boolean", "description": "Whether the namespace is protected from deletion"},
        "owner": {"type": "string", "description": "Project that owns the namespace", "maxLength": 255},
        **_times("namespace"),
        "schema": _READ_ONLY,
        "self": _READ_ONLY,
        "resource_type_associations": {"type": "array", "items": {"type": "object", "properties": associations}},
        "properties": _PROPERTIES,
        "objects": {"type": "array", "items": {"type": "object", "properties": objects}},
        "tags": {"type": "array", "items": {"type": "object", "properties": {"name": _TEXT}}},
    }
    return _schema("namespace", properties, ["namespace"], _DEFINITIONS)


def property_(named: bool = True) -> Schema:
    """The schema of one property; in a map its name is the key."""
    texts = {"type": "array", "items": _TEXT, "minItems": 1, "uniqueItems": True}
    required = ["type", "title", "name"] if named else ["type", "title"]
    return _schema("property", PROPERTY, required, {**_NUMBERS, "stringArray": texts})


def object_() -> Schema:
    """The schema of an object."""
    properties = {
        "name": _NAME,
        "description": _TEXT,
        "required": _TEXTS,
        "properties": _PROPERTIES,
        "schema": _READ_ONLY,
        "self": _READ_ONLY,
        **_times("object"),
    }
    return _schema("object", properties, ["name"], _DEFINITIONS)


def tag() -> Schema:
    """The schema of a tag."""
    return _schema("tag", {"name": _NAME, **_times("tag")}, ["name"])


def tags() -> Schema:
    """What a request that sets tags has to be."""
    item = {"type": "object", "properties": {"name": _TEXT}, "required": ["name"], "additionalProperties": False}
    return _schema("tags", {"tags": {"type": "array", "items": item}}, ["tags"])


def resource_type() -> Schema:
    """The schema of the association of a namespace with a resource type."""
    properties = {
        "name": {
            "type": "string",
            "description": "Name of the resource type, as Heat calls it if Heat knows it",
            "maxLength": NAME_LENGTH,
        },
        "prefix": {
            "type": "string",
            "description": "What stands before the names of the properties on this resource type, separator included",
            "maxLength": NAME_LENGTH,
        },
        "properties_target": {
            "type": "string",
            "description": "Which of several sets of properties is meant, for a resource type that has several",
            "maxLength": NAME_LENGTH,
        },
        **_times("association"),
    }
    return _schema("resource_type_association", properties, ["name"])


def _collection(name: str, items: Schema, mapped: bool = False) -> Schema:
    """The schema of a list, or of a map by name; what the items refer to is found at its root."""
    item = {key: value for key, value in items.items() if key != "definitions"}
    held = {"type": "object", "additionalProperties": item} if mapped else {"type": "array", "items": item}
    found = {
        "name": name,
        "properties": {name: held, "first": _TEXT, "next": _TEXT, "schema": _TEXT},
        "links": [
            {"rel": "first", "href": "{first}"},
            {"rel": "next", "href": "{next}"},
            {"rel": "describedby", "href": "{schema}"},
        ],
    }
    return {**found, "definitions": items["definitions"]} if "definitions" in items else found


def documents() -> dict[str, Schema]:
    """Every schema that is served, by its name in the path."""
    found = {
        "namespace": namespace(),
        "namespaces": _collection("namespaces", namespace()),
        "resource_type": resource_type(),
        "resource_types": _collection("resource_type_associations", resource_type()),
        "property": property_(),
        "properties": _collection("properties", property_(named=False), mapped=True),
        "object": object_(),
        "objects": _collection("objects", object_()),
        "tag": tag(),
        "tags": _collection("tags", tag()),
    }
    return {f"metadefs/{name}": document for name, document in found.items()}
