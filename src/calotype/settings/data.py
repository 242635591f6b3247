"""Settings of image data: where it is kept, how it gets there, how much of it there may be."""

import re
from typing import Annotated, Literal

import msgspec

from calotype.settings.section import Port, Positive, Seconds, Section, SettingsError

_SIZE = re.compile(r"([0-9]{1,18})\s*(B|KB|MB|GB|TB)?", re.IGNORECASE)
_UNITS = {"": 1, "B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40}

Plugin = Literal["no_op", "inject_image_metadata", "image_decompression", "image_conversion"]


class Store(Section, frozen=True):
    """One named store."""

    type: Literal["file", "http"] = "file"
    """`file`: a directory. `http`: URLs that clients give, only to be read."""
    directory: str = ""
    """Where a `file` store keeps its data; empty: its name, in the data directory."""
    description: str = ""
    """What `info/stores` says of it."""
    weight: int = 0
    """Data is read from the store with the highest weight that has it."""


class Jobs(Section, frozen=True):
    """Work that outlives its request: imports, hashes of external data (spec: image-v2 19)."""

    concurrency: Positive = 4
    """How many tasks one worker process runs at a time."""
    per_project: Positive = 2
    """How many tasks of one project run at a time, on all workers: a slow download must not keep others waiting."""
    lease_seconds: Annotated[float, msgspec.Meta(ge=1, le=3600)] = 10.0
    """For how long a worker that gives no sign of life keeps a task; then another one takes over."""
    attempts: Positive = 5
    """How often a task is begun before it fails, when workers die of it or storage cannot be reached."""
    keep_hours: Annotated[float, msgspec.Meta(gt=0, le=876_000)] = 48.0
    """For how long an ended task is shown."""


class Imports(Section, frozen=True):
    """Imports of image data (spec: image-v2 13)."""

    methods: tuple[str, ...] = ("glance-direct", "web-download", "copy-image")
    """The methods offered; `glance-download` is the one that is not by default."""
    slowest: int = 1024
    """A download that brings fewer bytes a second, over half a minute, fails."""
    glance_properties: tuple[str, ...] = ("hw_", "trait:", "os_distro", "os_secure_boot", "os_type")
    """Beginnings of the names of the properties that `glance-download` takes over."""
    glance_endpoints: dict[str, str] = msgspec.field(default_factory=dict)
    """Image endpoints of other regions, by region, for `glance-download`; the own region is known."""


class Plugins(Section, frozen=True):
    """What is done to the data of an import before it is stored (spec: image-v2 24.3)."""

    enabled: tuple[Plugin, ...] = ()
    """In this order: `no_op`, `inject_image_metadata`, `image_decompression`, `image_conversion`."""
    inject: dict[str, str] = msgspec.field(default_factory=dict)
    """Properties that `inject_image_metadata` gives to an image, NAME = "VALUE"."""
    ignore_user_roles: tuple[str, ...] = ("admin",)
    """Images of callers with one of these roles are given none."""
    output_format: Literal["raw", "qcow2", "vmdk"] = "raw"
    """The disk format that `image_conversion` makes."""
    vmdk_allowed_types: tuple[Literal["streamOptimized", "monolithicSparse"], ...] = (
        "streamOptimized",
        "monolithicSparse",
    )
    """The createTypes of VMDKs that are converted; others are refused."""
    qemu_img: str = "qemu-img"
    """The program that converts: a path, or a name on the PATH."""
    convert_seconds: Positive = 3600
    """How long a conversion may take."""
    convert_cpu_seconds: Positive = 1800
    """How much processor time it may use."""
    convert_address_space: Positive = 2**30
    """How much memory it may map, in bytes."""


class Signature(Section, frozen=True):
    """Signed images (spec: image-v2 24.2)."""

    certificates: str = ""
    """Directory of the certificates that `img_signature_certificate_uuid` names: UUID.pem; empty: none is known."""


class Cache(Section, frozen=True):
    """Copies of images on a disk of this host, in front of slow stores (spec: image-v2 22)."""

    directory: str = ""
    """Where the copies are, in the data directory if it is no absolute path; empty: there is no cache."""
    size: Positive = 10 * 2**30
    """The bytes that all copies may take."""
    stall_seconds: Positive = 86_400
    """How long a copy may wait for its next byte, and a fetch in the queue for its success; then it is given up."""
    stores: tuple[str, ...] = ()
    """The stores that are read through it; empty: those whose data is no file of this host."""


class Quota(Section, frozen=True):
    """What a project may have (spec: image-v2 5). The four limits count as Keystone's of the same names do."""

    storage: int | str = "0"
    """Image data per project: bytes, or a number with B, KB, MB, GB or TB (of 1024); 0 is off. Unused with
    `keystone_limits`."""
    image_size_total: int = -1
    """MiB of image data per project; 0 is none, negative is unlimited."""
    image_stage_total: int = -1
    """MiB staged for imports per project; 0 is none, negative is unlimited."""
    image_count_total: int = -1
    """Images per project; 0 is none, negative is unlimited."""
    image_count_uploading: int = -1
    """Images per project that data is on its way to; 0 is none, negative is unlimited."""
    keystone_limits: bool = False
    """Ask Keystone for the four limits of each project (unified limits) instead of taking them from here."""
    cache_seconds: Annotated[float, msgspec.Meta(ge=0)] = 60.0
    """How long a project's limits count before Keystone is asked again."""
    stale_seconds: Annotated[float, msgspec.Meta(ge=0)] = 900.0
    """How long they go on counting when Keystone cannot be asked; after that what needs them is answered with 503."""

    @property
    def storage_bytes(self) -> int | None:
        """The storage quota in bytes, None if it is off; raises SettingsError."""
        match = _SIZE.fullmatch(str(self.storage).strip())
        if match is None:
            raise SettingsError(f"quota.storage: {self.storage!r} is no size; write a number with B, KB, MB, GB or TB")
        return int(match[1]) * _UNITS[(match[2] or "").upper()] or None


class Uris(Section, frozen=True):
    """Which URLs may be read for users (spec: image-v2 13.3); a disallowed list counts if the allowed one is empty."""

    allowed_schemes: tuple[Literal["http", "https"], ...] = ("http", "https")
    """The schemes a URL may have."""
    disallowed_schemes: tuple[str, ...] = ()
    """The schemes it may not have."""
    allowed_hosts: tuple[str, ...] = ()
    """The only hosts that may be read, as the URL has them; they may have addresses that are not public."""
    disallowed_hosts: tuple[str, ...] = ()
    """Hosts that may not be read: as the URL has them, or addresses that a name resolves to."""
    allowed_ports: tuple[Port, ...] = (80, 443)
    """The ports that may be written in a URL."""
    disallowed_ports: tuple[Port, ...] = ()
    """The ports that may not."""
    allowed_networks: tuple[str, ...] = ()
    """Networks, as 10.20.0.0/24, that may be read although they are not public (private, loopback, link-local, ...)."""
    redirects: Annotated[int, msgspec.Meta(ge=0, le=50)] = 5
    """How many redirects of one request are followed; each target passes the same rules."""
    connect_seconds: Seconds = 10.0
    """How long each of these may take: finding the host's addresses, connecting, agreeing on TLS."""
    read_seconds: Seconds = 30.0
    """How long the head of an answer, and then each next piece of its body, may take."""
