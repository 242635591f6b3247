"""python-glanceclient, unmodified: its library and the `glance` command."""

import hashlib
import io
from pathlib import Path
from typing import Any

import pytest
from glanceclient import exc
from glanceclient.v2.client import Client
from keystoneauth1.identity import v3
from keystoneauth1.session import Session

from tests.support.attacked import eventually
from tests.support.commands import Command, os_variables
from tests.support.server import Server
from tests.support.servers import Servers

DATA = b"glance does not know this format\n" * 500


def client(server: Server, persona: str = "demo") -> Client:
    """The library with a keystoneauth session, as the `glance` command has it."""
    who = server.personas[persona]
    auth = v3.Password(
        f"{server.base}/v3",
        username=who.user_name,
        password=who.password,
        project_name=who.project_name,
        user_domain_name="Default",
        project_domain_name="Default",
    )
    return Client(session=Session(auth=auth), region_name="RegionOne")


def fill(glance: Client, **attributes: Any) -> Any:
    """An active image."""
    made = glance.images.create(**{"name": "g", "disk_format": "raw", "container_format": "bare", **attributes})
    glance.images.upload(made.id, io.BytesIO(DATA))
    return glance.images.get(made.id)


def test_an_image_lives_from_creation_to_deletion(sqlite_server: Server) -> None:
    glance = client(sqlite_server)
    shown = fill(glance, os_distro="alpine", tags=["x"])
    assert (shown.status, shown.size, shown.os_distro, shown.tags) == ("active", len(DATA), "alpine", ["x"])
    assert shown.checksum == hashlib.md5(DATA).hexdigest()
    assert [image.id for image in glance.images.list()] == [shown.id]
    assert b"".join(glance.images.data(shown.id)) == DATA
    changed = glance.images.update(shown.id, remove_props=["os_distro"], name="renamed", os_version="1")
    assert (changed.name, changed.os_version, "os_distro" in changed) == ("renamed", "1", False)
    assert changed.tags == ["x"]
    glance.image_tags.update(shown.id, "y")
    glance.image_tags.delete(shown.id, "x")
    assert glance.images.get(shown.id).tags == ["y"]
    glance.images.delete(shown.id)
    with pytest.raises(exc.HTTPNotFound):
        glance.images.get(shown.id)


def test_an_image_without_data_downloads_as_nothing(sqlite_server: Server) -> None:
    glance = client(sqlite_server)
    made = glance.images.create(name="empty")
    assert glance.images.data(made.id).wrapped is None


def test_lists_are_filtered_sorted_and_paged(sqlite_server: Server) -> None:
    glance = client(sqlite_server)
    made = [glance.images.create(name=f"n{number}", tags=[f"t{number % 2}"]).id for number in range(5)]
    found = glance.images.list(page_size=2, sort="name:asc")
    assert [image.id for image in found] == made
    assert [image.id for image in glance.images.list(filters={"name": "n3"})] == [made[3]]
    assert {image.id for image in glance.images.list(filters={"tag": ["t1"]})} == {made[1], made[3]}


def test_members_are_added_accepted_and_removed(sqlite_server: Server) -> None:
    glance, alt = client(sqlite_server), client(sqlite_server, "alt")
    project = sqlite_server.personas["alt"].project_id
    made = glance.images.create(name="shared")
    assert glance.image_members.create(made.id, project).status == "pending"
    assert alt.image_members.update(made.id, project, "accepted").status == "accepted"
    assert [image.id for image in alt.images.list()] == [made.id]
    assert [member.member_id for member in glance.image_members.list(made.id)] == [project]
    glance.image_members.delete(made.id, project)
    assert list(glance.image_members.list(made.id)) == []


def test_deactivation_bars_the_download(sqlite_server: Server) -> None:
    glance = client(sqlite_server)
    made = fill(glance)
    glance.images.deactivate(made.id)
    with pytest.raises(exc.HTTPForbidden):
        glance.images.data(made.id)
    glance.images.reactivate(made.id)
    assert b"".join(glance.images.data(made.id)) == DATA


def test_the_schema_fits_every_image(sqlite_server: Server) -> None:
    glance = client(sqlite_server)
    queued, active = glance.images.create(), fill(glance, name="active")
    for image in (queued, active):
        assert glance.images.get(image.id).id == image.id
        glance.images.update(image.id, min_disk=1)  # validates what came against the schema
    assert "checksum" in glance.schemas.get("image").raw()["properties"]


def test_the_standard_schema(servers: Servers) -> None:
    server = servers.get("sqlite", "standard-schema.toml")
    server.clear()
    glance = client(server)
    properties = glance.schemas.get("image").raw()["properties"]
    assert properties["kernel_id"]["is_base"] is False
    assert "is_base" not in properties["name"]
    made = glance.images.create(name="g", kernel_id=None, os_distro="alpine", other="1")
    assert (made.kernel_id, made.os_distro, made.other) == (None, "alpine", "1")
    changed = glance.images.update(made.id, kernel_id=made.id, description="d", remove_props=["os_distro"])
    assert (changed.kernel_id, changed.description, "os_distro" in changed) == (made.id, "d", False)
    assert glance.images.update(made.id, kernel_id=None).kernel_id is None
    assert [image.kernel_id for image in glance.images.list()] == [None]
    for wrong in ({"kernel_id": "none"}, {"os_distro": None}, {"cinder_encryption_key_deletion_policy": "never"}):
        with pytest.raises(TypeError, match="Unable to set"):
            glance.images.create(**wrong)


