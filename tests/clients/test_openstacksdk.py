"""openstacksdk, unmodified: the image proxy, the compute proxy's deprecated image calls, identity."""

import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from openstack import exceptions
from openstack.connection import Connection

from tests.support.server import Server

Connect = Callable[..., Connection]
DATA = b"not a known disk format\n" * 1000


@pytest.fixture
def demo(server: Server, connect: Connect) -> Connection:
    """The demo user, on each database in turn, with an empty catalogue."""
    server.clear()
    return connect(server)


def test_an_image_created_with_data_can_be_read_in_every_way(demo: Connection) -> None:
    made = demo.image.create_image(
        "whole", data=DATA, disk_format="raw", container_format="bare", tags=["a", "b"], meta={"os_distro": "alpine"}
    )
    shown = demo.image.get_image(made.id)
    assert (shown.name, shown.status, shown.size, shown.visibility) == ("whole", "active", len(DATA), "shared")
    assert shown.checksum == hashlib.md5(DATA).hexdigest()
    assert (shown.hash_algo, shown.hash_value) == ("sha512", hashlib.sha512(DATA).hexdigest())
    assert (sorted(shown.tags), shown.os_distro) == (["a", "b"], "alpine")
    assert [image.id for image in demo.image.images()] == [made.id]
    assert [image.id for image in demo.image.images(name="whole", status="active", tag="a")] == [made.id]
    assert list(demo.image.images(name="other")) == []
    assert demo.image.find_image("whole").id == made.id
    assert demo.image.find_image(made.id).id == made.id
    assert demo.image.find_image("other") is None


def test_data_comes_back_as_it_went_and_is_verified(demo: Connection, tmp_path: Path) -> None:
    made = demo.image.create_image("data", data=DATA, disk_format="raw", container_format="bare")
    assert demo.image.download_image(made).content == DATA
    assert b"".join(demo.image.download_image(made, stream=True, chunk_size=1000).iter_content(1000)) == DATA
    demo.image.download_image(made, output=str(tmp_path / "copy"))
    assert (tmp_path / "copy").read_bytes() == DATA


def test_a_file_is_uploaded_and_its_checksum_kept(demo: Connection, tmp_path: Path) -> None:
    file = tmp_path / "disk.raw"
    file.write_bytes(DATA)
    given = {"filename": str(file), "disk_format": "raw", "container_format": "bare", "validate_checksum": True}
    made = demo.create_image("from-file", wait=True, **given)
    shown = demo.image.get_image(made.id)
    assert (shown.status, shown.size) == ("active", len(DATA))
    again = demo.create_image("from-file", wait=True, **given)
    assert again.id == made.id  # the client found its own properties with the checksums


def test_a_queued_image_is_filled_later(demo: Connection) -> None:
    made = demo.image.create_image("later", disk_format="raw", container_format="bare", allow_duplicates=True)
    assert demo.image.get_image(made.id).status == "queued"
    made.data = io.BytesIO(DATA)
    made.upload(demo.image)
    assert demo.image.get_image(made.id).size == len(DATA)


def test_attributes_and_properties_are_updated(demo: Connection) -> None:
    made = demo.image.create_image("before", disk_format="raw", container_format="bare", meta={"gone": "1"})
    changed = demo.image.update_image(made, name="after", min_ram=64, hw_disk_bus="virtio", is_protected=True)
    assert (changed.name, changed.min_ram, changed.hw_disk_bus, changed.is_protected) == ("after", 64, "virtio", True)
    with pytest.raises(exceptions.ForbiddenException):
        demo.image.delete_image(made.id)
    demo.image.update_image(made.id, is_protected=False)
    demo.image.update_image_properties(image=demo.image.get_image(made.id), os_version="3.20")
    shown = demo.image.get_image(made.id)
    assert (shown.os_version, shown.hw_disk_bus, shown.properties["gone"]) == ("3.20", "virtio", "1")


def test_tags_come_and_go(demo: Connection) -> None:
    made = demo.image.create_image("tagged", disk_format="raw", container_format="bare")
    demo.image.add_tag(made, "lts")
    demo.image.add_tag(made, "cloud image")
    assert sorted(demo.image.get_image(made.id).tags) == ["cloud image", "lts"]
    demo.image.remove_tag(made, "lts")
    assert demo.image.get_image(made.id).tags == ["cloud image"]


