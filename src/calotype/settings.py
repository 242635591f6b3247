"""Every setting, once: one frozen tree built from defaults, a TOML file, `CALOTYPE_*` variables and flags.

A variable is named after its place in the tree: `compute.link_prefix` is `CALOTYPE_COMPUTE_LINK_PREFIX`.
Later sources win: file, then environment, then flags.
"""

import ipaddress
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_origin
from urllib.parse import urlsplit

import msgspec

DISK_FORMATS = ("ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "iso", "ploop")
CONTAINER_FORMATS = ("ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed")

IMPORT_METHODS = ("glance-direct", "web-download", "copy-image", "glance-download")

OWN_SERVICES = ("keystone", "glance", "nova")
"""Names of this service's own entries in the service catalogue."""

_STORE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

Positive = Annotated[int, msgspec.Meta(ge=1)]
Plugin = Literal["no_op", "inject_image_metadata", "image_decompression", "image_conversion"]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=3600)]

HOST_NAME = re.compile(
    r"(?=.{1,253}\Z)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*(?![0-9]+\Z|0x[0-9a-f]*\Z)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?",
    re.ASCII | re.IGNORECASE,
)
"""A name that nothing can take for an address: its last label is not a number."""

_OTHER_VARIABLES = ("CALOTYPE_ADMIN_PASSWORD", "CALOTYPE_CONFIG", "CALOTYPE_TESTS_NO_SKIP")


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
    """Base of the `alternate` link, used verbatim; empty: the image endpoint with a final slash, as Nova has it."""
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
    max_body: Positive = 4 * 1024 * 1024
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

    concurrency: Positive = 2
    """How many tasks one worker process runs at a time."""
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


