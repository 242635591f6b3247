"""The limits of the image service in a Keystone, and the user who reads them: as recorded, and made in a real one."""

from collections.abc import Mapping

from calotype.settings import Keystone
from tests.support.keystone_admin import REGION, Admin

PASSWORD = "limitspass"
REGISTERED = {
    "image_count_total": 100,
    "image_count_uploading": 10,
    "image_size_total": 1000,
    "image_stage_total": 1000,
}
OWN = {"image_size_total": 3, "image_count_uploading": -1}
"""What the project `demo` has of its own."""
OF_DEMO = {**REGISTERED, **OWN}


def user(url: str) -> Keystone:
    """The user of the recordings: it reads the system."""
    return Keystone(url=url, username="calotype-limits", password=PASSWORD, region=REGION, timeout_seconds=5)


def make(admin: Admin) -> None:
    """Make that user, and the service with its registered limits."""
    admin.grant(admin.user("calotype-limits", PASSWORD), "reader")
    admin.service("image", "http://127.0.0.1:8776/image")
    admin.register_limits("image", REGISTERED)


def project(admin: Admin, name: str, limits: Mapping[str, int]) -> str:
    """Make a project with limits of its own; answers its id."""
    made = admin.project(name)
    admin.limit("image", made, limits)
    return made


def asking(keystone: Keystone, **more: str) -> dict[str, str]:
    """The settings of a server that asks a Keystone for limits, each time, and does without old ones."""
    return {
        "CALOTYPE_QUOTA_KEYSTONE_LIMITS": "true",
        "CALOTYPE_KEYSTONE_URL": keystone.url,
        "CALOTYPE_KEYSTONE_USERNAME": keystone.username,
        "CALOTYPE_KEYSTONE_PASSWORD": keystone.password,
        "CALOTYPE_QUOTA_CACHE_SECONDS": "0",
        "CALOTYPE_QUOTA_STALE_SECONDS": "0",
        **more,
    }
