"""PATCH as the domain sees it: operations on attributes, applied in order, all or none (spec: image-v2 10)."""

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from calotype.access.caller import Caller
from calotype.access.policy.facts import Proposal
from calotype.access.policy.policy import Policy
from calotype.access.protections import Protections
from calotype.images import attributes
from calotype.images.errors import Conflict, Forbidden, NotAuthorized
from calotype.images.model import Image, now
from calotype.settings import Image as Limits


class Operation(msgspec.Struct, frozen=True):
    """One change of one attribute. `strict_add` (media type v2.0) refuses to add what exists."""

    op: Literal["add", "replace", "remove"]
    name: str
    value: Any = None
    strict_add: bool = False
    place: str = ""
    """What follows the name: the position in the list of locations, or "-"."""


Relocate = Callable[[Operation, Image], None]
"""Applies an operation on `locations` to an image, in place; raises the refusal."""


def apply(
    operations: list[Operation],
    image: Image,
    caller: Caller,
    policy: Policy,
    limits: Limits,
    relocate: Relocate,
    protections: Protections | None = None,
) -> Image:
    """The image, as the caller sees it, after all operations; raises the first refusal."""
    state = msgspec.structs.replace(image, properties=dict(image.properties), tags=list(image.tags))
    for operation in operations:
        if operation.name == "locations":
            relocate(operation, state)
        elif operation.name in attributes.BASE:
            _base(operation, state, caller, policy, limits)
        else:
            _property(operation, state, caller, protections)
    state.updated_at = now()
    return state


def _base(operation: Operation, state: Image, caller: Caller, policy: Policy, limits: Limits) -> None:
    name = operation.name
    if operation.op == "remove":
        raise Forbidden(f"Property {name} may not be removed.")
    if operation.strict_add and operation.op == "add":
        raise Conflict(f"Property {name} already present.")
    if name == "owner" and not caller.is_admin:
        raise Forbidden("Owner can't be updated by non admin.")
    if name in ("disk_format", "container_format") and state.status not in ("queued", "importing"):
        raise Forbidden(f"Attribute {name} can be only replaced for a queued image.")
    attributes.refuse_out_of_range(name, operation.value)
    value = attributes.normal(name, operation.value)
    if name == "tags":
        attributes.check_tag_quota(value, limits)
    if name == "visibility":
        authorize_visibility(value, state, caller, policy)
    setattr(state, name, value)


def authorize_visibility(visibility: str, target: Image | Proposal, caller: Caller, policy: Policy) -> None:
    """Raise NotAuthorized unless `caller` may give the image this visibility."""
    rule = {"public": "publicize_image", "community": "communitize_image"}.get(visibility)
    if rule is not None and not policy.allows(rule, caller, target):
        raise NotAuthorized(rule)


def _property(operation: Operation, state: Image, caller: Caller, protections: Protections | None) -> None:
    name = operation.name
    present = name in state.properties
    if operation.op == "add" and operation.strict_add and present:
        raise Conflict(f"Property {name} already present.")
    if operation.op != "add" and not present:
        raise Conflict(f"Property {name} does not exist.")
    if operation.op == "remove":
        if protections is not None:
            protections.refuse_removal(caller, name)
        del state.properties[name]
    else:
        if protections is not None:
            protections.refuse_set(caller, name, present)
        state.properties[name] = attributes.kept(name, operation.value)
