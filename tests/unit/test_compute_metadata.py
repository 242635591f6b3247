"""Metadata calls and their faults (compute-images 8.3, 12)."""

from typing import Any

import pytest

from tests.support.compute import DEMO, Service

FIELD = "Invalid input for field/attribute"
PATTERN = "'^[a-zA-Z0-9-_:. ]{1,255}$'"
LONG = "x" * 256


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, "'metadata' is a required property"),
        ({"metadata": {}, "extra": 1}, "Additional properties are not allowed ('extra' was unexpected)"),
        ({"metadata": {}, "a": 1, "b": 2}, "Additional properties are not allowed ('a', 'b' were unexpected)"),
        ({"metadata": None}, f"{FIELD} metadata. Value: None. None is not of type 'object'"),
        ({"metadata": {"k": 1}}, f"{FIELD} k. Value: 1. 1 is not of type 'string'"),
        ({"metadata": {"k": True}}, f"{FIELD} k. Value: True. True is not of type 'string'"),
        ({"metadata": {"k": LONG}}, f"{FIELD} k. Value: {LONG}. '{LONG}' is too long"),
        (
            {"metadata": {"a!": "x"}},
            f"{FIELD} metadata. Value: {{'a!': 'x'}}. 'a!' does not match any of the regexes: {PATTERN}",
        ),
        (
            {"metadata": {"a!": "x", "b?": "y"}},
            f"{FIELD} metadata. Value: {{'a!': 'x', 'b?': 'y'}}. 'a!', 'b?' do not match any of the regexes: {PATTERN}",
        ),
        (
            {"metadata": {"": "x"}},
            f"{FIELD} metadata. Value: {{'': 'x'}}. '' does not match any of the regexes: {PATTERN}",
        ),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_refused_metadata(compute: Service, method: str, document: Any, message: str) -> None:
    reply = compute(method, "/v2.1/images/x/metadata", json=document)
    assert reply.json() == {"badRequest": {"code": 400, "message": message}}
    assert reply.headers["content-type"] == "application/json; charset=UTF-8"


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        (
            {"a": "1", "b": "2"},
            f"{FIELD} meta. Value: {{'a': '1', 'b': '2'}}. {{'a': '1', 'b': '2'}} has too many properties",
        ),
        ({}, f"{FIELD} meta. Value: {{}}. {{}} should be non-empty"),
        ({"b": "1"}, "Request body and URI mismatch"),
    ],
)
def test_refused_items(compute: Service, meta: Any, message: str) -> None:
    reply = compute("PUT", "/v2.1/images/x/metadata/a", json={"meta": meta})
    assert reply.json() == {"badRequest": {"code": 400, "message": message}}


def test_v2_drops_other_members(compute: Service) -> None:
    image = compute.image()
    body = {"metadata": {"a": "1"}, "extra": 1}
    assert compute("PUT", f"/v2/{DEMO}/images/{image.id}/metadata", json=body).json() == {"metadata": {"a": "1"}}
    assert compute("PUT", f"/v2.1/{DEMO}/images/{image.id}/metadata", json=body).status_code == 400


def _stored(compute: Service, image_id: str) -> Any:
    return compute("GET", f"/v2.1/images/{image_id}/metadata").json()["metadata"]


def test_writes(compute: Service) -> None:
    image = compute.image(a="1", b="2", visibility="community", protected=True)
    path = f"/v2.1/images/{image.id}/metadata"
    merged = compute("POST", path, json={"metadata": {"b": "3", "c": "4"}})
    assert (merged.status_code, merged.json()) == (200, {"metadata": {"a": "1", "b": "3", "c": "4"}})
    assert compute("PUT", path, json={"metadata": {"d": "5"}}).json() == {"metadata": {"d": "5"}}
    assert compute("PUT", f"{path}/e", json={"meta": {"e": "6"}}).json() == {"meta": {"e": "6"}}
    assert _stored(compute, image.id) == {"d": "5", "e": "6"}
    gone = compute("DELETE", f"{path}/d")
    assert (gone.status_code, gone.content, gone.headers["content-type"]) == (204, b"", "application/json")
    assert compute("PUT", path, json={"metadata": {}}).json() == {"metadata": {}}
    assert _stored(compute, image.id) == {}
    shown = compute.run(compute.library.show(_demo(), image.id))
    assert (shown.visibility, shown.protected) == ("community", True)
    assert shown.updated_at > image.updated_at


