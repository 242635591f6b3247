"""The `openstack` command, unmodified, with the clouds.yaml that `calotype serve` writes."""

from pathlib import Path

import pytest

from tests.support.commands import Command
from tests.support.server import Server
from tests.support.servers import Servers

DATA = b"the openstack command\n" * 300


@pytest.fixture
def openstack(sqlite_server: Server, home: Path) -> Command:
    """The command as the demo user."""
    return Command(
        "openstack", {"OS_CLIENT_CONFIG_FILE": str(sqlite_server.clouds_file)}, home, "--os-cloud", "calotype-demo"
    )


def test_a_token_is_issued_for_the_project(openstack: Command, sqlite_server: Server) -> None:
    token, demo = openstack.json("token", "issue"), sqlite_server.personas["demo"]
    assert (token["project_id"], token["user_id"]) == (demo.project_id, demo.user_id)


def test_the_catalogue_and_the_versions_are_shown(openstack: Command, sqlite_server: Server) -> None:
    catalogue = {entry["Name"]: entry["Type"] for entry in openstack.json("catalog", "list")}
    assert catalogue == {"nova": "compute", "glance": "image", "keystone": "identity"}
    versions = {(row["Service Type"], row["Status"]) for row in openstack.json("versions", "show")}
    assert {("image", "CURRENT"), ("compute", "CURRENT")} <= versions
    assert any(service == "identity" for service, _ in versions)


def test_own_projects_are_listed(openstack: Command, sqlite_server: Server) -> None:
    projects = openstack.json("project", "list", "--my-projects")
    assert [project["ID"] for project in projects] == [sqlite_server.personas["demo"].project_id]


def test_an_image_lives_from_creation_to_deletion(openstack: Command, tmp_path: Path) -> None:
    file, copy = tmp_path / "disk.raw", tmp_path / "copy"
    file.write_bytes(DATA)
    made = openstack.json(
        "image", "create", "by-command", "--file", str(file), "--disk-format", "raw",
        "--property", "os_distro=alpine", "--tag", "x",
    )  # fmt: skip
    assert (made["status"], made["size"], made["tags"]) == ("active", len(DATA), ["x"])
    assert [image["ID"] for image in openstack.json("image", "list")] == [made["id"]]
    openstack.text("image", "set", made["id"], "--name", "renamed", "--property", "os_version=3", "--min-ram", "64")
    openstack.text("image", "unset", made["id"], "--property", "os_distro", "--tag", "x")
    shown = openstack.json("image", "show", "renamed")
    assert (shown["id"], shown["min_ram"], shown["tags"]) == (made["id"], 64, [])
    assert shown["properties"]["os_version"] == "3"
    assert "os_distro" not in shown["properties"]
    openstack.text("image", "save", made["id"], "--file", str(copy))
    assert copy.read_bytes() == DATA
    openstack.text("image", "delete", "renamed")
    assert openstack.json("image", "list") == []


def test_properties_with_a_schema(servers: Servers, home: Path) -> None:
    server = servers.get("sqlite", "standard-schema.toml")
    server.clear()
    openstack = Command(
        "openstack", {"OS_CLIENT_CONFIG_FILE": str(server.clouds_file)}, home, "--os-cloud", "calotype-demo"
    )
    with server.client() as api:
        made = api.post("/v2/images", json={"name": "null", "kernel_id": None}).raise_for_status().json()["id"]
    openstack.text("image", "set", made, "--property", f"ramdisk_id={made}", "--os-distro", "alpine")
    shown = openstack.json("image", "show", made)
    assert shown["properties"]["ramdisk_id"] == made
    assert shown["properties"].get("kernel_id") is None
    code, _, error = openstack.try_("image", "set", made, "--property", "kernel_id=none")
    assert code == 1
    assert "400" in error


def test_an_image_is_shared_with_a_project(openstack: Command, sqlite_server: Server) -> None:
    project = sqlite_server.personas["alt"].project_id
    made = openstack.json("image", "create", "to-share")
    shared = openstack.json("image", "add", "project", made["id"], project)
    assert (shared["member_id"], shared["status"]) == (project, "pending")
    assert [row["Member ID"] for row in openstack.json("image", "member", "list", made["id"])] == [project]


def test_an_unknown_image_is_told_in_one_line(openstack: Command) -> None:
    code, _, error = openstack.try_("image", "show", "absent")
    assert code == 1
    assert "absent" in error
    assert "Traceback" not in error
