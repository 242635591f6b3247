"""Metadata definitions as the Image API shows them (spec: image-v2 25)."""

from collections.abc import Container, Iterable
from typing import Any

from calotype.api.wire import timestamp
from calotype.metadefs.definitions import Whole
from calotype.metadefs.model import OBJECT, PROPERTY, RESOURCE_TYPE, TAG, Kind, Namespace, Part, ResourceType

Document = dict[str, Any]


def path(namespace: str) -> str:
    """The path of a namespace, its name as it is."""
    return f"/v2/metadefs/namespaces/{namespace}"


def namespace(found: Namespace) -> Document:
    """The document of a namespace without what is in it; what was never said is left out."""
    told = {"display_name": found.display_name, "description": found.description}
    return {
        "namespace": found.name,
        **{name: value for name, value in told.items() if value is not None},
        "visibility": found.visibility,
        "protected": found.protected,
        "owner": found.owner,
        **_times(found),
        "self": path(found.name),
        "schema": "/v2/schemas/metadefs/namespace",
    }


def whole(found: Whole, resource_type: str = "") -> Document:
    """The document of a namespace with what is in it; properties named as they are on the resource type, if given."""
    associations = _of(found, RESOURCE_TYPE)
    prefix = next((each.body.get("prefix") or "" for each in associations if each.name == resource_type), "")
    inside = {
        "resource_type_associations": [association(each) for each in associations],
        "properties": properties(_of(found, PROPERTY), prefix),
        "objects": [object_(found.namespace.name, each, prefix) for each in _of(found, OBJECT)],
        "tags": [{"name": each.name} for each in _of(found, TAG)[::-1]],
    }
    return {**namespace(found.namespace), **{name: value for name, value in inside.items() if value}}


def created(found: Whole, asked: Container[str]) -> Document:
    """The document of a new namespace: what is in it as it was asked for, as Glance answers."""
    inside = {
        "resource_type_associations": [_said(each) for each in _of(found, RESOURCE_TYPE)],
        "properties": properties(_of(found, PROPERTY)),
        "objects": [_said(each) for each in _of(found, OBJECT)],
        "tags": [_said(each) for each in _of(found, TAG)],
    }
    return {**namespace(found.namespace), **{name: value for name, value in inside.items() if name in asked}}


def association(found: Part) -> Document:
    """The document of an association with a resource type."""
    return {**_said(found), **_times(found)}


def property_(found: Part) -> Document:
    """The document of one property."""
    return {**found.body, "name": found.name}


def properties(found: Iterable[Part], prefix: str = "") -> Document:
    """Properties by name."""
    return {prefix + each.name: each.body for each in found}


def object_(namespace: str, found: Part, prefix: str = "") -> Document:
    """The document of an object."""
    return {
        **written_object(namespace, found),
        "required": [prefix + name for name in found.body.get("required", ())],
        "properties": {prefix + name: each for name, each in found.body.get("properties", {}).items()},
    }


def written_object(namespace: str, found: Part) -> Document:
    """The document of an object that was just written: what was not said is left out, as Glance answers."""
    return {
        **_said(found),
        **_times(found),
        "self": f"{path(namespace)}/objects/{found.name}",
        "schema": "/v2/schemas/metadefs/object",
    }


def tag(found: Part) -> Document:
    """The document of one tag."""
    return {"name": found.name, **_times(found)}


def resource_type(found: ResourceType) -> Document:
    """The document of a resource type."""
    return {"name": found.name, **_times(found)}


def _said(found: Part) -> Document:
    return {"name": found.name, **found.body}


def _of(found: Whole, kind: Kind) -> list[Part]:
    return [each for each in found.parts if each.kind is kind]


def _times(found: Namespace | Part | ResourceType) -> Document:
    return {"created_at": timestamp(found.created_at), "updated_at": timestamp(found.updated_at)}
