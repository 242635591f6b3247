"""Microversions, routing, content and request ids (compute-images 3, 5, 6, 7)."""

import pytest

from tests.support.compute import DEMO, Service

BOTH = ("openstack-api-version", "x-openstack-nova-api-version")


@pytest.mark.parametrize(
    ("headers", "version"),
    [
        ([], "2.1"),
        ([("OpenStack-API-Version", "compute 2.20")], "2.20"),
        ([("OpenStack-API-Version", "COMPUTE   2.20")], "2.20"),
        ([("OpenStack-API-Version", "compute\t2.20")], "2.20"),
        ([("OpenStack-API-Version", "compute 2.5"), ("OpenStack-API-Version", "compute 2.6")], "2.6"),
        ([("OpenStack-API-Version", "compute 2.5, identity 3.1, compute 2.6")], "2.6"),
        ([("OpenStack-API-Version", "identity 3.1")], "2.1"),
        ([("OpenStack-API-Version", "2.40")], "2.1"),
        ([("OpenStack-API-Version", "latest")], "2.1"),
        ([("OpenStack-API-Version", "compute")], "2.1"),
        ([("OpenStack-API-Version", "")], "2.1"),
        ([("X-OpenStack-Nova-API-Version", "2.5")], "2.5"),
        ([("OpenStack-API-Version", "identity 3"), ("X-OpenStack-Nova-API-Version", "2.5")], "2.5"),
        ([("OpenStack-API-Version", "compute 2.6"), ("X-OpenStack-Nova-API-Version", "2.5")], "2.6"),
        ([("OpenStack-API-Version", "compute 2.35")], "2.35"),
    ],
)
def test_served_versions(compute: Service, headers: list[tuple[str, str]], version: str) -> None:
    reply = compute("GET", "/v2.1/images", headers=headers)
    assert reply.status_code == 200
    assert [reply.headers[name] for name in BOTH] == [f"compute {version}", version]
    assert reply.headers.get_list("vary") == ["OpenStack-API-Version", "X-OpenStack-Nova-API-Version"]


@pytest.mark.parametrize("text", ["abc", "2", "2.01", "LATEST", "0.1", "2.1 2.2"])
def test_malformed_versions(compute: Service, text: str) -> None:
    reply = compute("GET", "/v2.1/images", headers={"OpenStack-API-Version": f"compute {text}"})
    message = f"API Version String {text} is of invalid format. Must be of format MajorNum.MinorNum."
    assert reply.json() == {"badRequest": {"code": 400, "message": message}}
    assert not {"vary", *BOTH} & set(reply.headers)


@pytest.mark.parametrize("text", ["", "compute 2.5"])
def test_malformed_legacy_header(compute: Service, text: str) -> None:
    assert compute("GET", "/v2.1/images", headers={"X-OpenStack-Nova-API-Version": text}).status_code == 400


@pytest.mark.parametrize("text", ["2.0", "2.105", "1.9", "3.0", "2." + "9" * 5000])
def test_versions_out_of_range(compute: Service, text: str) -> None:
    reply = compute("GET", "/v2.1/images", headers={"OpenStack-API-Version": f"compute {text}"})
    message = f"Version {text} is not supported by the API. Minimum is 2.1 and maximum is 2.104."
    assert reply.json() == {"computeFault": {"code": 406, "message": message}}
    assert reply.status_code == 406
    assert [reply.headers[name] for name in BOTH] == [f"compute {text}", text]


