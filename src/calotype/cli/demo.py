"""The images of `calotype serve --demo`: small, real, of several formats and visibilities.

Each was made by qemu-img (the ISO by genisoimage) of a disk of 1 MiB with one partition.
"""

import asyncio
import lzma
import uuid
from collections.abc import AsyncIterator
from importlib.resources import files

import click
from rich.progress import track

from calotype.access.accounts import Accounts
from calotype.access.caller import Caller
from calotype.access.passwords import Passwords
from calotype.app import assemble
from calotype.images.errors import Conflict
from calotype.images.library import Library
from calotype.images.transfer import Transfer
from calotype.settings import Settings

IMAGES = (
    ("qcow2", "public", "admin"),
    ("iso", "public", "admin"),
    ("vhd", "community", "admin"),
    ("raw", "shared", "demo"),
    ("vmdk", "private", "demo"),
    ("vdi", "private", "demo"),
)
"""Disk format, visibility, project."""

_NAMESPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")


def add_images(settings: Settings) -> None:
    """Put the images in, those excepted that were put in before, even if they were deleted since."""
    asyncio.run(_add(settings))


async def _add(settings: Settings) -> None:
    parts = assemble(settings)
    for part in parts.living:
        await part.open()
    try:
        accounts = Accounts(parts.database, Passwords(settings.identity))
        projects = {name: (await accounts.find_project(name)).id for name in ("admin", "demo")}
        for disk_format, visibility, project in track(IMAGES, "Demo images", transient=True):
            await _add_one(parts.library, parts.transfer, disk_format, visibility, projects[project])
    finally:
        for part in reversed(parts.living):
            await part.close()


async def _add_one(library: Library, transfer: Transfer, disk_format: str, visibility: str, project: str) -> None:
    caller = Caller(user_id="", project_id=project, roles=frozenset(("admin", "member", "reader")))
    image_id = str(uuid.uuid5(_NAMESPACE, f"calotype-demo-{project}-{disk_format}"))
    wanted = {
        "id": image_id,
        "name": f"demo-{disk_format}",
        "visibility": visibility,
        "disk_format": disk_format,
        "container_format": "bare",
        "os_distro": "demo",
        "tags": ["demo"],
    }
    try:
        await library.create(caller, wanted)
    except Conflict:
        return
    data = lzma.decompress(files("calotype.cli").joinpath("demo_images", f"{disk_format}.xz").read_bytes())
    await transfer.upload(caller, image_id, _whole(data), len(data))
    click.echo(f"Demo image {image_id}: {disk_format}, {visibility}")


async def _whole(data: bytes) -> AsyncIterator[bytes]:
    yield data
