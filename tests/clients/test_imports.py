"""Imports, stores, tasks and locations through the clients, unmodified, at a site with several stores."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openstack import exceptions
from openstack.connection import Connection

from tests.support.commands import Command, os_variables
from tests.support.server import Server
from tests.support.servers import Servers
from tests.support.source import DATA

Connect = Callable[..., Connection]
RAW = {"disk_format": "raw", "container_format": "bare"}
RAW_OPTIONS = ("--disk-format", "raw", "--container-format", "bare")
SECONDS = 60.0


@pytest.fixture
def site(servers: Servers) -> Server:
    """A server with the stores fast, slow and web, and an empty catalogue."""
    server = servers.get("sqlite", "image-stores.toml")
    server.clear()
    return server


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A file to import."""
    file = tmp_path / "disk.raw"
    file.write_bytes(DATA)
    return file


def until(look: Callable[[], Any]) -> Any:
    """What `look` finds, once it finds something."""
    end = time.monotonic() + SECONDS
    while not (found := look()):
        assert time.monotonic() < end, "It did not happen."
        time.sleep(0.1)
    return found


def settled(connection: Connection, image_id: str) -> Any:
    """The image once no task holds it."""

    def look() -> Any:
        image = connection.image.get_image(image_id)
        return None if "os_glance_import_task" in image.properties else image

    return until(look)


class TestSdk:
    """openstacksdk."""

    def test_stores_and_methods(self, site: Server, connect: Connect) -> None:
        demo, admin = connect(site), connect(site, "admin")
        assert demo.image.get_import_info().import_methods["value"] == ["glance-direct", "web-download", "copy-image"]
        assert [(each.id, each.is_default) for each in demo.image.stores()][:2] == [("fast", True), ("slow", None)]
        detailed = {each.id: each for each in admin.image.stores(details=True)}
        assert detailed["fast"].properties["thin_provisioning"] is False
        with pytest.raises(exceptions.ForbiddenException):
            list(demo.image.stores(details=True))

    def test_an_image_is_created_by_import(self, site: Server, connect: Connect, disk: Path) -> None:
        demo = connect(site)
        made = demo.image.create_image("imported", filename=str(disk), use_import=True, all_stores=True, **RAW)
        shown = settled(demo, made.id)
        assert (shown.status, shown.size, shown.properties["stores"]) == ("active", len(DATA), "fast,slow")
        assert demo.image.download_image(shown).content == DATA

    def test_an_image_is_created_from_a_url(self, site: Server, connect: Connect, source: str) -> None:
        demo = connect(site)
        made = demo.image.create_image("fetched", import_method="web-download", uri=f"{source}/data", **RAW)
        assert settled(demo, made.id).status == "active"

    def test_stage_import_copy_delete(self, site: Server, connect: Connect) -> None:
        demo, admin = connect(site), connect(site, "admin")
        made = demo.image.create_image("staged", allow_duplicates=True, **RAW)
        staged = demo.image.stage_image(made, data=DATA)
        assert (staged.status, staged.size) == ("uploading", len(DATA))
        answer = demo.image.import_image(made, stores=["slow"])
        assert answer.status_code == 202
        assert settled(demo, made.id).properties["stores"] == "slow"
        (task,) = demo.image.image_tasks(made)
        assert (task.status, task.request_id) == ("success", answer.headers["x-openstack-request-id"])
        admin.image.import_image(admin.image.get_image(made.id), "copy-image", all_stores=True)
        assert settled(demo, made.id).properties["stores"] == "slow,fast"
        admin.image.delete_image(made.id, store="slow", ignore_missing=False)
        assert demo.image.get_image(made.id).properties["stores"] == "fast"
        with pytest.raises(exceptions.ForbiddenException):
            admin.image.delete_image(made.id, store="fast", ignore_missing=False)

    def test_tasks(self, site: Server, connect: Connect, source: str) -> None:
        admin = connect(site, "admin")
        asked = {"import_from": f"{source}/data", "import_from_format": "raw", "image_properties": {"name": "tasked"}}
        made = admin.image.create_task(type="import", input=asked)
        ended = admin.image.wait_for_task(made, interval=0.1, wait=SECONDS)
        assert admin.image.get_image(ended.result["image_id"]).name == "tasked"
        assert ended.id in {each.id for each in admin.image.tasks(type="import", status="success")}
        assert admin.image.get_task(ended.id).expires_at
        with pytest.raises(exceptions.ForbiddenException):
            list(connect(site).image.tasks())


@pytest.fixture
def command(site: Server, home: Path) -> Callable[..., Command]:
    """A program as a user of the site."""

    def of(program: str, persona: str = "demo") -> Command:
        return Command(program, os_variables(site, site.personas[persona]), home)

    return of


