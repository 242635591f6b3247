"""Every setting, once, with its default and what it does."""

import re
from pathlib import Path
from typing import Annotated, Literal

import msgspec

DISK_FORMATS = ("ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "iso", "ploop")
CONTAINER_FORMATS = ("ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed")

_SIZE = re.compile(r"([0-9]{1,18})\s*(B|KB|MB|GB|TB)?", re.IGNORECASE)
_UNITS = {"": 1, "B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40}
_RATE = re.compile(r"([1-9][0-9]{0,8})/(s|m|h)")
_PERIODS = {"s": 1, "m": 60, "h": 3600}

Positive = Annotated[int, msgspec.Meta(ge=1)]
Plugin = Literal["no_op", "inject_image_metadata", "image_decompression", "image_conversion"]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=3600)]


class SettingsError(Exception):
    """A setting that cannot be used; the text says which one and why."""


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of every group of settings."""


class Compute(Section, frozen=True):
    """The Compute API's image calls (spec: compute-images 5, 10, 11)."""

    max_microversion: Annotated[str, msgspec.Meta(pattern=r"^2\.[1-9][0-9]*$")] = "2.104"
    """The highest microversion advertised and accepted."""
    metadata_items: int = 128
    """How many metadata items an image may have; -1 is unlimited."""
    page_limit: Positive = 1000
    """The page size that decides whether a list carries a `next` link."""
    list_cap: int = 0
    """The most images one list answers; 0 is no cap, as in Nova."""
    limit_overflow: Literal[200, 403] = 200
    """The answer to a `limit` above `page_limit`: 200 serves it, as Nova does; 403 refuses it (Huawei)."""
    deprecation_headers: bool = True
    """Send `Deprecation` (RFC 9745) and the successor `Link` on the deprecated calls."""
    link_prefix: str = ""
    """Replaces scheme and host of every compute link and prepends its path."""
    image_link_prefix: str = ""
    """Replaces scheme and host of the `alternate` link's base; trailing slashes go."""
    image_endpoint: str = ""
    """Base of the `alternate` link, used verbatim; empty: the image endpoint with a final slash, as Nova has it, from
    Keystone's catalogue if tokens are Keystone's."""
    self_version: Literal["request", "v2", "v2.1"] = "request"
    """Version in `self` links: the prefix the client used, or a fixed one (Huawei: v2)."""
    alternate_project: bool = False
    """Put the project id in the `alternate` link (Huawei: true)."""


class Image(Section, frozen=True):
    """The Image API v2 (spec: image-v2 4, 5, appendix A)."""

    disk_formats: tuple[str, ...] = DISK_FORMATS
    """The disk formats an image may have."""
    container_formats: tuple[str, ...] = CONTAINER_FORMATS
    """The container formats an image may have."""
    require_format_match: bool = True
    """Refuse data whose content is not the declared disk format."""
    property_protection_file: str = ""
    """INI file that says who may create, read, update and delete which additional properties; empty: everybody all."""
    property_protection_rule_format: Literal["roles", "policies"] = "roles"
    """What the values in that file are: lists of roles, or a policy rule each."""
    schema_file: str = ""
    """JSON file of schemas for additional properties (Glance's schema-image.json), or `standard` for the usual one."""
    gpt_safety_checks_nonfatal: tuple[Literal["mbr", "gptmbr"], ...] = ()
    """Accept bad partition tables: `mbr` all of them, `gptmbr` those with a GPT's protective entry."""
    virtual_size_cap: Annotated[int, msgspec.Meta(ge=0)] = 0
    """The largest disk inside an image, in bytes; larger ones are refused with 413; 0 is no limit."""
    property_quota: int = 128
    """Additional properties per image; negative is unlimited."""
    tag_quota: int = 128
    """Tags per image; negative is unlimited."""
    member_quota: int = 128
    """Members per image; negative is unlimited."""
    size_cap: Positive = 2**40
    """The largest image, in bytes."""
    default_limit: Positive = 25
    """Page size of a list that asks for none."""
    max_limit: Positive = 1000
    """The largest page; larger requests are clamped."""
    max_body: Positive = 1024 * 1024
    """The largest JSON body, in bytes."""
    max_operations: Positive = 1000
    """The most operations in one PATCH."""
    max_request_id: int = 64
    """The longest request id accepted from a client; 0 is no limit."""
    default_store: str = ""
    """The store for data that names none; empty: the first `file` store of the configuration."""
    location_quota: int = 10
    """Locations per image; negative is unlimited."""
    do_secure_hash: bool = True
    """Compute the hashes of data that is added by its URL."""
    show_direct_url: bool = False
    """Show the URL of an image's data as `direct_url`."""
    show_locations: bool = False
    """Show the URLs of an image's data as `locations` and take changes of them (Glance: show_multiple_locations)."""


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
    keep_hours: Annotated[float, msgspec.Meta(gt=0)] = 48.0
    """For how long an ended task is shown."""


