"""Show, delete and the image document (compute-images 9, 12.1, 12.2, 14, 15)."""

from typing import Any

import pytest

from tests.support.compute import CALLERS, DEMO, Service


@pytest.mark.parametrize(
    ("status", "shown", "progress"),
    [
        ("queued", "SAVING", 25),
        ("saving", "SAVING", 50),
        ("active", "ACTIVE", 100),
        ("killed", "ERROR", 0),
        ("uploading", "UNKNOWN", 0),
        ("importing", "UNKNOWN", 0),
        ("deactivated", "UNKNOWN", 0),
        ("strange", "UNKNOWN", 0),
    ],
)
def test_status(compute: Service, status: str, shown: str, progress: int) -> None:
    image = compute.image(status=status)
    found = compute("GET", f"/v2.1/images/{image.id}").json()["image"]
    assert (found["status"], found["progress"]) == (shown, progress)


def test_document(compute: Service) -> None:
    image = compute.image(min_ram=512, min_disk=3, created_at=1451184744_999999, updated_at=1451184745_000001)
    assert compute("GET", f"/v2.1/images/{image.id}").json()["image"] == {
        "id": image.id,
        "name": None,
        "minRam": 512,
        "minDisk": 3,
        "metadata": {},
        "created": "2015-12-27T02:52:24Z",
        "updated": "2015-12-27T02:52:25Z",
        "status": "SAVING",
        "progress": 25,
        "OS-EXT-IMG-SIZE:size": 0,
        "links": [
            {"rel": "self", "href": f"http://calotype.example:8776/v2.1/images/{image.id}"},
            {"rel": "bookmark", "href": f"http://calotype.example:8776/images/{image.id}"},
            {
                "rel": "alternate",
                "type": "application/vnd.openstack.image",
                "href": f"http://calotype.example:8776//images/{image.id}",
            },
        ],
    }


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ('[{"volume_size": 1}]', [{"volume_size": 1}]),
        ('{"a": 1}', {"a": 1}),
        ("1", 1),
        ("null", None),
        ("not json", "not json"),
        ("", ""),
        ("NaN", "NaN"),
        ('"\\ud800"', '"\\ud800"'),
        ("[" * 3000 + "]" * 3000, "[" * 3000 + "]" * 3000),
        ("1e999", "1e999"),
        ('"\\u4e2d"', "\u4e2d"),
    ],
)
@pytest.mark.parametrize("name", ["block_device_mapping", "mappings"])
def test_decoded_properties(compute: Service, name: str, stored: str, shown: Any) -> None:
    image = compute.image(**{name: stored, "bdm_v2": stored})
    for path in (f"/{image.id}", "/detail", ""):
        assert compute("GET", f"/v2.1/images{path}").status_code == 200
    assert compute("GET", f"/v2.1/images/{image.id}").json()["image"]["metadata"] == {name: shown, "bdm_v2": stored}
    assert compute("GET", f"/v2.1/images/{image.id}/metadata/{name}").json() == {"meta": {name: shown}}


@pytest.mark.parametrize("number", ["9" * 30, "-" + "9" * 30])
def test_huge_numbers_do_not_break_an_answer(compute: Service, number: str) -> None:
    image = compute.image(mappings=number)
    assert compute("GET", f"/v2.1/images/{image.id}").status_code == 200


@pytest.mark.parametrize(
    ("value", "shown"),
    [(value, "AUTO") for value in ("1", "t", " True ", "ON", "y", "yes")]
    + [(value, "MANUAL") for value in ("False", "maybe", "None", "", "0")],
)
def test_disk_config(compute: Service, value: str, shown: str) -> None:
    image = compute.image(auto_disk_config=value)
    assert compute("GET", f"/v2.1/images/{image.id}").json()["image"]["OS-DCF:diskConfig"] == shown


@pytest.mark.parametrize("server", ["0b7a1c9e-52f4-4f59-8f0e-7d0c7c5c1a11", "", "a b"])
def test_server(compute: Service, server: str) -> None:
    image = compute.image(instance_uuid=server)
    assert compute("GET", f"/v2.1/{DEMO}/images/{image.id}").json()["image"]["server"] == {
        "id": server,
        "links": [
            {"rel": "self", "href": f"http://calotype.example:8776/v2.1/{DEMO}/servers/{server}"},
            {"rel": "bookmark", "href": f"http://calotype.example:8776/{DEMO}/servers/{server}"},
        ],
    }