class TestOpenstack:
    """The `openstack` command."""

    def test_stores_and_methods(self, command: Callable[..., Command]) -> None:
        demo, admin = command("openstack"), command("openstack", "admin")
        assert [row["ID"] for row in demo.json("image", "store", "list")] == ["fast", "slow", "web"]
        assert "thin_provisioning" in str(admin.json("image", "store", "list", "--detail"))
        assert "web-download" in str(demo.json("image", "import", "info"))

    def test_an_image_is_created_by_import(
        self, command: Callable[..., Command], site: Server, connect: Connect, disk: Path
    ) -> None:
        made = command("openstack").json("image", "create", "by-import", "--import", "--file", str(disk), *RAW_OPTIONS)
        shown = settled(connect(site), made["id"])
        assert (shown.status, shown.size) == ("active", len(DATA))

    def test_stage_import_delete(self, command: Callable[..., Command], disk: Path) -> None:
        demo, admin = command("openstack"), command("openstack", "admin")
        made = demo.json("image", "create", "staged", *RAW_OPTIONS)["id"]
        demo.text("image", "stage", made, "--file", str(disk))
        demo.text("image", "import", made, "--method", "glance-direct", "--all-stores", "--wait")
        assert demo.json("image", "show", made)["properties"]["stores"] == "fast,slow"
        admin.text("image", "delete", "--store", "fast", made)
        assert demo.json("image", "show", made)["properties"]["stores"] == "slow"
        rows = admin.json("image", "task", "list", "--status", "success")
        assert all(row["Status"] == "success" for row in rows)
        shown = [admin.json("image", "task", "show", row["ID"]) for row in rows[:1]]
        assert shown[0]["type"] in ("api_image_import", "import", "location_import")

    def test_a_url_is_imported(self, command: Callable[..., Command], source: str) -> None:
        demo = command("openstack")
        made = demo.json("image", "create", "fetched", *RAW_OPTIONS)["id"]
        demo.text("image", "import", made, "--method", "web-download", "--uri", f"{source}/data", "--wait")
        shown = demo.json("image", "show", made)
        assert (shown["status"], shown["size"]) == ("active", len(DATA))


class TestGlance:
    """The `glance` command."""

    def test_stores_and_methods(self, command: Callable[..., Command]) -> None:
        demo, admin = command("glance"), command("glance", "admin")
        assert "fast" in demo.text("stores-info")
        assert "thin_provisioning" in admin.text("stores-info", "--detail")
        assert "copy-image" in demo.text("import-info")

    def test_an_image_is_created_by_import(
        self, command: Callable[..., Command], site: Server, connect: Connect, disk: Path
    ) -> None:
        demo, connection = command("glance"), connect(site)
        demo.text(
            "image-create-via-import", "--name", "by-import", "--import-method", "glance-direct", "--file", str(disk),
            "--stores", "fast,slow", *RAW_OPTIONS,
        )  # fmt: skip
        found = connection.image.find_image("by-import", ignore_missing=False).id
        assert settled(connection, found).properties["stores"] == "fast,slow"
        assert "success" in demo.text("image-tasks", found)
        command("glance", "admin").text("stores-delete", "--store", "slow", found)
        assert connection.image.get_image(found).properties["stores"] == "fast"

    def test_stage_and_import(
        self, command: Callable[..., Command], site: Server, connect: Connect, disk: Path
    ) -> None:
        demo, connection = command("glance"), connect(site)
        made = connection.image.create_image("staged", allow_duplicates=True, **RAW).id
        demo.text("image-stage", "--file", str(disk), made)
        demo.text("image-import", "--import-method", "glance-direct", "--all-stores", "True", made)
        assert settled(connection, made).properties["stores"] == "fast,slow"

    def test_tasks(self, command: Callable[..., Command], site: Server, connect: Connect, source: str) -> None:
        admin, connection = command("glance", "admin"), connect(site, "admin")
        asked = f'{{"import_from": "{source}/data", "import_from_format": "raw", "image_properties": {{"name": "t"}}}}'
        admin.text("task-create", "--type", "import", "--input", asked)
        (made,) = until(lambda: list(connection.image.tasks(type="import", status="success", limit=1)))[:1]
        assert made.id in admin.text("task-list")
        assert made.id in admin.text("task-show", made.id)

    def test_locations_are_added_and_taken_away(
        self, servers: Servers, home: Path, connect: Connect, source: str
    ) -> None:
        server = servers.get("sqlite", "image-locations.toml")
        server.clear()
        connection = connect(server)
        demo, admin = (Command("glance", os_variables(server, server.personas[who]), home) for who in ("demo", "admin"))
        made = connection.image.create_image("located", allow_duplicates=True, **RAW).id
        demo.text("location-add", "--url", f"{source}/data", made)
        demo.text("location-add", "--url", f"{source}/moved", made)
        assert connection.image.get_image(made).status == "active"
        demo.text("location-update", "--url", f"{source}/data", "--metadata", '{"rack": "3"}', made)
        admin.text("location-delete", "--url", f"{source}/moved", made)
        (left,) = connection.image.get_image(made).locations
        assert left == {"url": f"{source}/data", "metadata": {"rack": "3", "store": "web"}}
        assert connection.image.download_image(made).content == DATA