class Imports(Section, frozen=True):
    """Imports of image data (spec: image-v2 13)."""

    methods: tuple[str, ...] = ("glance-direct", "web-download", "copy-image")
    """The methods offered; `glance-download` is the one that is not by default."""
    slowest: int = 1024
    """A download that brings fewer bytes a second, over half a minute, fails."""
    glance_properties: tuple[str, ...] = ("hw_", "trait:", "os_distro", "os_secure_boot", "os_type")
    """Beginnings of the names of the properties that `glance-download` takes over."""
    glance_endpoints: dict[str, str] = {}
    """Image endpoints of other regions, by region, for `glance-download`; the own region is known."""


class Plugins(Section, frozen=True):
    """What is done to the data of an import before it is stored (spec: image-v2 24.3)."""

    enabled: tuple[Plugin, ...] = ()
    """In this order: `no_op`, `inject_image_metadata`, `image_decompression`, `image_conversion`."""
    inject: dict[str, str] = {}
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


class Keystone(Section, frozen=True):
    """The Keystone that tokens (`identity.source`) and limits (`quota.keystone_limits`) are asked of, and as whom."""

    url: str = ""
    """Its URL, for example https://keystone.example/v3."""
    username: str = ""
    """The user: with the role service it validates tokens and reads revocations, as reader for the system limits."""
    password: str = ""
    """Its password; better given as CALOTYPE_KEYSTONE_PASSWORD."""
    user_domain: str = "Default"
    """The name of the user's domain."""
    project: str = ""
    """The name of the project that it acts in; empty: the system as a whole."""
    project_domain: str = "Default"
    """The name of the project's domain."""
    auth_type: str = ""
    """A plugin of keystoneauth to log in by, for example `v3applicationcredential`; empty: the user above."""
    auth: dict[str, str] = {}
    """The plugin's options, as keystoneauth names them; `auth_url` is `url` if it is not there."""
    endpoint_id: str = ""
    """The endpoint of the image service, whose service and region the limits are registered for; empty: look for it."""
    service_type: str = "image"
    """The type of the service to look for, for limits and for the image endpoint in links."""
    service_name: str = ""
    """The name of the service to look for; empty: any."""
    region: str = ""
    """The region of the endpoint to look for; empty: any."""
    interface: Literal["public", "internal", "admin"] = "public"
    """The interface of the endpoint to look for."""
    certificates: str = ""
    """PEM file of the authorities that Keystone's certificate is checked against; empty: those of the system."""
    insecure: bool = False
    """Do not check that certificate: whoever is on the way then learns every token."""
    client_certificate: str = ""
    """PEM file of the certificate to show to Keystone; empty: none."""
    client_key: str = ""
    """PEM file of its key; empty: it is in the file of the certificate."""
    timeout_seconds: Annotated[float, msgspec.Meta(gt=0)] = 10.0
    """How long one question to it may take."""
    token_seconds: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 300.0
    """How long a validated token counts before Keystone has to be asked again, so also how long without Keystone."""
    revocation_seconds: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 5.0
    """How often to ask for revocations, which end a validated token before that; 0 is never."""
    memcached: tuple[str, ...] = ()
    """HOST:PORT of memcached servers, where workers share what they know of tokens; empty: each keeps its own."""
    memcached_key: str = ""
    """Secret of those workers, by which it is encrypted there; better given as CALOTYPE_KEYSTONE_MEMCACHED_KEY."""
    service_token_roles: tuple[str, ...] = ("service",)
    """A token in X-Service-Token counts if it has one of these roles."""

    def __repr__(self) -> str:
        """Without the secrets and the plugin's options."""
        return f"Keystone(url={self.url!r}, username={self.username!r}, auth_type={self.auth_type!r})"


