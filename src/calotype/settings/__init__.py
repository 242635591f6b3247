"""Every setting: `tree.py` tells what there is, `sources.py` where it comes from, `checks.py` what is refused."""

from calotype.settings.access import Clients, Identity, Keystone, Policy, Rate
from calotype.settings.apis import CONTAINER_FORMATS, DISK_FORMATS, Compute, Image
from calotype.settings.checks import HOST_NAME, IMPORT_METHODS, OWN_SERVICES
from calotype.settings.data import Cache, Imports, Jobs, Plugin, Plugins, Quota, Signature, Store, Uris
from calotype.settings.section import Port, Positive, Seconds, Section, SettingsError
from calotype.settings.sources import load, unknown_variables
from calotype.settings.tree import Endpoint, Log, Settings, Tls

__all__ = [
    "CONTAINER_FORMATS",
    "DISK_FORMATS",
    "HOST_NAME",
    "IMPORT_METHODS",
    "OWN_SERVICES",
    "Cache",
    "Clients",
    "Compute",
    "Endpoint",
    "Identity",
    "Image",
    "Imports",
    "Jobs",
    "Keystone",
    "Log",
    "Plugin",
    "Plugins",
    "Policy",
    "Port",
    "Positive",
    "Quota",
    "Rate",
    "Seconds",
    "Section",
    "Settings",
    "SettingsError",
    "Signature",
    "Store",
    "Tls",
    "Uris",
    "load",
    "unknown_variables",
]
