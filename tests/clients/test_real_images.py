"""Disk images made by qemu-img, and an ISO: what clients upload, the service measures and the compute call reads."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openstack.connection import Connection

from tests.clients.test_glanceclient import client as glance_client
from tests.support.commands import Command
from tests.support.disks import FORMATS, Disk
from tests.support.server import Server

MakeDisk = Callable[[str], Disk]
Upload = Callable[[Server, Disk], str]


@pytest.fixture
def with_sdk(connect: Callable[..., Connection]) -> Upload:
    """Upload with openstacksdk."""

    def upload(server: Server, disk: Disk) -> str:
        made = connect(server).create_image(
            "real", filename=str(disk.path), disk_format=disk.disk_format, container_format="bare", wait=True
        )
        found: str = made.id
        return found

    return upload


@pytest.fixture
def with_glanceclient() -> Upload:
    """Upload with python-glanceclient."""

    def upload(server: Server, disk: Disk) -> str:
        glance = glance_client(server)
        made = glance.images.create(name="real", disk_format=disk.disk_format, container_format="bare")
        with disk.path.open("rb") as data:
            glance.images.upload(made.id, data)
        found: str = made.id
        return found

    return upload


@pytest.fixture
def with_command(home: Path) -> Upload:
    """Upload with the `openstack` command."""

    def upload(server: Server, disk: Disk) -> str:
        environment = {"OS_CLIENT_CONFIG_FILE": str(server.clouds_file)}
        openstack = Command("openstack", environment, home, "--os-cloud", "calotype-demo")
        file, kind = str(disk.path), disk.disk_format
        made = openstack.json("image", "create", "real", "--file", file, "--disk-format", kind)
        found: str = made["id"]
        return found

    return upload


@pytest.mark.parametrize("disk_format", FORMATS)
@pytest.mark.parametrize("client", ["with_sdk", "with_glanceclient", "with_command"])
def test_a_real_image_is_measured(
    request: pytest.FixtureRequest, sqlite_server: Server, disk: MakeDisk, client: str, disk_format: str
) -> None:
    made = disk(disk_format)
    image = request.getfixturevalue(client)(sqlite_server, made)
    _assert_measured(sqlite_server, image, made)


@pytest.mark.parametrize("disk_format", ["qcow2", "vmdk"])
def test_a_real_image_is_measured_on_postgresql(
    servers: Any, disk: MakeDisk, with_sdk: Upload, disk_format: str
) -> None:
    server, made = servers.get("postgresql"), disk(disk_format)
    _assert_measured(server, with_sdk(server, made), made)


def _assert_measured(server: Server, image: str, disk: Disk) -> None:
    project = server.personas["demo"].project_id
    with server.client() as api:
        shown = api.get(f"/v2/images/{image}").raise_for_status().json()
        assert (shown["status"], shown["size"], shown["virtual_size"]) == ("active", disk.size, disk.virtual_size)
        assert (shown["checksum"], shown["os_hash_algo"], shown["os_hash_value"]) == (disk.md5, "sha512", disk.sha512)
        compute = api.get(f"/v2.1/{project}/images/{image}").raise_for_status().json()["image"]
        assert (compute["status"], compute["progress"]) == ("ACTIVE", 100)
        assert compute["OS-EXT-IMG-SIZE:size"] == disk.size
        assert api.get(f"/v2/images/{image}/file").content == disk.path.read_bytes()


@pytest.mark.parametrize("declared", ["raw", "vmdk", "vdi"])
def test_a_real_image_under_another_name_is_refused(sqlite_server: Server, disk: MakeDisk, declared: str) -> None:
    made = disk("qcow2")
    with sqlite_server.client() as api:
        body = {"disk_format": declared, "container_format": "bare"}
        image = api.post("/v2/images", json=body).raise_for_status().json()["id"]
        octets = {"Content-Type": "application/octet-stream"}
        answer = api.put(f"/v2/images/{image}/file", content=made.path.read_bytes(), headers=octets)
        shown = api.get(f"/v2/images/{image}").json()
    # "raw" is a name for any bytes (image-v2 24.1).
    expected = (204, "active", made.size) if declared == "raw" else (415, "queued", None)
    assert (answer.status_code, shown["status"], shown["size"]) == expected
