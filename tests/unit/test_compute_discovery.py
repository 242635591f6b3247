"""Version documents (compute-images 13) and link settings (10)."""

from typing import Any

import pytest

from tests.support.compute import ALT, DEMO, Service

HOST = "http://calotype.example:8776"


def test_versions(compute: Service) -> None:
    for method in ("GET", "POST", "DELETE", "OPTIONS"):
        reply = compute(method, "/", None, mount="/compute")
        assert reply.status_code == 200
        assert {*reply.headers} == {"content-type", "content-length"}
        assert reply.json() == {
            "versions": [
                {
                    "id": "v2.0",
                    "status": "DEPRECATED",
                    "version": "",
                    "min_version": "",
                    "updated": "2025-07-04T12:00:00Z",
                    "links": [{"rel": "self", "href": f"{HOST}/compute/v2/"}],
                },
                {
                    "id": "v2.1",
                    "status": "CURRENT",
                    "version": "2.104",
                    "min_version": "2.1",
                    "updated": "2013-07-23T11:33:21Z",
                    "links": [{"rel": "self", "href": f"{HOST}/compute/v2.1/"}],
                },
            ]
        }


@pytest.mark.parametrize("path", ["/v2.1", "/v2.1/", f"/v2.1/{DEMO}/"])
def test_version(compute: Service, path: str) -> None:
    reply = compute("GET", path)
    assert reply.json() == {
        "version": {
            "id": "v2.1",
            "status": "CURRENT",
            "version": "2.104",
            "min_version": "2.1",
            "updated": "2013-07-23T11:33:21Z",
            "links": [
                {"rel": "self", "href": f"{HOST}/v2.1/"},
                {"rel": "describedby", "type": "text/html", "href": "http://docs.openstack.org/"},
            ],
            "media-types": [{"base": "application/json", "type": "application/vnd.openstack.compute+json;version=2.1"}],
        }
    }
    assert reply.headers["openstack-api-version"] == "compute 2.1"
    assert "x-openstack-request-id" in reply.headers
    assert "deprecation" not in reply.headers


def test_only_the_current_version_minds_microversions(compute: Service) -> None:
    asked = {"OpenStack-API-Version": "compute abc"}
    assert compute("GET", "/v2.1", None, asked).status_code == 400
    assert compute("GET", "/v2", None, asked).json()["version"]["id"] == "v2.0"
    assert compute("GET", "/", None, asked).status_code == 200


@pytest.mark.parametrize("path", ["/foo/bar/", "/v2.1x", "/healthcheck", "/v1.1/x/images", "/foo%20b%C3%A9r/x"])
def test_choices(compute: Service, path: str) -> None:
    reply = compute("GET", path, None, mount="/compute")
    assert (reply.status_code, {*reply.headers}) == (300, {"content-type", "content-length"})
    hrefs = [choice["links"][0]["href"] for choice in reply.json()["choices"]]
    assert hrefs == [f"{HOST}/compute/{version}{path.rstrip('/')}" for version in ("v2", "v2.1")]
    assert compute("OPTIONS", path, None).content == b""


def _links(compute: Service, path: str, **request: Any) -> list[str]:
    return [link["href"] for link in compute("GET", path, **request).json()["image"]["links"]]


def test_links(compute: Service) -> None:
    image = compute.image()
    assert _links(compute, f"/v2.1/{DEMO}/images/{image.id}") == [
        f"{HOST}/v2.1/{DEMO}/images/{image.id}",
        f"{HOST}/{DEMO}/images/{image.id}",
        f"{HOST}//images/{image.id}",
    ]
    assert _links(compute, f"/v2/images/{image.id}") == [
        f"{HOST}/v2/images/{image.id}",
        f"{HOST}/images/{image.id}",
        f"{HOST}//images/{image.id}",
    ]
    assert _links(compute, f"/v2.1/images/{image.id}", mount="/compute") == [
        f"{HOST}/compute/v2.1/images/{image.id}",
        f"{HOST}/compute/images/{image.id}",
        f"{HOST}/image//images/{image.id}",
    ]