def _demo() -> Any:
    from tests.support.compute import CALLERS

    return CALLERS["demo"]


IGNORED = [
    "name",
    "id",
    "min_ram",
    "min_disk",
    "owner",
    "visibility",
    "checksum",
    "disk_format",
    "container_format",
    "os_hidden",
    "os_hash_algo",
    "os_hash_value",
    "image_id",
    "remove_props",
]
REFUSED = [
    "status",
    "created_at",
    "updated_at",
    "deleted",
    "deleted_at",
    "file",
    "schema",
    "direct_url",
    "os_glance_x",
    "tags",
    "protected",
    "size",
    "virtual_size",
    "locations",
    "self",
    "stores",
    "location",
]


@pytest.mark.parametrize("name", IGNORED)
def test_ignored_names(compute: Service, name: str) -> None:
    image = compute.image(a="1")
    path = f"/v2.1/images/{image.id}/metadata"
    assert compute("POST", path, json={"metadata": {name: "public"}}).json() == {"metadata": {"a": "1"}}
    assert compute("PUT", f"{path}/{name}", json={"meta": {name: "public"}}).json() == {"meta": {name: "public"}}
    body = {"metadata": {name: "public", "b": "2"}}
    assert compute("PUT", path, json=body).json() == body
    assert _stored(compute, image.id) == {"b": "2"}
    assert compute("DELETE", f"{path}/{name}").json()["itemNotFound"]["message"] == "Invalid metadata key"


@pytest.mark.parametrize("name", REFUSED)
def test_refused_names(compute: Service, name: str) -> None:
    image = compute.image(a="1")
    path = f"/v2.1/images/{image.id}/metadata"
    refused = {"forbidden": {"code": 403, "message": f"Not authorized for image {image.id}."}}
    assert compute("POST", path, json={"metadata": {"b": "2", name: "x"}}).json() == refused
    assert compute("PUT", path, json={"metadata": {"b": "2", name: "x"}}).json() == refused
    assert compute("PUT", f"{path}/{name}", json={"meta": {name: "x"}}).json() == refused
    assert _stored(compute, image.id) == {"a": "1"}


@pytest.mark.parametrize("name", ["kernel_id", "ramdisk_id"])
@pytest.mark.parametrize("value", ["none", " None ", ""])
def test_no_kernel_leaves_the_kernel(compute: Service, name: str, value: str) -> None:
    image = compute.image(a="1", **{name: "k1"})
    path = f"/v2.1/images/{image.id}/metadata"
    assert compute("PUT", path, json={"metadata": {name: value}}).json() == {"metadata": {name: value}}
    assert _stored(compute, image.id) == {name: "k1"}
    bare = compute.image()
    compute("POST", f"/v2.1/images/{bare.id}/metadata", json={"metadata": {name: value}})
    assert _stored(compute, bare.id) == {}


@pytest.mark.parametrize("name", ["is_public", "metadata", "instance_uuid", "bdm_v2", "mappings", "a b:c.d-e_f"])
@pytest.mark.parametrize("value", ["", "x", "{", "\U0001f4f7"])
def test_ordinary_names(compute: Service, name: str, value: str) -> None:
    image = compute.image()
    path = f"/v2.1/images/{image.id}/metadata"
    assert compute("PUT", f"{path}/{name}", json={"meta": {name: value}}).status_code == 200
    shown = compute("GET", f"{path}/{name}")
    assert shown.json() == {"meta": {name: value}}
    assert shown.content.isascii()
    assert compute("GET", f"/v2.1/images/{image.id}").status_code == 200