class Identity(Section, frozen=True):
    """Whose tokens count, and the built-in identity (spec: identity-and-huawei A)."""

    source: Literal["builtin", "keystone"] = "builtin"
    """`builtin`: accounts and tokens of this service. `keystone`: those of the Keystone of `keystone.url`."""
    token_hours: Annotated[float, msgspec.Meta(gt=0, le=876_000)] = 24.0
    """How long a token lives."""
    region: str = "RegionOne"
    """Region of the service catalogue."""
    public_endpoint: str = ""
    """Identity URL in catalogue, discovery and `WWW-Authenticate`; empty: Keystone's, or derived from the request."""
    password_memory_kib: Positive = 19456
    """Memory of one Argon2id hash, in KiB (RFC 9106; the OWASP minimum)."""
    password_iterations: Positive = 2
    """Passes of one Argon2id hash."""
    access_key_file: str = ""
    """The key that secrets of access keys are encrypted with; empty: access-keys.key in the data directory, made with
    the first access key. Hosts that share a database need the same."""
    signature_seconds: Annotated[float, msgspec.Meta(ge=1, le=86_400)] = 900.0
    """How far the time of a request that is signed with an access key may be from the time here."""
    lockout_attempts: Annotated[int, msgspec.Meta(ge=0)] = 0
    """After how many wrong passwords in a row a user is locked out; 0: never, as in Keystone."""
    lockout_minutes: Annotated[float, msgspec.Meta(gt=0)] = 30.0
    """For how long; then, and after a right password, counting begins anew."""


class Policy(Section, frozen=True):
    """Who may do what with images: rules that differ from Glance's defaults, in oslo.policy's language."""

    file: str = ""
    """policy.yaml: rules by name. `calotype policy sample` prints one with every rule and its default."""
    directory: str = ""
    """Directory of more such files, read after it in the order of their names; a later one wins."""


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


class Endpoint(Section, frozen=True):
    """One service that is not this one."""

    type: str = ""
    """Type of the service, for example `image`."""
    url: str = ""
    """Its URL, for all interfaces."""
    region: str = ""
    """Where it is; empty: `identity.region`."""


class Rate(Section, frozen=True):
    """How often one may ask. Counted by each worker process for itself: N of them let N times as much pass."""

    per_caller: str = ""
    """Requests of one user: NUMBER/s, /m or /h, for example 100/s; empty: any number."""
    caller_burst: Annotated[int, msgspec.Meta(ge=0)] = 0
    """How many of them at once, after a pause; 0: the number in `per_caller`."""
    per_address: str = ""
    """Log-ins and requests without a valid token or signature, from one address (IPv6: one /64); as `per_caller`."""
    address_burst: Annotated[int, msgspec.Meta(ge=0)] = 0
    """How many of them at once, after a pause; 0: the number in `per_address`."""

    @property
    def caller(self) -> tuple[float, float] | None:
        """Requests a second and at once of one user, None for any number; raises SettingsError."""
        return _rate("per_caller", self.per_caller, self.caller_burst)

    @property
    def address(self) -> tuple[float, float] | None:
        """The same for one address."""
        return _rate("per_address", self.per_address, self.address_burst)


def _rate(name: str, text: str, burst: int) -> tuple[float, float] | None:
    if not text:
        return None
    match = _RATE.fullmatch(text)
    if match is None:
        raise SettingsError(f"rate.{name}: {text!r} is no rate; write a number and /s, /m or /h, for example 100/s")
    number = int(match[1])
    return number / _PERIODS[match[2]], float(burst or number)


