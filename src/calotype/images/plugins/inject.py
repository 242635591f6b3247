"""`inject_image_metadata`: properties that the operator gives to imported images. Source: image-v2 24.3."""

from collections.abc import Collection, Mapping

from calotype.images.attributes import BASE, NAME_LENGTH, RESERVED, VALUE_BYTES
from calotype.images.model import keepable
from calotype.settings import Plugins, SettingsError


def injected(properties: Mapping[str, str], roles: Collection[str], settings: Plugins) -> dict[str, str]:
    """The additional properties of an image that a caller with `roles` imports; existing values are overwritten."""
    ignored = {role.casefold() for role in settings.ignore_user_roles}
    if ignored & {role.casefold() for role in roles}:
        return dict(properties)
    return {**properties, **{name: value for name, value in settings.inject.items() if not _internal(name)}}


def check_inject(settings: Plugins) -> None:
    """Raise SettingsError for what can be no property of an image."""
    for name, value in settings.inject.items():
        if _internal(name):
            continue
        if not name or len(name) > NAME_LENGTH or not keepable(name) or name in BASE or name in RESERVED:
            raise SettingsError(f"plugins.inject: {name!r} cannot be an additional property")
        if len(value.encode(errors="surrogatepass")) > VALUE_BYTES or not keepable(value):
            raise SettingsError(f"plugins.inject: the value of {name!r} cannot be kept")


def _internal(name: str) -> bool:
    """Names of the service itself are dropped, as Glance does it."""
    return name.startswith("os_glance")
