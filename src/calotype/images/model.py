"""The nouns of the domain: an image, a share of it, a list of images, and the words their fields may hold."""

import re
import time
from typing import Any, Literal

import msgspec

Status = Literal["queued", "saving", "uploading", "importing", "active", "deactivated", "killed"]
Visibility = Literal["public", "community", "shared", "private"]
MemberStatus = Literal["pending", "accepted", "rejected"]

TaskType = Literal["import", "api_image_import", "location_import"]
TaskStatus = Literal["pending", "processing", "success", "failure"]

TASK_STATUSES = ("pending", "processing", "success", "failure")
TASK_SORT_KEYS = (
    "id",
    "type",
    "status",
    "owner",
    "user_id",
    "request_id",
    "image_id",
    "created_at",
    "updated_at",
    "expires_at",
)
VISIBILITIES = ("public", "community", "shared", "private")
MEMBER_STATUSES = ("pending", "accepted", "rejected")
SORT_KEYS = ("name", "status", "container_format", "disk_format", "size", "id", "created_at", "updated_at")
PROPERTY_HEAD = 128
"""How many characters of a property's value its index holds."""

LOCK = "os_glance_import_task"
"""The property that names the task an image waits for."""
IMPORTING = "os_glance_importing_to_stores"
"""The additional property that names, while an import runs, the stores that it still has to fill."""

_SURROGATE = re.compile("[\ud800-\udfff]")

Kind = Literal["in", "eq", "neq", "gt", "gte", "lt", "lte", "property", "tag", "none"]


class Location(msgspec.Struct, frozen=True):
    """Where data lies: a store, and a name as that store understands it. `metadata` is what clients put beside it."""

    store: str
    name: str
    metadata: dict[str, Any] = {}

    @property
    def owned(self) -> bool:
        """Whether the data is this service's own: other people's has a URL for a name, and many images may have it."""
        return "://" not in self.name


class Image(msgspec.Struct):
    """One image as it is kept; the fields are in the order of the columns of `database.tables.images`.

    Sizes are bytes, `min_ram` MiB, `min_disk` GiB, times whole microseconds since 1970 in UTC.
    `locations` are the copies of the data in the order in which they were made, `staged` is data that waits for its
    import, and `upload` names the data being written. `attempts` counts the names given to data, so that none is ever
    used twice. `reserved` are bytes promised to data on its way. A property is text, or null where the operator's
    schemas let it be; a number or a boolean is kept as JSON writes it. `share` is the state of the image's share with
    the project that asks.
    """

    id: str
    name: str | None
    owner: str | None
    status: Status
    visibility: Visibility
    protected: bool
    os_hidden: bool
    disk_format: str | None
    container_format: str | None
    min_disk: int
    min_ram: int
    size: int | None
    virtual_size: int | None
    checksum: str | None
    os_hash_algo: str | None
    os_hash_value: str | None
    created_at: int
    updated_at: int
    upload: str | None
    attempts: int
    properties: dict[str, str | None]
    tags: list[str]
    locations: list[Location] = []
    staged: Location | None = None
    reserved: int = 0
    share: MemberStatus | None = None

    @property
    def charged(self) -> int:
        """What counts against the owner's storage quota: the size once for each location, and what is reserved."""
        return (self.size or 0) * len(self.locations) + self.reserved


class Membership(msgspec.Struct):
    """A project that an image is shared with. Times as in `Image`."""

    image_id: str
    member_id: str
    status: MemberStatus
    created_at: int
    updated_at: int


class Task(msgspec.Struct):
    """Work that outlives its request; the fields are in the order of the columns of `database.tables.tasks`.

    Times as in `Image`. `state` belongs to the kind of work: how far it came, for whoever goes on after a worker
    died. `secret` is for the work alone and never shown.
    """

    id: str
    type: TaskType
    status: TaskStatus
    owner: str | None
    user_id: str | None
    request_id: str | None
    image_id: str | None
    input: dict[str, Any]
    result: dict[str, Any] | None
    message: str
    created_at: int
    updated_at: int
    expires_at: int | None
    state: dict[str, Any]
    holder: str
    lease_until: int
    attempts: int
    cancelled: bool
    secret: dict[str, Any] | None


class Received(msgspec.Struct):
    """What is known of data once the last byte is stored: bytes, hex digests, and the disk size inside."""

    size: int
    checksum: str
    os_hash_algo: str
    os_hash_value: str
    virtual_size: int | None


class Filter(msgspec.Struct, frozen=True):
    """One condition. `name` is a column of the image for all kinds but `property`, `tag` and `none`."""

    kind: Kind
    name: str
    values: tuple[Any, ...]

    @property
    def shape(self) -> tuple[str, str, int]:
        """What of the condition is SQL; the values are parameters."""
        return self.kind, self.name, len(self.values)


def with_property(name: str, value: str) -> Filter:
    """The additional property `name` equals `value`."""
    return Filter("property", "", (name, value, value[:PROPERTY_HEAD]))


def with_tag(tag: str) -> Filter:
    """The image carries the tag."""
    return Filter("tag", "", (tag,))


def nothing() -> Filter:
    """No image fits."""
    return Filter("none", "", ())


class Listing(msgspec.Struct, kw_only=True):
    """A list of images (spec: image-v2 8.2, 9.3).

    `visibility` None leaves out foreign community images; "all" leaves out nothing. `member_status` None means any.
    `sort` holds pairs of a key of SORT_KEYS and "asc" or "desc", ending in a unique key. `limit` None is all.
    """

    admin: bool = False
    project: str | None = None
    filters: list[Filter] = []
    visibility: str | None = None
    member_status: MemberStatus | None = "accepted"
    hidden: bool = False
    sort: tuple[tuple[str, str], ...] = (("created_at", "desc"), ("id", "desc"))
    limit: int | None = None
    marker: Image | None = None


def named(image: Image) -> tuple[str, Image]:
    """A name that was never given to data before, and the image that remembers that it was given out."""
    name = image.id if image.attempts == 0 else f"{image.id}.{image.attempts}"
    return name, msgspec.structs.replace(image, attempts=image.attempts + 1)


def now() -> int:
    """The present, in microseconds since 1970."""
    return time.time_ns() // 1000


def keepable(text: str) -> bool:
    """Whether a database can hold the text at all: it has no NUL and no half of a surrogate pair."""
    return "\0" not in text and (text.isascii() or _SURROGATE.search(text) is None)