@pytest.mark.parametrize(
    ("method", "tail", "last"),
    [
        ("GET", "", 35),
        ("GET", "/detail", 35),
        ("GET", "/{id}", 35),
        ("GET", "/{id}/metadata", 38),
        ("GET", "/{id}/metadata/a", 38),
        ("POST", "/{id}/metadata", 38),
        ("PUT", "/{id}/metadata", 38),
        ("PUT", "/{id}/metadata/a", 38),
        ("DELETE", "/{id}/metadata/a", 38),
        ("DELETE", "/{id}", 35),
    ],
)
def test_ceilings(compute: Service, method: str, tail: str, last: int) -> None:
    image = compute.image(a="1")
    path = f"/v2.1/{DEMO}/images" + tail.format(id=image.id)
    body = {} if method in ("GET", "DELETE") else {"json": {"meta" if tail.endswith("a/a") else "metadata": {"a": "2"}}}
    above = compute(method, path, headers={"OpenStack-API-Version": f"compute 2.{last + 1}"}, **body)
    assert above.json() == {"itemNotFound": {"code": 404, "message": "The resource could not be found."}}
    assert above.headers["openstack-api-version"] == f"compute 2.{last + 1}"
    assert "successor-version" in above.headers["link"]
    latest = compute(method, path, headers={"OpenStack-API-Version": "compute latest"}, **body)
    assert (latest.status_code, latest.headers[BOTH[1]]) == (404, "2.104")
    at = compute(method, path, headers={"OpenStack-API-Version": f"compute 2.{last}"}, **body)
    assert at.status_code in (200, 204)


def test_v2_ignores_versions(compute: Service) -> None:
    image = compute.image()
    reply = compute("GET", f"/v2/{DEMO}/images/{image.id}", headers={"OpenStack-API-Version": "compute abc"})
    assert reply.status_code == 200
    assert not {"vary", *BOTH} & set(reply.headers)
    assert reply.json()["image"]["links"][0]["href"].startswith("http://calotype.example:8776/v2/")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2.1/images/", 404),
        ("GET", "/v2.1/images.json", 404),
        ("GET", "/v2.1/Images", 404),
        ("GET", "/v2.1/ABC/images", 404),
        ("GET", "/v2.1/a_b/images", 404),
        ("GET", "/v2.1/-/images", 400),
        ("GET", "/v2.1/abc/images", 400),
        ("GET", f"/v2.1/{DEMO}", 404),
        ("GET", f"/v2.1/{DEMO}/", 200),
        ("HEAD", f"/v2.1/{DEMO}/", 404),
        ("POST", f"/v2.1/{DEMO}/", 404),
        ("GET", "/v2.1/abc/", 400),
        ("GET", f"/v2.1/{DEMO}/images", 200),
        ("HEAD", "/v2.1/images", 404),
        ("POST", "/v2.1/images", 404),
        ("PATCH", "/v2.1/images/x/metadata", 404),
        ("BREW", "/v2.1/images", 404),
        ("GET", "/v2.1/images/x/metadata/", 404),
        ("GET", "/v2.1/images/x/metadata/a/b", 404),
    ],
)
def test_routes(compute: Service, method: str, path: str, status: int) -> None:
    assert compute(method, path).status_code == status


@pytest.mark.parametrize("path", ["images/detail.json", "images/a%20b", "images/%E4%B8%AD", "images/" + "x" * 300])
def test_odd_ids_are_unknown_images(compute: Service, path: str) -> None:
    assert compute("GET", f"/v2.1/{path}").json()["itemNotFound"]["message"] == "Image not found."


def test_detail_is_an_id_to_delete(compute: Service) -> None:
    assert compute("DELETE", "/v2.1/images/detail").json()["itemNotFound"]["message"] == "Image not found."


@pytest.mark.parametrize(
    ("accept", "kind", "body"),
    [
        ("*/*", "text/html; charset=UTF-8", None),
        ("text/html", "text/html; charset=UTF-8", None),
        (
            "application/json",
            "application/json",
            b'{"message": "The resource could not be found.<br /><br />\\n\\n\\n", '
            b'"code": "404 Not Found", "title": "Not Found"}',
        ),
        (
            "application/xml",
            "text/plain; charset=UTF-8",
            b"404 Not Found\n\nThe resource could not be found.\n\n   ",
        ),
        (None, "text/plain; charset=UTF-8", b"404 Not Found\n\nThe resource could not be found.\n\n   "),
    ],
)
def test_raw_faults(compute: Service, accept: str | None, kind: str, body: bytes | None) -> None:
    reply = compute("GET", "/v2.1/nowhere", headers={"Accept": accept} if accept else {})
    assert (reply.status_code, reply.headers["content-type"]) == (404, kind)
    assert reply.content == body if body else len(reply.content) == 154
    assert reply.headers["x-compute-request-id"].startswith("req-")
    assert not {"vary", "deprecation"} & set(reply.headers)