def test_an_image_is_shared_with_another_project(demo: Connection, server: Server, connect: Connect) -> None:
    alt = connect(server, "alt")
    made = demo.image.create_image("shared", data=DATA, disk_format="raw", container_format="bare")
    with pytest.raises(exceptions.NotFoundException):
        alt.image.get_image(made.id)
    project = server.personas["alt"].project_id
    assert demo.image.add_member(made, member_id=project).status == "pending"
    assert alt.image.get_image(made.id).name == "shared"
    assert list(alt.image.images()) == []
    assert [each.id for each in alt.image.images(visibility="shared", member_status="pending")] == [made.id]
    alt.image.update_member(project, made, status="accepted")
    assert [each.id for each in alt.image.images()] == [made.id]
    assert [member.status for member in demo.image.members(made)] == ["accepted"]
    with pytest.raises(exceptions.ForbiddenException):
        alt.image.delete_image(made.id)
    demo.image.remove_member(project, made)
    assert alt.image.find_image(made.id) is None


def test_a_deactivated_image_keeps_its_data_to_itself(demo: Connection) -> None:
    made = demo.image.create_image("paused", data=DATA, disk_format="raw", container_format="bare")
    demo.image.deactivate_image(made)
    assert demo.image.get_image(made.id).status == "deactivated"
    # The client looks at the status only when it streams; else it finds that the refusal has the wrong checksum.
    assert demo.image.download_image(made, stream=True).status_code == 403
    demo.image.reactivate_image(made)
    assert demo.image.download_image(made).content == DATA


def test_a_deleted_image_is_gone(demo: Connection) -> None:
    made = demo.image.create_image("gone", data=DATA, disk_format="raw", container_format="bare")
    demo.image.delete_image(made, ignore_missing=False)
    with pytest.raises(exceptions.NotFoundException):
        demo.image.get_image(made.id)
    with pytest.raises(exceptions.NotFoundException):
        demo.image.delete_image(made.id, ignore_missing=False)


def test_a_long_list_is_paged_through(demo: Connection) -> None:
    made = [demo.image.create_image(f"n{number:02}", allow_duplicates=True).id for number in range(30)]
    found = [image.id for image in demo.image.images(limit=7, sort="name:asc")]
    assert found == made


def test_the_compute_proxy_reads_images_and_their_metadata(demo: Connection) -> None:
    made = demo.image.create_image(
        "compute", data=DATA, disk_format="raw", container_format="bare", min_ram=32, meta={"os_distro": "alpine"}
    )
    listed = list(demo.compute.images())
    assert [(image.id, image.name, image.status, image.progress) for image in listed] == [
        (made.id, "compute", "ACTIVE", 100)
    ]
    basic = list(demo.compute.images(details=False))
    assert [(image.id, image.name) for image in basic] == [(made.id, "compute")]
    shown = demo.compute.get_image(made.id)
    assert (shown.size, shown.min_ram, shown.metadata["os_distro"]) == (len(DATA), 32, "alpine")
    assert demo.compute.find_image("compute").id == made.id


def test_the_compute_proxy_writes_metadata_and_deletes(demo: Connection) -> None:
    made = demo.image.create_image("meta", disk_format="raw", container_format="bare", meta={"a": "1", "b": "2"})
    assert demo.compute.get_image_metadata(made.id).metadata["a"] == "1"
    demo.compute.set_image_metadata(made.id, b="3", c="4")
    assert {"a": "1", "b": "3", "c": "4"}.items() <= demo.compute.get_image(made.id).metadata.items()
    demo.compute.delete_image_metadata(made.id, ["a"])
    shown = demo.image.get_image(made.id)
    assert "a" not in shown.properties
    assert (shown.properties["b"], shown.visibility) == ("3", "shared")
    demo.compute.delete_image(made.id, ignore_missing=False)
    assert demo.image.find_image(made.id) is None


def test_identity_tells_the_caller_who_he_is(demo: Connection, server: Server) -> None:
    persona = server.personas["demo"]
    assert (demo.current_user_id, demo.current_project_id) == (persona.user_id, persona.project_id)
    assert {entry["type"] for entry in demo.service_catalog} >= {"compute", "image", "identity"}
