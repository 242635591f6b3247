"""What policy rules may read of a caller and of what the call is about (spec: image-v2 3.2), by Glance's names."""

from collections.abc import Callable, Hashable, Mapping
from operator import attrgetter
from typing import Any, NamedTuple

from calotype.access.caller import Caller
from calotype.images.model import Image
from calotype.metadefs.model import Namespace


class Own:
    """What the caller's project has, as the target of a call."""


class Proposal(NamedTuple):
    """A new image, as the target of its creation: all that a rule may read of what is not there yet.

    `visibility` is "private" if the caller names none, whatever the image gets then.
    """

    owner: str | None
    visibility: str


class Described(NamedTuple):
    """A target whose facts somebody tells, to learn what would be decided."""

    facts: Mapping[str, str]


OWN = Own()
Target = Image | Namespace | Proposal | Own | Described | None
"""None: the call is about no object."""
OfCaller = Callable[[Caller], Hashable]
OfTarget = Callable[[Caller, Any], Hashable]

ABSENT = object()
"""Instead of a value that is not there."""

_CALLER: dict[str, OfCaller] = {
    "user_id": attrgetter("user_id"),
    "user_domain_id": attrgetter("user_domain_id"),
    "project_id": attrgetter("project_id"),
    "project_domain_id": attrgetter("project_domain_id"),
    "domain_id": attrgetter("domain_id"),
    "roles": attrgetter("roles"),
    "service_roles": attrgetter("service_roles"),
    "system_scope": lambda caller: "all" if caller.system else None,
    "is_admin_project": lambda _: True,
}
_IMAGE: dict[str, OfTarget] = {
    "project_id": lambda _, image: _owner(image),
    "owner": lambda _, image: _owner(image),
    "member_id": lambda caller, image: _lent(caller, image),
    "member": lambda caller, image: _lent(caller, image),
    "visibility": lambda _, image: image.visibility,
    "image_id": lambda _, image: image.id,
    "id": lambda _, image: image.id,
    "name": lambda _, image: image.name,
    "status": lambda _, image: image.status,
    "protected": lambda _, image: image.protected,
    "os_hidden": lambda _, image: image.os_hidden,
    "min_disk": lambda _, image: image.min_disk,
    "min_ram": lambda _, image: image.min_ram,
    "disk_format": lambda _, image: image.disk_format,
    "container_format": lambda _, image: image.container_format,
    "size": lambda _, image: image.size,
    "virtual_size": lambda _, image: image.virtual_size,
    "checksum": lambda _, image: image.checksum,
    "os_hash_algo": lambda _, image: image.os_hash_algo,
    "os_hash_value": lambda _, image: image.os_hash_value,
    "tags": lambda _, image: tuple(image.tags),
}
_NAMESPACE: dict[str, OfTarget] = {
    "project_id": lambda _, namespace: namespace.owner,
    "visibility": lambda _, namespace: namespace.visibility,
}
_PROPOSAL: dict[str, OfTarget] = {
    "project_id": lambda _, image: _owner(image),
    "owner": lambda _, image: _owner(image),
    "visibility": lambda _, image: image.visibility,
}
_OWN: dict[str, OfTarget] = {"project_id": lambda caller, _: caller.project_id}


def of_caller(name: str) -> OfCaller:
    """How a fact of the caller is read."""
    return _CALLER.get(name, lambda _: ABSENT)


def known(name: str) -> bool:
    """Whether callers have such a fact."""
    return name in _CALLER


def of_image(name: str) -> OfTarget:
    """How a fact of an image is read; names of other things than its attributes are additional properties."""
    return _IMAGE.get(name, lambda _, image: image.properties.get(name, ABSENT))


def of_namespace(name: str) -> OfTarget:
    """How a fact of a namespace of metadata definitions is read."""
    return _NAMESPACE.get(name, of_nothing(name))


def of_proposal(name: str) -> OfTarget:
    """How a fact of a new image is read."""
    return _PROPOSAL.get(name, of_nothing(name))


def of_own(name: str) -> OfTarget:
    """How a fact of what the caller's project has is read."""
    return _OWN.get(name, of_nothing(name))


def of_described(name: str) -> OfTarget:
    """How a fact is read that somebody tells."""
    return lambda _, target: target.facts.get(name, ABSENT)


def of_nothing(_: str) -> OfTarget:
    """How a fact is read when the call is about no object."""
    return lambda *_: ABSENT


def _owner(image: Image | Proposal) -> Hashable:
    """Absent rather than none: who asks without a project, as services do, owns nothing."""
    return ABSENT if image.owner is None else image.owner


def _lent(caller: Caller, image: Image) -> Hashable:
    """The caller's project, if the image is another's and shared with it."""
    shared = image.visibility == "shared" and image.share is not None and image.owner != caller.project_id
    return caller.project_id if shared else ABSENT