def test_a_raw_fault_of_head_is_html_without_a_body(compute: Service) -> None:
    reply = compute("HEAD", "/v2.1/images", headers={"Accept": "application/json"})
    assert (reply.status_code, reply.headers["content-type"]) == (404, "text/html; charset=UTF-8")
    assert reply.content == b""


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "application/json"),
        ("text/html", "application/json"),
        ("application/vnd.openstack.compute+json", "application/vnd.openstack.compute+json"),
        ("application/vnd.openstack.compute+json;q=0.5, application/json", "application/json"),
        ("application/xml", "application/json"),
    ],
)
def test_success_types(compute: Service, accept: str | None, kind: str) -> None:
    reply = compute("GET", "/v2.1/images", headers={"Accept": accept} if accept else {})
    assert (reply.status_code, reply.headers["content-type"]) == (200, kind)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ("application/vnd.openstack.compute+json", 200),
        ("text/plain", 200),
        ("", 200),
        ("APPLICATION/JSON", 415),
        ("application/json ; charset=utf-8", 415),
        ("application/xml", 415),
        ("application/x-www-form-urlencoded", 415),
    ],
)
def test_request_types(compute: Service, kind: str, status: int) -> None:
    reply = compute("GET", "/v2.1/images", headers={"Content-Type": kind})
    assert reply.status_code == status
    if status == 415:
        assert reply.json() == {"badMediaType": {"code": 415, "message": "Unsupported Content-Type"}}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "None is not of type 'object'"),
        (b"null", "None is not of type 'object'"),
        (b"{", "Malformed request body"),
        (b"\xff", "Malformed request body"),
        (b"[]", "[] is not of type 'object'"),
        (b"[" * 100000, "Malformed request body"),
        (b'{"metadata": {"k": NaN}}', "Invalid input for field/attribute k. Value: nan. nan is not of type 'string'"),
    ],
)
def test_bodies(compute: Service, body: bytes, message: str) -> None:
    reply = compute("PUT", "/v2.1/images/x/metadata", content=body)
    assert reply.json() == {"badRequest": {"code": 400, "message": message}}


def test_the_last_of_repeated_members_counts(compute: Service) -> None:
    image = compute.image()
    body = b'{"metadata": {"a": "1"}, "metadata": {"a": "2"}}'
    assert compute("PUT", f"/v2.1/images/{image.id}/metadata", content=body).json() == {"metadata": {"a": "2"}}


def test_chunked_bodies(compute: Service) -> None:
    image = compute.image()

    async def grow(size: int):  # type: ignore[no-untyped-def]
        yield b'{"metadata": {"a": "1"}'
        yield b" " * size + b"}"

    assert compute("PUT", f"/v2.1/images/{image.id}/metadata", content=grow(10)).status_code == 200
    large = compute("PUT", f"/v2.1/images/{image.id}/metadata", content=grow(114688))
    assert large.status_code == 413
    assert "Request is too large. Larger than 114688." in large.text


def test_options(compute: Service) -> None:
    for path in ("/v2.1/images", "/v2.1/nowhere", f"/v2/{DEMO}/images", "/nowhere"):
        for who in ("demo", None):
            reply = compute("OPTIONS", path, who)
            assert (reply.status_code, reply.content) == (200, b"")
            assert {*reply.headers} == {"content-length"}
    assert compute("OPTIONS", "/v2.1/").json()["version"]["id"] == "v2.1"


def test_request_ids(compute: Service) -> None:
    sent = "req-01234567-89ab-cdef-0123-456789abcdef"
    reply = compute("GET", "/v2.1/images", headers={"X-Openstack-Request-Id": sent})
    assert reply.headers["x-openstack-request-id"] == reply.headers["x-compute-request-id"] != sent
