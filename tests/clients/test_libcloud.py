"""Apache Libcloud, unmodified: its OpenStack 1.1 driver on the Compute API, its 2 driver on the Image API."""

from typing import Any

import pytest
from libcloud.common.exceptions import BaseHTTPError
from libcloud.compute.providers import get_driver
from libcloud.compute.types import Provider

from tests.support.server import Server

PUBLIC_OR_OWN = {"disk_format": "raw", "container_format": "bare"}


def driver(server: Server, version: str, persona: str = "demo") -> Any:
    """A driver of one version."""
    who = server.personas[persona]
    return get_driver(Provider.OPENSTACK)(
        who.user_name,
        who.password,
        api_version=version,
        ex_force_auth_url=server.base,
        ex_force_auth_version="3.x_password",
        ex_tenant_name=who.project_name,
        ex_domain_name="Default",
        ex_tenant_domain_id="default",
        ex_force_service_region="RegionOne",
    )


def active(server: Server, name: str, **attributes: Any) -> str:
    """The id of a new active image of the demo project."""
    with server.client() as api:
        made = api.post("/v2/images", json={"name": name, **PUBLIC_OR_OWN, **attributes}).raise_for_status().json()
        octets = {"Content-Type": "application/octet-stream"}
        api.put(f"/v2/images/{made['id']}/file", content=b"libcloud", headers=octets).raise_for_status()
    found: str = made["id"]
    return found


@pytest.mark.parametrize("version", ["1.1", "2.0", "2.1", "2.2"])
def test_images_are_listed_and_shown(sqlite_server: Server, version: str) -> None:
    image = active(sqlite_server, "for-libcloud", min_ram=16, os_distro="alpine")
    cloud = driver(sqlite_server, version)
    assert [(each.id, each.name) for each in cloud.list_images()] == [(image, "for-libcloud")]
    shown = cloud.get_image(image)
    assert (shown.id, shown.name) == (image, "for-libcloud")
    assert shown.extra["status"].lower() == "active"


def test_queued_images_are_left_out_unless_asked_for(sqlite_server: Server) -> None:
    with sqlite_server.client() as api:
        queued = api.post("/v2/images", json={"name": "queued"}).json()["id"]
    cloud = driver(sqlite_server, "1.1")
    assert cloud.list_images() == []
    assert [each.id for each in cloud.list_images(ex_only_active=False)] == [queued]


def test_the_metadata_of_the_compute_document_is_there(sqlite_server: Server) -> None:
    image = active(sqlite_server, "meta", min_ram=16, os_distro="alpine")
    shown = driver(sqlite_server, "1.1").get_image(image)
    assert shown.extra["metadata"] == {"os_distro": "alpine"}
    assert (shown.extra["minRam"], shown.extra["progress"]) == (16, 100)


def test_images_are_deleted(sqlite_server: Server) -> None:
    image = active(sqlite_server, "to-delete")
    cloud = driver(sqlite_server, "1.1")
    assert cloud.delete_image(cloud.get_image(image))
    assert cloud.list_images() == []
    with pytest.raises(BaseHTTPError):
        cloud.get_image(image)


def test_images_are_updated_and_shared(sqlite_server: Server) -> None:
    image, project = active(sqlite_server, "before"), sqlite_server.personas["alt"].project_id
    cloud, alt = driver(sqlite_server, "2.0"), driver(sqlite_server, "2.0", "alt")
    changed = cloud.ex_update_image(image, [{"op": "replace", "path": "/name", "value": "after"}])
    assert changed.name == "after"
    assert cloud.ex_create_image_member(image, project).state.lower() == "pending"
    assert alt.ex_accept_image_member(image, project).state.lower() == "accepted"
    assert [member.id for member in cloud.ex_list_image_members(image)] == [project]
    assert [each.id for each in alt.list_images()] == [image]