def test_the_glance_command_knows_the_names_of_the_schema(servers: Servers, home: Path) -> None:
    server = servers.get("sqlite", "standard-schema.toml")
    server.clear()
    glance = Command("glance", os_variables(server, server.personas["demo"]), home)
    glance.text(
        "image-create", "--disk-format", "raw", "--container-format", "bare", "--os-distro", "alpine",
        "--property", "description=d",
    )  # fmt: skip
    image = next(iter(client(server).images.list()))
    glance.text("image-update", image.id, "--kernel-id", image.id)
    shown = client(server).images.get(image.id)
    assert (shown.os_distro, shown.description, shown.kernel_id) == ("alpine", "d", image.id)


def test_an_operators_schema(servers: Servers) -> None:
    server = servers.get("sqlite", "schema-properties.toml")
    server.clear()
    with server.client() as api:
        made = api.post("/v2/images", json={"tier": "gold", "cores": 4, "load": None}).raise_for_status().json()
    glance = client(server)
    changed = glance.images.update(made["id"], cores=8, secure=True, load=0.5)
    assert (changed.tier, changed.cores, changed.secure, changed.load) == ("gold", 8, True, 0.5)
    with pytest.raises(TypeError, match="Unable to set"):
        glance.images.update(made["id"], tier="bronze")


def test_what_is_required_of_new_images_keeps_this_client_from_making_any(servers: Servers) -> None:
    """Its model begins empty, which the schema forbids; it is the same with Glance."""
    glance = client(servers.get("sqlite", "schema-properties.toml"))
    with pytest.raises(ValueError, match="'tier' is a required property"):
        glance.images.create(tier="gold")


def test_protected_properties(servers: Servers) -> None:
    server = servers.get("sqlite", "property-protections.toml")
    server.clear()
    admin, demo = client(server, "admin"), client(server)
    made = admin.images.create(name="g", visibility="public", my_secret_code="1", x_read="2")
    assert (made.my_secret_code, made.x_read) == ("1", "2")
    shown = demo.images.get(made.id)
    assert ("my_secret_code" in shown, shown.x_read) == (False, "2")
    own = demo.images.create(name="own", x_open="1")
    with pytest.raises(exc.HTTPForbidden, match=r"my_secret_code.* is reserved"):
        demo.images.update(own.id, my_secret_code="3")
    admin.images.update(own.id, my_secret_code="3")
    demo.images.update(own.id, remove_props=["x_open"], name="renamed")
    assert admin.images.get(own.id).my_secret_code == "3"


def test_the_glance_command(sqlite_server: Server, home: Path, tmp_path: Path) -> None:
    glance = Command("glance", os_variables(sqlite_server, sqlite_server.personas["demo"]), home)
    file = tmp_path / "disk.raw"
    file.write_bytes(DATA)
    glance.text(
        "image-create", "--name", "by-glance", "--disk-format", "raw", "--container-format", "bare",
        "--file", str(file), "--property", "os_distro=alpine",
    )  # fmt: skip
    image = next(iter(client(sqlite_server).images.list()))
    assert f"| {image.id} | by-glance |" in glance.text("image-list")
    shown = {row[0]: row[1] for row in map(_cells, glance.text("image-show", image.id).splitlines()) if len(row) == 2}
    assert (shown["status"], shown["size"], shown["os_distro"]) == ("active", str(len(DATA)), "alpine")
    assert shown["checksum"] == hashlib.md5(DATA).hexdigest()


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def test_the_cache(servers: Servers) -> None:
    server = servers.get("sqlite", "image-cache.toml")
    glance, admin = client(server), client(server, "admin")
    admin.cache.clear("both")
    made = glance.images.create(name="cached", disk_format="raw", container_format="bare")
    with pytest.raises(exc.HTTPBadRequest):
        admin.cache.queue(made.id)
    glance.images.upload(made.id, io.BytesIO(b"some data"))
    with pytest.raises(exc.HTTPForbidden):
        glance.cache.queue(made.id)
    admin.cache.queue(made.id)
    assert eventually(lambda: bool(admin.cache.list()["cached_images"]), 10)
    (entry,) = admin.cache.list()["cached_images"]
    assert (entry["image_id"], entry["size"]) == (made.id, 9)
    admin.cache.clean()
    assert admin.cache.prune() == {"total_files_pruned": 0, "total_bytes_pruned": 0}
    with pytest.raises(exc.HTTPConflict):
        admin.cache.list_cached_nodes(made.id)
    admin.cache.delete(made.id)
    assert admin.cache.list()["cached_images"] == []
    glance.images.delete(made.id)
