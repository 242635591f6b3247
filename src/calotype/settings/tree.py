"""Every setting, once, with its default and what it does: the groups that `apis`, `data` and `access` define, and the
rest."""

from pathlib import Path
from typing import Literal

import msgspec

from calotype.settings.access import Clients, Identity, Keystone, Policy, Rate
from calotype.settings.apis import Compute, Image
from calotype.settings.data import Cache, Imports, Jobs, Plugins, Quota, Signature, Store, Uris
from calotype.settings.section import Positive, Section, SettingsError


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
    """Believe a proxy in front, which removes what it does not write of `Forwarded` and `X-Forwarded-Proto`, `-Host`,
    `-Prefix` and `-For`."""
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
    stores: dict[str, Store] = msgspec.field(default_factory=dict)
    """Named stores, a table for each. Without any there is one store, DIR/images, and clients do not hear of it."""
    catalog: dict[str, Endpoint] = msgspec.field(default_factory=dict)
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
