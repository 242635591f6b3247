"""The nouns of metadata definitions (spec: image-v2 25): namespaces, the parts in them, the kinds that parts have."""

from typing import Any, Literal

import msgspec

Visibility = Literal["public", "private"]

VISIBILITIES = ("public", "private")
SORT_KEYS = {
    "created_at": "created_at",
    "updated_at": "updated_at",
    "namespace": "name",
    "display_name": "display_name",
    "description": "description",
    "visibility": "visibility",
    "protected": "protected",
    "owner": "owner",
}
"""What a list of namespaces can be sorted by, and the attribute that it means."""
NAME_LENGTH = 80
"""Characters in the name of a namespace or of a part."""


class Namespace(msgspec.Struct):
    """A named collection of definitions; the fields are in the order of the columns of its table.

    Times are whole microseconds since 1970 in UTC. `id` stays when the namespace is renamed.
    """

    id: str
    name: str
    display_name: str | None
    description: str | None
    visibility: Visibility
    protected: bool
    owner: str
    created_at: int
    updated_at: int


class Draft(msgspec.Struct):
    """A namespace as someone wishes it; the owner is the caller's project when none is named."""

    name: str
    display_name: str | None = None
    description: str | None = None
    visibility: Visibility = "private"
    protected: bool = False
    owner: str | None = None


NOT_THERE = "Namespace {namespace} not found"
ABSENT = "Metadata definition namespace={namespace} was not found."
"""Glance has two sentences for one absent namespace."""


class Kind(msgspec.Struct, frozen=True):
    """What a part can be: how it is called in its table, the rules that guard it, and how its refusals are worded.

    The texts take `name` and `namespace`; `nowhere` words that the namespace is absent, `renamed` that a new name is
    in use. `clear`: the rules that guard the removal of all. `folded`: names that differ in case only are the same.
    """

    id: str
    index: str
    show: str
    add: str
    remove: str
    absent: str
    duplicate: str
    protected: str
    renamed: str = ""
    nowhere: str = NOT_THERE
    change: str = ""
    clear: tuple[str, ...] = ()
    folded: bool = False

    def key(self, name: str) -> str:
        """By what a part is told from others of its kind."""
        return name.lower() if self.folded else name


RESOURCE_TYPE = Kind(
    id="resource_type",
    index="list_metadef_resource_types",
    show="get_metadef_resource_type",
    add="add_metadef_resource_type_association",
    remove="remove_metadef_resource_type_association",
    absent="Failed to find resource type {name} to delete",
    duplicate=(
        "The metadata definition resource-type association of resource-type={name} to namespace={namespace}"
        " already exists."
    ),
    protected="Metadata definition resource-type-association {name} is protected and cannot be deleted.",
)
PROPERTY = Kind(
    id="property",
    index="get_metadef_properties",
    show="get_metadef_property",
    add="add_metadef_property",
    change="modify_metadef_property",
    remove="remove_metadef_property",
    clear=("delete_metadef_namespace",),
    absent="Could not find property {name}",
    duplicate="A metadata definition property with name={name} already exists in namespace={namespace}.",
    renamed=(
        "Invalid update. It would result in a duplicate metadata definition property with the same name={name}"
        " in namespace={namespace}."
    ),
    protected="Metadata definition property {name} is protected and cannot be deleted.",
)
OBJECT = Kind(
    id="object",
    index="get_metadef_objects",
    show="get_metadef_object",
    add="add_metadef_object",
    change="modify_metadef_object",
    remove="delete_metadef_object",
    clear=("delete_metadef_namespace",),
    nowhere=ABSENT,
    absent="Could not find metadata object {name}",
    duplicate="A metadata definition object with name={name} already exists in namespace={namespace}.",
    renamed=(
        "Invalid update. It would result in a duplicate metadata definition object with the same name={name}"
        " in namespace={namespace}."
    ),
    protected="Metadata definition object {name} is protected and cannot be deleted.",
)
_TAG_EXISTS = (
    "A metadata tag with name={name} already exists in namespace={namespace}."
    " (Please note that metadata tag names are case insensitive)."
)
TAG = Kind(
    id="tag",
    index="get_metadef_tags",
    show="get_metadef_tag",
    add="add_metadef_tag",
    change="modify_metadef_tag",
    remove="delete_metadef_tag",
    clear=("delete_metadef_namespace", "delete_metadef_tags"),
    absent="Could not find metadata tag {name}",
    duplicate=_TAG_EXISTS,
    renamed=_TAG_EXISTS,
    protected="Metadata definition tag {name} is protected and cannot be deleted.",
    folded=True,
)
KINDS = {kind.id: kind for kind in (RESOURCE_TYPE, PROPERTY, OBJECT, TAG)}


class Part(msgspec.Struct):
    """A property, an object, a tag or the association of a resource type; `body` is the rest of its document.

    An association's body has `prefix` and `properties_target`, a property's its definition, an
    object's `description`, `required` and `properties`, a tag's nothing; what was never said is not in it.
    """

    kind: Kind
    name: str
    body: dict[str, Any]
    created_at: int = 0
    updated_at: int = 0

    @property
    def key(self) -> str:
        """By what it is told from others of its kind."""
        return self.kind.key(self.name)


class ResourceType(msgspec.Struct):
    """A kind of thing that properties can be set on. Times as in `Namespace`."""

    name: str
    created_at: int
    updated_at: int


class Listing(msgspec.Struct):
    """A list of namespaces that someone asks for: newest first unless told otherwise; `limit` None is all.

    `resource_types`: only namespaces that are associated with one of these, all if empty; `visibility`: those alone.
    """

    limit: int | None = None
    sort_key: str = "created_at"
    sort_dir: Literal["asc", "desc"] = "desc"
    visibility: str | None = None
    resource_types: tuple[str, ...] = ()
    admin: bool = False
    project: str | None = None
    marker: Namespace | None = None