class Clients(Section, frozen=True):
    """How slow clients may be before they are cut off."""

    head_seconds: Annotated[float, msgspec.Meta(ge=1, le=3600)] = 30.0
    """How long the head of a request may take, from its connection or the answer before it."""
    body_pace: Annotated[int, msgspec.Meta(ge=0)] = 64
    """A body, uploads included, that brings fewer bytes a second than this is cut off; 0: never."""
    body_seconds: Annotated[float, msgspec.Meta(ge=1, le=3600)] = 120.0
    """Over how long that is measured: so long a client may pause."""


class Log(Section, frozen=True):
    """What is written about each request."""

    requests: bool = True
    """Write one line per request."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severity written."""
    format: Literal["json", "text"] = "json"
    """JSON objects, one a line, or plain text."""


class Tls(Section, frozen=True):
    """TLS, when both files are given."""

    certificate: str = ""
    """PEM file with the certificate chain."""
    key: str = ""
    """PEM file with the private key."""


class Settings(Section, frozen=True):
    """The whole tree."""

    data: str = "calotype-data"
    """Directory of everything that is kept: database, images, clouds.yaml."""
    bind: str = "127.0.0.1:8776"
    """HOST:PORT to listen on; an IPv6 host in brackets."""
    workers: Positive = 1
    """Worker processes."""
    server: Literal["granian", "uvicorn"] = "granian"
    """The ASGI server."""
    stop_seconds: Positive = 30
    """How long a stop waits for the requests under way; what is not finished then is broken off."""
    database: str = ""
    """`sqlite:///FILE` or `postgresql://USER@HOST/NAME`; empty: SQLite in the data directory."""
    public_endpoint: str = ""
    """URL under which clients reach the service; empty: derived from each request."""
    proxy_headers: bool = False
    """Believe `Forwarded` and `X-Forwarded-*` headers of a proxy in front."""
    compute: Compute = Compute()
    image: Image = Image()
    imports: Imports = Imports()
    plugins: Plugins = Plugins()
    signature: Signature = Signature()
    jobs: Jobs = Jobs()
    cache: Cache = Cache()
    quota: Quota = Quota()
    keystone: Keystone = Keystone()
    identity: Identity = Identity()
    policy: Policy = Policy()
    uris: Uris = Uris()
    rate: Rate = Rate()
    clients: Clients = Clients()
    log: Log = Log()
    tls: Tls = Tls()
    stores: dict[str, Store] = {}
    """Named stores, a table for each. Without any there is one store, DIR/images, and clients do not hear of it."""
    catalog: dict[str, Endpoint] = {}
    """Other services of the service catalogue, a table for each: of another region, or on another machine."""

    def __repr__(self) -> str:
        """Without the database's URL, which may hold a password."""
        shown = {name: getattr(self, name) for name in self.__struct_fields__}
        shown["database"] = self.database.partition("://")[0]
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    @property
    def directory(self) -> Path:
        """The data directory."""
        return Path(self.data)

    @property
    def images(self) -> Path:
        """The directory of the local store: one file per image."""
        return self.directory / "images"

    def store_directory(self, name: str) -> Path:
        """The directory of a named `file` store."""
        return self.directory / (self.stores[name].directory or ("images" if name == "local" else name))

    @property
    def access_key_file(self) -> Path:
        """The file of the key that secrets of access keys are encrypted with."""
        return Path(self.identity.access_key_file or self.directory / "access-keys.key")

    @property
    def database_url(self) -> str:
        """The database URL, the default filled in."""
        return self.database or f"sqlite:///{self.directory.absolute() / 'calotype.db'}"

    @property
    def identity_url(self) -> str:
        """The configured URL of identity v3, without a final slash; empty if none is."""
        elsewhere = self.keystone.url if self.identity.source == "keystone" else ""
        url = (self.identity.public_endpoint or elsewhere).rstrip("/")
        return url if not url or url.endswith("/v3") else f"{url}/v3"

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to listen on; raises SettingsError."""
        host, _, port = self.bind.rpartition(":")
        if not host or not port.isdigit() or int(port) > 65535:
            raise SettingsError(f"bind: {self.bind!r} is not HOST:PORT, for example 127.0.0.1:8776")
        return host.strip("[]"), int(port)
