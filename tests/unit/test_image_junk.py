"""No request makes a 500: the Image API fed with junk (design: hostile input)."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.image import ImageService, image_service

V21 = "application/openstack-images-v2.1-json-patch"
ID = "00000000-0000-4000-8000-00000000f00d"

texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]))
documents = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(
                st.text(),
                st.sampled_from(("name", "id", "tags", "min_disk", "member", "status", "op", "path", "value")),
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=8,
)
bodies = st.one_of(st.binary(), documents.map(lambda found: json.dumps(found).encode()))
calls = st.sampled_from(
    (
        ("POST", "/v2/images"),
        ("PATCH", f"/v2/images/{ID}"),
        ("POST", f"/v2/images/{ID}/members"),
        ("PUT", f"/v2/images/{ID}/members/x"),
        ("POST", f"/v2/images/{ID}/import"),
        ("POST", f"/v2/images/{ID}/locations"),
        ("POST", "/v2/tasks"),
        ("POST", "/v2/metadefs/namespaces"),
    )
)
headers = st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=255), max_size=80).map(str.strip)


unhurried = settings(deadline=None)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImageService]:
    """An Image API with one shared image, with data, in it."""
    with asyncio.Runner() as runner, image_service(tmp_path_factory.mktemp("image"), runner.run) as found:
        wanted = {"id": ID, "disk_format": "raw", "container_format": "bare"}
        assert found("POST", "/v2/images", json=wanted).status_code == 201
        upload = {"content": b"0123456789", "headers": {"Content-Type": "application/octet-stream"}}
        assert found("PUT", f"/v2/images/{ID}/file", **upload).status_code == 204
        yield found


def refused_or_done(image: ImageService, method: str, path: str, **options: Any) -> None:
    """Send it and see that the service keeps its head."""
    answer = image(method, path, **options)
    assert answer.status_code < 500, (answer.status_code, answer.text)
    if answer.headers.get("content-type", "").startswith("application/json"):
        answer.json()


@unhurried
@given(call=calls, body=bodies, who=st.sampled_from(("demo", "alt", "admin", "unscoped")))
def test_any_body(image: ImageService, call: tuple[str, str], body: bytes, who: str) -> None:
    kind = V21 if call[0] == "PATCH" else "application/json"
    refused_or_done(image, *call, who=who, content=body, headers={"Content-Type": kind, "Accept": "application/json"})


@unhurried
@given(pairs=st.lists(st.tuples(texts, texts), max_size=4), raw=st.one_of(st.none(), st.binary()))
def test_any_query(image: ImageService, pairs: list[tuple[str, str]], raw: bytes | None) -> None:
    refused_or_done(image, "GET", "/v2/images?" + (urlencode(pairs) if raw is None else quote(raw)))


@unhurried
@given(
    method=st.sampled_from(("GET", "PUT", "POST", "DELETE", "PATCH", "HEAD", "BREW")),
    steps=st.lists(st.one_of(texts, st.sampled_from(("images", ID, "members", "tags", "file", "schemas"))), max_size=4),
)
def test_any_path(image: ImageService, method: str, steps: list[str]) -> None:
    path = "/v2/" + "/".join(quote(step, safe="") for step in steps)
    if (method, path) != ("DELETE", f"/v2/images/{ID}"):
        refused_or_done(image, method, path)


@unhurried
@given(
    name=st.sampled_from(("Range", "Content-Range", "Accept", "X-OpenStack-Request-Id", "Content-Type", "Forwarded")),
    value=st.one_of(headers, st.sampled_from(("bytes=" + "9" * 5000 + "-", "bytes 0-" + "9" * 5000 + "/*"))),
)
def test_any_header(image: ImageService, name: str, value: str) -> None:
    refused_or_done(image, "GET", f"/v2/images/{ID}/file", headers={name: value.encode("latin-1")})


@unhurried
@given(size=headers, data=st.binary(max_size=64))
def test_any_announced_size(image: ImageService, size: str, data: bytes) -> None:
    wanted = {"disk_format": "raw", "container_format": "bare"}
    made = image("POST", "/v2/images", json=wanted).json()["id"]
    kind = {"Content-Type": "application/octet-stream", "X-OpenStack-Image-Size": size.encode("latin-1")}
    refused_or_done(image, "PUT", f"/v2/images/{made}/file", content=data, headers=kind)
    assert image("DELETE", f"/v2/images/{made}").status_code == 204
