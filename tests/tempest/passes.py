"""The configurations that tempest is run with, because no single one lets every test run.

A test that a pass skips, or leaves out, has to pass in another; what passes in none stands in `skips.txt`.
"""

import msgspec

from tests.tempest.configuration import Options

WHOLE = r"^tempest\.api\.(image|compute\.images)\."

# What boots servers once tempest is told that there are snapshots, networks or bad images.
BOOTING = (
    r"test_images\.ImagesTestJSON|ImagesOneServer|ListImageFiltersTestJSON|test_create_image_from_deleted_server"
    r"|ImagesFormatTest"
)


class Pass(msgspec.Struct, frozen=True):
    """One run of tempest against servers of its own."""

    name: str
    settings: str
    """File of the server's settings, in this folder."""
    options: Options
    select: str = WHOLE
    leave_out: str = "$^"
    """Tests that are not listed: the pass says nothing about them."""
    nodes: int = 1
    """Servers with the same settings over the same database and data; each has a cache of its own."""


DEFAULT = Pass(
    "default",
    "default.toml",
    {"image-feature-enabled": {"image_conversion": True}},
)

EVERYTHING = Pass(
    "everything",
    "everything.toml",
    {
        "compute-feature-enabled": {"snapshot": True},
        "image": {"alternate_image_endpoint": "image_remote"},
        "image-feature-enabled": {
            "image_format_enforcement": False,
            "manage_locations": True,
            "http_store_enabled": True,
            "store_weight_enabled": True,
        },
    },
    leave_out=BOOTING,
    nodes=2,
)

REST = Pass(
    "rest",
    "rest.toml",
    {
        # One test empties the cache and expects that it stays so: nothing here downloads an image meanwhile.
        "image": {"image_caching_enabled": True, "alternate_image_endpoint": "image_remote"},
        # Without networks of their own the tests need no network service, only the claim that there is one.
        "service_available": {"neutron": True},
        "compute-feature-enabled": {"snapshot": True},
        "image-feature-enabled": {"do_secure_hash": False, "http_store_enabled": True},
    },
    select=r"ImageCachingTest\.|LocationImportTest\.|ImagesNegativeTestJSON\.",
    leave_out=BOOTING,
    nodes=2,
)

PASSES = {each.name: each for each in (DEFAULT, EVERYTHING, REST)}
