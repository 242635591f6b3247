"""Which settings cannot be used, alone or together: each is refused by its name."""

import ipaddress
import re
from typing import Any
from urllib.parse import urlsplit

from calotype.settings.data import Uris
from calotype.settings.section import SettingsError
from calotype.settings.tree import Settings

IMPORT_METHODS = ("glance-direct", "web-download", "copy-image", "glance-download")

OWN_SERVICES = ("keystone", "glance", "nova")
"""Names of this service's own entries in the service catalogue."""

HOST_NAME = re.compile(
    r"(?=.{1,253}\Z)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*(?![0-9]+\Z|0x[0-9a-f]*\Z)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?",
    re.ASCII | re.IGNORECASE,
)
"""A name that nothing can take for an address: its last label is not a number."""

MEMCACHED_KEY = 16
"""Characters that the secret of the shared tokens has at least."""

_BOTH = {"image_conversion", "image_decompression"}
_URLS = (
    "public_endpoint",
    "identity.public_endpoint",
    "compute.link_prefix",
    "compute.image_link_prefix",
    "keystone.url",
)
_STORE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def checked(settings: Settings) -> Settings:
    """The settings; SettingsError."""
    _ = settings.address
    scheme = settings.database_url.partition("://")[0]
    if scheme not in ("sqlite", "postgresql", "postgres"):
        raise SettingsError(f"database: {scheme!r} is not known; use sqlite:///FILE or postgresql://USER@HOST/NAME")
    try:
        _ = urlsplit(settings.database_url).port
    except ValueError as error:
        raise SettingsError(f"database: not a URL: {error}") from None
    for name in _URLS:
        value: Any = settings
        for step in name.split("."):
            value = getattr(value, step)
        if value and not value.startswith(("http://", "https://")):
            raise SettingsError(f"{name}: {value!r} is not a URL; it begins with http:// or https://")
    enabled = settings.plugins.enabled
    if twice := sorted({name for name in enabled if enabled.count(name) > 1}):
        raise SettingsError(f"plugins.enabled: {twice[0]} is named twice")
    if enabled.index("image_conversion") < enabled.index("image_decompression") if {*enabled} >= _BOTH else False:
        raise SettingsError(
            "plugins.enabled: image_decompression comes before image_conversion, which reads its result"
        )
    if bool(settings.tls.certificate) != bool(settings.tls.key):
        raise SettingsError("tls: certificate and key go together; one of them is missing")
    _check_uris(settings.uris)
    _check_stores(settings)
    _check_catalog(settings)
    _check_quota(settings)
    if settings.identity.source == "keystone":
        _check_keystone(settings, "identity.source")
    _ = settings.rate.caller, settings.rate.address
    for method in settings.imports.methods:
        if method not in IMPORT_METHODS:
            raise SettingsError(f"imports.methods: {method!r} is not known; there are {', '.join(IMPORT_METHODS)}")
    return settings


def _check_quota(settings: Settings) -> None:
    _ = settings.quota.storage_bytes
    if not settings.quota.keystone_limits:
        return
    _check_keystone(settings, "quota.keystone_limits")
    keystone = settings.keystone
    if not (keystone.endpoint_id or keystone.service_type or keystone.service_name):
        raise SettingsError("quota.keystone_limits: keystone.endpoint_id, service_type or service_name has to be set")


def _check_keystone(settings: Settings, wanted_by: str) -> None:
    """A plugin says itself what it lacks, as it is made."""
    for name in ("url",) if settings.keystone.auth_type else ("url", "username", "password"):
        if not getattr(settings.keystone, name):
            raise SettingsError(f"{wanted_by}: keystone.{name} has to be set, too")
    if settings.keystone.client_key and not settings.keystone.client_certificate:
        raise SettingsError("keystone.client_key: keystone.client_certificate has to be set, too")
    for server in settings.keystone.memcached:
        host, _, port = server.rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise SettingsError(f"keystone.memcached: {server!r} is not HOST:PORT, for example 10.0.0.7:11211")
    if settings.keystone.memcached and len(settings.keystone.memcached_key) < MEMCACHED_KEY:
        raise SettingsError(
            f"keystone.memcached_key: a secret of {MEMCACHED_KEY} characters or more has to be set, too"
        )


def _check_stores(settings: Settings) -> None:
    for name in settings.stores:
        if not _STORE_NAME.fullmatch(name) or name.startswith("os_glance_"):
            raise SettingsError(
                f"stores.{name}: a name is made of letters, digits, `.`, `_` and `-`; os_glance_ is taken"
            )
    files = [name for name, each in settings.stores.items() if each.type == "file"]
    if len(settings.stores) - len(files) > 1:
        raise SettingsError("stores: one of the type `http` is enough; it reads every URL that [uris] allows")
    places = {settings.images.resolve(): "local"}
    for name in files:
        place = settings.store_directory(name).resolve()
        if places.setdefault(place, name) != name:
            raise SettingsError(
                f"stores.{name}: {place} is the directory of the store `{places[place]}`; each needs one of its own"
            )
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
