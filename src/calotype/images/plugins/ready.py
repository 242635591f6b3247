"""Whether what the settings ask of plugins and signatures is there; asked at the start and by `calotype doctor`."""

from calotype.images.plugins.convert import check_convert
from calotype.images.plugins.inject import check_inject
from calotype.images.signature import check_certificates
from calotype.settings import Settings


def check(settings: Settings) -> None:
    """Raise SettingsError naming the setting that cannot be followed."""
    check_inject(settings.plugins)
    check_convert(settings.plugins)
    check_certificates(settings.signature)