class Identity(Section, frozen=True):
    """The built-in identity (spec: identity-and-huawei A)."""

    token_hours: Annotated[float, msgspec.Meta(gt=0, le=876_000)] = 24.0
    """How long a token lives."""
    region: str = "RegionOne"
    """Region of the service catalogue."""
    public_endpoint: str = ""
    """Identity URL in catalogue, discovery and `WWW-Authenticate`; empty: derived from the request."""
    password_memory_kib: Positive = 19456
    """Memory of one Argon2id hash, in KiB (RFC 9106; the OWASP minimum)."""
    password_iterations: Positive = 2
    """Passes of one Argon2id hash."""


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
    identity: Identity = Identity()
    uris: Uris = Uris()
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

    @property
    def database_url(self) -> str:
        """The database URL, the default filled in."""
        return self.database or f"sqlite:///{self.directory.absolute() / 'calotype.db'}"

    @property
    def identity_url(self) -> str:
        """The configured URL of identity v3, without a final slash; empty if none is."""
        url = self.identity.public_endpoint.rstrip("/")
        return url if not url or url.endswith("/v3") else f"{url}/v3"

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to listen on; raises SettingsError."""
        host, _, port = self.bind.rpartition(":")
        if not host or not port.isdigit() or int(port) > 65535:
            raise SettingsError(f"bind: {self.bind!r} is not HOST:PORT, for example 127.0.0.1:8776")
        return host.strip("[]"), int(port)


def load(path: str | None = None, environment: Mapping[str, str] = {}, flags: Mapping[str, Any] = {}) -> Settings:
    """Build the tree; `flags` are top-level settings, those with value None are left out. Raises SettingsError."""
    tree = _read(path) if path else {}
    for place, text in _variables(environment):
        _put(tree, place, text)
    tree.update({name: value for name, value in flags.items() if value is not None})
    try:
        settings = msgspec.convert(tree, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"settings: {error}") from None
    return _checked(settings)


def _checked(settings: Settings) -> Settings:
    _ = settings.address
    scheme = settings.database_url.partition("://")[0]
    if scheme not in ("sqlite", "postgresql", "postgres"):
        raise SettingsError(f"database: {scheme!r} is not known; use sqlite:///FILE or postgresql://USER@HOST/NAME")
    try:
        _ = urlsplit(settings.database_url).port
    except ValueError as error:
        raise SettingsError(f"database: not a URL: {error}") from None
    for name in ("public_endpoint", "identity.public_endpoint", "compute.link_prefix", "compute.image_link_prefix"):
        value: Any = settings
        for step in name.split("."):
            value = getattr(value, step)
        if value and not value.startswith(("http://", "https://")):
            raise SettingsError(f"{name}: {value!r} is not a URL; it begins with http:// or https://")
    enabled = settings.plugins.enabled
    if twice := sorted({name for name in enabled if enabled.count(name) > 1}):
        raise SettingsError(f"plugins.enabled: {twice[0]} is named twice")
    if bool(settings.tls.certificate) != bool(settings.tls.key):
        raise SettingsError("tls: certificate and key go together; one of them is missing")
    _check_uris(settings.uris)
    _check_stores(settings)
    _check_catalog(settings)
    for method in settings.imports.methods:
        if method not in IMPORT_METHODS:
            raise SettingsError(f"imports.methods: {method!r} is not known; there are {', '.join(IMPORT_METHODS)}")
    return settings


def _check_stores(settings: Settings) -> None:
    for name in settings.stores:
        if not _STORE_NAME.fullmatch(name) or name.startswith("os_glance_"):
            raise SettingsError(
                f"stores.{name}: a name is made of letters, digits, `.`, `_` and `-`; os_glance_ is taken"
            )
    files = [name for name, each in settings.stores.items() if each.type == "file"]
    if settings.stores and not files:
        raise SettingsError("stores: one of them has to be of the type `file`, for data that clients upload")
    if settings.image.default_store and settings.image.default_store not in files:
        raise SettingsError(f"image.default_store: {settings.image.default_store!r} is not one of the `file` stores")
    for name in settings.cache.stores:
        if name not in settings.stores and name != "local":
            raise SettingsError(f"cache.stores: {name!r} is not one of the stores")


def _check_uris(uris: Uris) -> None:
    for scheme in uris.disallowed_schemes:
        if not re.fullmatch(r"[a-z][a-z0-9+.-]*", scheme):
            raise SettingsError(f"uris.disallowed_schemes: {scheme!r} is not a scheme; they are written as http is")
    for name in ("allowed_hosts", "disallowed_hosts"):
        for host in getattr(uris, name):
            if not _is_host(host):
                raise SettingsError(
                    f"uris.{name}: {host!r} is neither a host name nor an address; "
                    "no scheme, port, brackets or final dot, and non-ASCII names as xn--"
                )
    for network in uris.allowed_networks:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            raise SettingsError(f"uris.allowed_networks: {error}; for example 10.20.0.0/24") from None


def _is_host(text: str) -> bool:
    try:
        return "%" not in str(ipaddress.ip_address(text))
    except ValueError:
        return HOST_NAME.fullmatch(text) is not None


def _check_catalog(settings: Settings) -> None:
    for name, each in settings.catalog.items():
        if not name or name in OWN_SERVICES:
            raise SettingsError(
                f"catalog.{name}: the name is taken, or empty; {', '.join(OWN_SERVICES)} are this service"
            )
        if not each.type:
            raise SettingsError(f"catalog.{name}.type: say of which type the service is, for example image")
        if not each.url.startswith(("http://", "https://")):
            raise SettingsError(f"catalog.{name}.url: {each.url!r} is not a URL; it begins with http:// or https://")


def _read(path: str) -> dict[str, Any]:
    try:
        return tomllib.loads(Path(path).read_text())
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from None


def _places() -> list[tuple[list[str], Any]]:
    """Every setting's place in the tree and its type."""
    places: list[tuple[list[str], Any]] = []
    for top in msgspec.structs.fields(Settings):
        if isinstance(top.type, type) and issubclass(top.type, Section):
            places += [([top.name, field.name], field.type) for field in msgspec.structs.fields(top.type)]
        else:
            places.append(([top.name], top.type))
    return places


def _variables(environment: Mapping[str, str]) -> list[tuple[list[str], Any]]:
    found: list[tuple[list[str], Any]] = []
    for place, kind in _places():
        text = environment.get("CALOTYPE_" + "_".join(place).upper())
        if text is not None:
            found.append((place, _parsed(".".join(place), text, kind)))
    return found


def _parsed(name: str, text: str, kind: Any) -> Any:
    """The value of a variable: lists are `a,b`, tables `a=b,c=d`; in the file they may hold commas."""
    if get_origin(kind) is tuple:
        return _items(text)
    if get_origin(kind) is not dict:
        return text
    if wrong := [item for item in _items(text) if "=" not in item]:
        raise SettingsError(f"{name}: {wrong[0]!r} is not NAME=VALUE")
    return dict(item.split("=", 1) for item in _items(text))


def _items(text: str) -> list[str]:
    """The members of a list in a variable, separated by commas."""
    return [item.strip() for item in text.split(",")] if text.strip() else []


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Variables that look like settings and are none."""
    known = {"CALOTYPE_" + "_".join(place).upper() for place, _ in _places()} | set(_OTHER_VARIABLES)
    return sorted(name for name in environment if name.startswith("CALOTYPE_") and name not in known)


def _put(tree: dict[str, Any], place: list[str], value: Any) -> None:
    for name in place[:-1]:
        tree = tree.setdefault(name, {})
        if not isinstance(tree, dict):
            raise SettingsError(f"settings: `{name}` is a section, not a value")
    tree[place[-1]] = value
