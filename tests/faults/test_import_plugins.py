"""Imports through the plugins, with a real qemu-img (image-v2 24.3)."""

import asyncio
import gzip
import subprocess
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from tests.support.importing import files, imported
from tests.support.server import Server
from tests.support.system import qemu_img
from tests.support.waiting import until

DISK = 2 * 2**20


@pytest.fixture
def server(start_server: Callable[..., Server]) -> Server:
    """A server with every plugin on, and images of 16 MiB at the most."""
    return start_server(
        "sqlite",
        environment={
            "CALOTYPE_PLUGINS_ENABLED": "inject_image_metadata,image_decompression,image_conversion",
            "CALOTYPE_PLUGINS_INJECT": "checked_by=us",
            "CALOTYPE_IMAGE_SIZE_CAP": str(16 * 2**20),
        },
    )


@pytest.fixture
def qcow2(tmp_path: Path) -> bytes:
    """A disk with something on it."""
    raw, made = tmp_path / "disk.raw", tmp_path / "disk.qcow2"
    raw.write_bytes(b"\0" * 4096 + b"something" + b"\0" * (DISK - 4105))
    subprocess.run([qemu_img(), "convert", "-O", "qcow2", raw, made], check=True)
    return made.read_bytes()


def test_a_compressed_disk_becomes_a_plain_one(server: Server, qcow2: bytes) -> None:
    with server.client() as api:
        image, task = imported(api, "qcow2", gzip.compress(qcow2), {"mine": "stays"})
        data = api.get(f"/v2/images/{image['id']}/file").content
    assert task["status"] == "success", task
    assert (image["status"], image["disk_format"], image["container_format"]) == ("active", "raw", "bare")
    assert (image["size"], image["virtual_size"]) == (DISK, DISK)
    assert (image["checked_by"], image["mine"]) == ("us", "stays")
    assert data[4096:4105] == b"something"
    assert image["checksum"]
    asyncio.run(until(lambda: [path.name for path in files(server)] == [f"{image['id']}.2"]))


def test_a_bomb_stops_at_the_largest_image(server: Server) -> None:
    with server.client() as api:
        image, task = imported(api, "raw", gzip.compress(b"\0" * (64 * 2**20)), {})
        again, ended = imported(api, "raw", b"\0" * 1024, {})
    assert (image["status"], image["size"], image["disk_format"]) == ("queued", None, "raw")
    assert task["status"] == "failure"
    assert "too large" in task["message"]
    assert "checked_by" not in image
    assert (again["status"], ended["status"]) == ("active", "success")
    asyncio.run(until(lambda: len(files(server)) == 1))


def test_what_cannot_be_converted_leaves_the_image_as_it_was(server: Server, qcow2: bytes) -> None:
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("disk", qcow2)
    with server.client() as api:
        image, task = imported(api, "vmdk", archive.getvalue(), {})
    assert (image["status"], image["disk_format"], image["container_format"]) == ("queued", "vmdk", "bare")
    assert task["status"] == "failure"
    assert "vmdk" in task["message"]
    asyncio.run(until(lambda: files(server) == []))
