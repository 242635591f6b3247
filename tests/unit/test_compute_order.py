"""The order of checks (compute-images 2): of two faults the one that comes first is told."""

from typing import Any

import pytest

from tests.support.compute import ALT, DEMO, Service

JSON = {"Content-Type": "application/json"}
XML = {"Content-Type": "text/xml"}
BODY = {"metadata": {"a": "1"}}


def v(number: str) -> dict[str, str]:
    return {"OpenStack-API-Version": f"compute {number}"}


@pytest.mark.parametrize(
    ("first", "method", "path", "options", "status"),
    [
        ("OPTIONS before all", "OPTIONS", "/v2.1/nowhere", {"who": None, "headers": v("abc")}, 200),
        ("size before token", "POST", "/v2.1/images", {"who": None, "content": b"x" * 114689}, 413),
        ("token before route", "GET", "/v2.1/nowhere", {"who": None}, 401),
        ("token before method", "HEAD", "/v2.1/images", {"who": "stranger"}, 401),
        ("route before version", "GET", "/v2.1/nowhere", {"headers": v("abc")}, 404),
        ("version before type", "GET", "/v2.1/images", {"headers": v("abc") | XML}, 400),
        ("range before type", "GET", "/v2.1/images", {"headers": v("2.999") | XML}, 406),
        ("type before body", "POST", "/v2.1/images/x/metadata", {"headers": XML, "content": b"{"}, 415),
        ("body before project", "POST", f"/v2.1/{ALT}/images/x/metadata", {"headers": JSON, "content": b"{"}, 400),
        ("project before ceiling", "GET", f"/v2.1/{ALT}/images", {"headers": v("2.36")}, 400),
        ("project before query", "GET", f"/v2.1/{ALT}/images?limit=0", {}, 400),
        ("ceiling before query", "GET", "/v2.1/images?limit=0", {"headers": v("2.36")}, 404),
        ("query before marker", "GET", "/v2.1/images?limit=0&marker=x", {}, 400),
        ("schema before image", "POST", "/v2.1/images/x/metadata", {"json": {}}, 400),
        ("mismatch before image", "PUT", "/v2.1/images/x/metadata/b", {"json": {"meta": {"a": "1"}}}, 400),
        ("image before quota", "PUT", "/v2.1/images/x/metadata", {"json": BODY}, 404),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_first_fault_is_told(
    compute: Service, first: str, method: str, path: str, options: dict[str, Any], status: int
) -> None:
    assert compute(method, path, **options).status_code == status


@pytest.mark.parametrize(
    ("method", "path", "options", "message"),
    [
        ("POST", f"/v2.1/{ALT}/images/x/metadata", {"headers": JSON, "content": b"{"}, "Malformed request body"),
        (
            "GET",
            f"/v2.1/{ALT}/images?limit=0",
            {},
            f"Malformed request URL: URL's project_id '{ALT}' doesn't match Context's project_id '{DEMO}'",
        ),
        ("PUT", "/v2.1/images/x/metadata/b", {"json": {"meta": {"a": "1"}}}, "Request body and URI mismatch"),
        ("PUT", "/v2.1/images/x/metadata/b", {"json": {"meta": {"a": 1}}}, None),
    ],
)
def test_which_400(compute: Service, method: str, path: str, options: dict[str, Any], message: str | None) -> None:
    told = compute(method, path, **options).json()["badRequest"]["message"]
    assert told == message or (message is None and told.endswith("1 is not of type 'string'"))


def test_quota_before_permission_and_key_before_permission(compute: Service) -> None:
    image = compute.image("admin", visibility="public", a="1")
    many = {"metadata": {f"k{number}": "" for number in range(129)}}
    told = compute("PUT", f"/v2.1/images/{image.id}/metadata", json=many)
    assert told.json() == {"forbidden": {"code": 403, "message": "Image metadata limit exceeded"}}
    absent = compute("DELETE", f"/v2.1/images/{image.id}/metadata/zz")
    assert absent.json() == {"itemNotFound": {"code": 404, "message": "Invalid metadata key"}}
    present = compute("DELETE", f"/v2.1/images/{image.id}/metadata/a")
    assert present.json() == {"forbidden": {"code": 403, "message": f"Not authorized for image {image.id}."}}


def test_identity_away(compute: Service) -> None:
    reply = compute("GET", "/v2.1/images", "away", {"Accept": "application/json"})
    assert reply.status_code == 503
    assert reply.json() == {
        "code": "503 Service Unavailable",
        "title": "Service Unavailable",
        "message": "The server is currently unavailable. Please try again at a later time.<br /><br />\n"
        "The Keystone service is temporarily unavailable.\n\n",
    }
    assert "openstack-api-version" not in reply.headers


def test_unauthorized(compute: Service) -> None:
    reply = compute("GET", "/v2.1/images", None)
    assert reply.content == (
        b'{"error": {"code": 401, "title": "Unauthorized", '
        b'"message": "The request you have made requires authentication."}}'
    )
    assert len(reply.content) == 114
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["www-authenticate"] == 'Keystone uri="http://calotype.example:8776/v3"'
    assert reply.headers["x-openstack-request-id"] == reply.headers["x-compute-request-id"]
    assert not {"vary", "openstack-api-version", "deprecation"} & set(reply.headers)


def test_where_a_token_may_stand(compute: Service) -> None:
    assert compute("GET", "/v2.1/images", headers={"X-Service-Token": "nova"}).status_code == 200
    assert compute("GET", "/v2.1/images", headers={"X-Service-Token": "demo"}).status_code == 401
    assert compute("GET", "/v2.1/images", headers={"X-Service-Token": "stranger"}).status_code == 401
    assert compute("GET", "/v2.1/images", None, {"X-Storage-Token": " demo "}).status_code == 200