@pytest.mark.parametrize(
    ("settings", "headers", "links"),
    [
        ({}, {"Host": "A.example:80"}, ["http://A.example/v2.1/I", "http://A.example/I", "http://A.example//I"]),
        ({}, {"X-Forwarded-Proto": "https"}, [f"{HOST}/v2.1/I", f"{HOST}/I", f"{HOST}//I"]),
        (
            {"proxy_headers": True},
            {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "p.example", "X-Forwarded-Prefix": "/c"},
            ["https://p.example/c/v2.1/I", "https://p.example/c/I", "https://p.example/c//I"],
        ),
        (
            {"proxy_headers": True},
            {"Forwarded": "proto=https;host=f.example, host=g", "X-Forwarded-Host": "p.example"},
            ["https://f.example/v2.1/I", "https://f.example/I", "https://f.example//I"],
        ),
        (
            {"link_prefix": "https://c.example:8001/x", "image_link_prefix": "https://i.example/img"},
            {},
            ["https://c.example:8001/x/v2.1/I", "https://c.example:8001/x/I", "https://i.example/img/I"],
        ),
        (
            {"link_prefix": "https://c.example/x/"},
            {},
            ["https://c.example/x//v2.1/I", "https://c.example/x//I", f"{HOST}//I"],
        ),
        (
            {"image_endpoint": "https://i.example:9292"},
            {},
            [f"{HOST}/v2.1/I", f"{HOST}/I", "https://i.example:9292/I"],
        ),
        (
            {"public_endpoint": "https://pub.example/"},
            {},
            ["https://pub.example/v2.1/I", "https://pub.example/I", "https://pub.example//I"],
        ),
    ],
)
def test_link_settings(compute: Service, settings: dict[str, Any], headers: dict[str, str], links: list[str]) -> None:
    image = compute.image()
    compute.remake(**settings)
    found = _links(compute, f"/v2.1/images/{image.id}", headers=headers)
    assert [each.replace(f"images/{image.id}", "I") for each in found] == links


def test_a_link_prefix_with_a_slash_is_trimmed_in_the_version_list_only(compute: Service) -> None:
    compute.remake(link_prefix="https://c.example/x/")
    versions = compute("GET", "/", None).json()["versions"]
    assert versions[1]["links"][0]["href"] == "https://c.example/x/v2.1/"
    assert compute("GET", "/v2.1", None).json()["version"]["links"][0]["href"] == "https://c.example/x//v2.1/"


def test_the_huawei_sample(compute: Service) -> None:
    """The sample of Huawei's page "Querying Details About a Specified Image", its doubled `https://` mended.

    https://support.huaweicloud.com/intl/en-us/api-ecs/ecs_03_0503.html
    """
    properties = {
        "__os_version": "CentOS 4.4 32bit",
        "file_format": "img",
        "file_name": "**.img",
        "describe": "",
        "__os_type": "Linux",
        "virtual_env_type": "KVM",
        "hw_disk_bus": "scsi",
    }
    image_id = "17a1890b-0fa4-485e-8505-14e294017988"
    compute.image(
        "alt",
        id=image_id,
        name="cirror",
        status="active",
        size=13167616,
        created_at=1451184744_000000,
        updated_at=1451184745_000000,
        **properties,
    )
    compute.remake(
        self_version="v2",
        alternate_project=True,
        image_endpoint="https://image.az2.dc1.domainname.com:443",
        link_prefix="https://compute.localdomain.com:8001",
    )
    assert compute("GET", f"/v2.1/{ALT}/images/{image_id}", "alt").json() == {
        "image": {
            "status": "ACTIVE",
            "updated": "2015-12-27T02:52:25Z",
            "name": "cirror",
            "links": [
                {"href": f"https://compute.localdomain.com:8001/v2/{ALT}/images/{image_id}", "rel": "self"},
                {"href": f"https://compute.localdomain.com:8001/{ALT}/images/{image_id}", "rel": "bookmark"},
                {
                    "href": f"https://image.az2.dc1.domainname.com:443/{ALT}/images/{image_id}",
                    "type": "application/vnd.openstack.image",
                    "rel": "alternate",
                },
            ],
            "created": "2015-12-27T02:52:24Z",
            "minDisk": 0,
            "progress": 100,
            "minRam": 0,
            "metadata": properties,
            "id": image_id,
            "OS-EXT-IMG-SIZE:size": 13167616,
        }
    }
