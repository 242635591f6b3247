"""Settings of the two image APIs."""

from typing import Annotated, Literal

import msgspec

from calotype.settings.section import Positive, Section

DISK_FORMATS = ("ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "iso", "ploop")
CONTAINER_FORMATS = ("ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed")


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
