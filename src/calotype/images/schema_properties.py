"""Additional properties whose values an operator describes: Glance's schema-image.json (spec: image-v2 4.4, 21).

Every value is kept as text or null, as `attributes.kept` makes it, so that filters, the Compute API and a service
without the file find what they know. A value is read back as JSON where its schema does not take text.
"""

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import msgspec

from calotype.images import attributes
from calotype.images.errors import Invalid
from calotype.images.model import keepable
from calotype.settings import Image as Limits
from calotype.settings import SettingsError

Schema = dict[str, Any]

STANDARD = "standard"
"""The name of the file that comes with Calotype."""
SCALARS = ("string", "null", "integer", "number", "boolean")

_REFERENCES = frozenset(("$ref", "$dynamicRef", "$recursiveRef"))
_Validator = jsonschema.Draft202012Validator
_decode = msgspec.json.Decoder().decode


class SchemaProperties:
    """The schemas by name of the property, and the names that every new image must have."""

    def __init__(self, schemas: Mapping[str, Schema], required: tuple[str, ...] = ()) -> None:
        self.schemas = {name: {**schema, "is_base": False} for name, schema in schemas.items()}
        self.required = required
        self._validators = {name: _Validator(schema) for name, schema in schemas.items()}
        self._types = {name: _types(schema) for name, schema in schemas.items()}

    def shown(self, properties: Mapping[str, str | None]) -> dict[str, Any]:
        """The properties as JSON values that fit their schemas; what does not fit is shown as text."""
        return {name: self._value(name, text) for name, text in properties.items()}

    def _value(self, name: str, text: str | None) -> Any:
        types = self._types.get(name, ("string",))
        if text is None:
            return None if "null" in types else ""
        if "string" in types:
            return text
        try:
            value = _decode(text)
            attributes.kept(name, value)
        except (msgspec.DecodeError, Invalid):
            return text
        is_type = self._validators[name].is_type
        return value if any(is_type(value, each) for each in types if each != "null") else text

    def check(self, name: str, text: str | None) -> None:
        """Raise Invalid unless the text is a value that the property may have."""
        if name in self._validators:
            error = next(self._validators[name].iter_errors(self._value(name, text)), None)
            if error is not None:
                raise Invalid(f"Provided object does not match schema 'image': {error.message}")


def shown(properties: Mapping[str, str | None], schema: SchemaProperties | None) -> Mapping[str, Any]:
    """The properties as the Image API shows them. A null that no schema allows is an empty text, as in Glance."""
    if schema is not None:
        return schema.shown(properties)
    if None in properties.values():
        return {name: "" if value is None else value for name, value in properties.items()}
    return properties


def read(settings: Limits) -> bytes:
    """What the file holds, nothing if none is named; raises SettingsError."""
    path = settings.schema_file
    file = files("calotype.images").joinpath("schema-image.json") if path == STANDARD else Path(path)
    try:
        return file.read_bytes() if path else b""
    except OSError as error:
        raise SettingsError(f"image.schema_file: {path}: {error.strerror}") from None


def load(settings: Limits, content: bytes) -> SchemaProperties | None:
    """The configured schemas, None if none are, from what the file holds; raises SettingsError."""
    path = settings.schema_file
    if not path:
        return None
    try:
        schemas, required = _parts(_document(content))
        for name, schema in schemas.items():
            _check(name, schema)
        return SchemaProperties(schemas, required)
    except _Wrong as wrong:
        raise SettingsError(f"image.schema_file: {path}: {wrong}") from None


class _Wrong(Exception):
    """What is wrong with the file."""


def _document(content: bytes) -> Any:
    try:
        return json.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise _Wrong(f"not JSON: {error}") from None


def _parts(document: Any) -> tuple[dict[str, Schema], tuple[str, ...]]:
    """The schemas and the required names, of the flat or the extended form."""
    if not isinstance(document, dict):
        raise _Wrong("not an object of names and schemas")
    required: Any = []
    if "properties" in document and document.keys() <= {"properties", "required"}:
        required = document.get("required", [])
        document = document["properties"]
    if not isinstance(document, dict):
        raise _Wrong("properties: not an object of names and schemas")
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        raise _Wrong("required: not a list of names")
    for name in required:
        if name not in attributes.WRITABLE and _reserved(name):
            raise _Wrong(f"required: {name!r} cannot be given with a new image")
    return document, tuple(required)


def _reserved(name: str) -> bool:
    return name in attributes.BASE or name in attributes.RESERVED or name.startswith("os_glance")


def _check(name: str, schema: Any) -> None:
    if _reserved(name):
        raise _Wrong(f"{name!r} is an attribute of every image, or reserved")
    if len(name) > attributes.NAME_LENGTH or not keepable(name):
        raise _Wrong(f"{name[:40]!r} cannot be the name of a property")
    if not isinstance(schema, dict):
        raise _Wrong(f"{name!r}: not a schema")
    if _refers(schema):
        raise _Wrong(f"{name!r}: references to other schemas are not followed")
    try:
        _Validator.check_schema(schema, format_checker=_Validator.FORMAT_CHECKER)
    except (jsonschema.SchemaError, RecursionError) as error:
        raise _Wrong(f"{name!r}: not a schema: {getattr(error, 'message', error)}") from None
    types = _types(schema)
    if not types or not set(types) <= set(SCALARS):
        raise _Wrong(f"{name!r}: type has to be one of {', '.join(SCALARS)}, or a list of these")


def _types(schema: Schema) -> tuple[str, ...]:
    found = schema.get("type", ())
    return (found,) if isinstance(found, str) else tuple(found)


def _refers(part: Any) -> bool:
    if isinstance(part, list):
        return any(map(_refers, part))
    return isinstance(part, dict) and (not _REFERENCES.isdisjoint(part) or any(map(_refers, part.values())))