def test_same_value_under_another_name(compute: Service) -> None:
    image = compute.image(a="1")
    assert compute("PUT", f"/v2.1/images/{image.id}/metadata", json={"metadata": {"b": "1"}}).status_code == 200
    assert _stored(compute, image.id) == {"b": "1"}


@pytest.mark.parametrize(
    ("items", "method", "tail", "document", "status"),
    [
        (3, "POST", "", {"metadata": {"b": "2", "c": "3"}}, 200),
        (3, "POST", "", {"metadata": {"b": "2", "c": "3", "d": "4"}}, 403),
        (3, "PUT", "", {"metadata": {"b": "2", "c": "3", "d": "4"}}, 200),
        (3, "PUT", "", {"metadata": {"b": "2", "c": "3", "d": "4", "e": "5"}}, 403),
        (1, "PUT", "/b", {"meta": {"b": "2"}}, 403),
        (1, "PUT", "/a", {"meta": {"a": "2"}}, 200),
        (0, "PUT", "", {"metadata": {}}, 200),
        (0, "DELETE", "/a", None, 204),
        (-1, "PUT", "", {"metadata": {f"k{number}": "" for number in range(128)}}, 200),
        (-1, "PUT", "", {"metadata": {f"k{number}": "" for number in range(129)}}, 403),
    ],
)
def test_item_quota(compute: Service, items: int, method: str, tail: str, document: Any, status: int) -> None:
    image = compute.image(a="1")
    compute.remake(metadata_items=items)
    options = {"json": document} if document else {}
    reply = compute(method, f"/v2.1/images/{image.id}/metadata{tail}", **options)
    assert reply.status_code == status
    if status == 403:
        assert reply.json() == {"forbidden": {"code": 403, "message": "Image metadata limit exceeded"}}


WRITES = [
    ("POST", "", {"metadata": {"a": "2"}}),
    ("PUT", "", {"metadata": {"a": "2"}}),
    ("PUT", "/a", {"meta": {"a": "2"}}),
    ("DELETE", "/a", None),
]


@pytest.mark.parametrize(("method", "tail", "document"), WRITES)
@pytest.mark.parametrize(
    ("visibility", "who", "status"),
    [
        ("private", "demo", 0),
        ("private", "admin", 0),
        ("private", "reader", 403),
        ("private", "alt", 404),
        ("public", "alt", 403),
        ("community", "alt", 403),
        ("public", "roleless", 404),
        ("public", "unscoped", 404),
        ("private", "system", 0),
    ],
)
def test_who_may_write(
    compute: Service, visibility: str, who: str, status: int, method: str, tail: str, document: Any
) -> None:
    image = compute.image("demo" if visibility != "public" else "admin", visibility=visibility, a="1")
    options = {"json": document} if document else {}
    reply = compute(method, f"/v2.1/images/{image.id}/metadata{tail}", who, **options)
    assert reply.status_code == (status or (204 if method == "DELETE" else 200))
    if status == 403:
        assert reply.json()["forbidden"]["message"] == f"Not authorized for image {image.id}."
    if status == 404:
        assert reply.json()["itemNotFound"]["message"] == "Image not found."


def test_missing_keys_are_worded_differently(compute: Service) -> None:
    path = f"/v2.1/images/{compute.image(a='1').id}/metadata/zz"
    assert compute("GET", path).json()["itemNotFound"]["message"] == "The resource could not be found."
    assert compute("DELETE", path).json()["itemNotFound"]["message"] == "Invalid metadata key"


def test_the_query_of_reads_is_ignored_but_must_be_utf8(compute: Service) -> None:
    path = f"/v2.1/images/{compute.image(a='1').id}"
    for tail in ("", "/metadata", "/metadata/a"):
        assert compute("GET", f"{path}{tail}?x=1").status_code == 200
        refused = compute("GET", f"{path}{tail}?x=%FF")
        assert refused.json() == {"badRequest": {"code": 400, "message": "Query string is not UTF-8 encoded"}}