@pytest.mark.parametrize(
    ("visibility", "who", "status"),
    [
        ("private", "demo", 204),
        ("private", "admin", 204),
        ("private", "system", 204),
        ("private", "reader", 403),
        ("private", "alt", 404),
        ("community", "alt", 403),
        ("public", "alt", 403),
        ("public", "roleless", 404),
        ("public", "unscoped", 404),
    ],
)
@pytest.mark.parametrize("state", ["queued", "active", "uploading", "deactivated"])
def test_delete(compute: Service, visibility: str, who: str, status: int, state: str) -> None:
    image = compute.image("demo" if visibility != "public" else "admin", visibility=visibility, status=state)
    reply = compute("DELETE", f"/v2.1/images/{image.id}", who)
    assert reply.status_code == status
    told = {403: "You are not allowed to delete the image.", 404: "Image not found."}
    if status == 204:
        assert (reply.content, reply.headers["content-type"]) == (b"", "application/json")
        assert compute("GET", f"/v2.1/images/{image.id}").status_code == 404
        assert compute("DELETE", f"/v2.1/images/{image.id}", who).status_code == 404
    else:
        name = {403: "forbidden", 404: "itemNotFound"}[status]
        assert reply.json() == {name: {"code": status, "message": told[status]}}


@pytest.mark.parametrize("who", ["demo", "admin"])
def test_protected(compute: Service, who: str) -> None:
    image = compute.image(protected=True)
    reply = compute("DELETE", f"/v2.1/images/{image.id}", who)
    assert reply.json() == {"forbidden": {"code": 403, "message": "You are not allowed to delete the image."}}


def test_the_body_of_a_delete_is_ignored(compute: Service) -> None:
    image = compute.image()
    assert compute("DELETE", f"/v2.1/images/{image.id}", content=b"{").status_code == 204


def test_foreign_projects(compute: Service) -> None:
    image = compute.image()
    for who, project in (("admin", CALLERS["admin"].project_id), ("unscoped", None), ("system", None)):
        reply = compute("GET", f"/v2.1/{DEMO}/images/{image.id}", who)
        assert reply.json()["badRequest"]["message"] == (
            f"Malformed request URL: URL's project_id '{DEMO}' doesn't match Context's project_id '{project}'"
        )
        assert reply.headers["openstack-api-version"] == "compute 2.1"


def test_signposts(compute: Service) -> None:
    image = compute.image(a="1")
    successor = f'<http://calotype.example:8776/v2/images/{image.id}>; rel="successor-version"'
    shown = compute("GET", f"/v2.1/images/{image.id}", headers={"User-Agent": "old/1"})
    assert (shown.headers["deprecation"], shown.headers["link"]) == ("@1475712000", successor)
    meta = compute("GET", f"/v2.1/images/{image.id}/metadata")
    assert (meta.headers["deprecation"], meta.headers["link"]) == ("@1487721600", successor)
    listed = compute("GET", "/v2.1/images?limit=0")
    assert listed.headers["link"] == '<http://calotype.example:8776/v2/images>; rel="successor-version"'
    odd = compute("GET", "/v2.1/images/a%3E%22%0Ab%E4%B8%AD")
    assert odd.headers["link"] == (
        '<http://calotype.example:8776/v2/images/a%3E%22%0Ab%E4%B8%AD>; rel="successor-version"'
    )
    mounted = compute("GET", f"/v2.1/images/{image.id}", mount="/compute")
    assert mounted.headers["link"].startswith("<http://calotype.example:8776/image/v2/images/")
    assert ((DEMO, "old/1", "GET /images/{image_id}"), 1) in compute.deprecated.rows()
    compute.remake(deprecation_headers=False)
    assert not {"deprecation", "link"} & set(compute("GET", f"/v2.1/images/{image.id}").headers)


def test_statements(compute: Service) -> None:
    image = compute.image(a="1")
    for path, most in (
        (f"/{image.id}", 1),
        (f"/{image.id}/metadata", 1),
        (f"/{image.id}/metadata/a", 1),
        ("", 1),
        ("/detail", 1),
        (f"/detail?marker={image.id}&type=x&limit=2", 2),
        ("?minRam=abc", 0),
        ("?limit=0", 0),
    ):
        compute("GET", "/v2.1/images" + path)
        assert compute.counted.statements <= most


def test_an_unexpected_failure(compute: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(compute.library, "show", broken)
    reply = compute("GET", "/v2.1/images/x")
    assert reply.status_code == 500
    message = "Unexpected API Error. Please contact the administrator\n<class 'calotype.InternalError'>"
    assert reply.json() == {"computeFault": {"code": 500, "message": message}}
    assert "openstack-api-version" in reply.headers


def test_storage_away(compute: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    from calotype.images.errors import StorageUnavailable

    async def away(*_: Any) -> None:
        raise StorageUnavailable("secret path")

    monkeypatch.setattr(compute.library, "show", away)
    reply = compute("GET", "/v2.1/images/x")
    assert reply.status_code == 503
    assert [*reply.json()] == ["serviceUnavailable"]
    assert "secret" not in reply.text
