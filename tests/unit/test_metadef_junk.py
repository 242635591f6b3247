"""No request makes a 500: metadata definitions fed with junk, and whatever is accepted comes back as it was."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.image import ImageService, image_service

BASE = "/v2/metadefs/namespaces"
WORDS = (
    *("namespace", "name", "display_name", "description", "visibility", "protected", "owner", "properties", "objects"),
    *("tags", "resource_type_associations", "title", "type", "required", "default", "enum", "minimum", "operators"),
    *("prefix", "properties_target", "items", "minLength", "string", "public", "private", "self"),
)

texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]))
words = st.one_of(st.sampled_from(WORDS), st.text(max_size=90))
documents = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.integers(min_value=2**62), st.floats(), words),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(words, inner, max_size=5)),
    max_leaves=12,
)
values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text("abc"), inner, max_size=3)),
    max_leaves=8,
)
titled = st.fixed_dictionaries({"title": words, "type": st.sampled_from(("string", "array", None, "colour"))})
likely = st.fixed_dictionaries(
    {"namespace": words},
    optional={
        "visibility": st.sampled_from(("public", "private", "shared")),
        "protected": st.one_of(st.just(False), documents),
        "properties": st.dictionaries(words, st.one_of(titled, documents), max_size=3),
        "objects": st.lists(st.fixed_dictionaries({"name": words}, optional={"required": st.lists(words)}), max_size=3),
        "tags": st.lists(st.fixed_dictionaries({"name": words}), max_size=3),
        "resource_type_associations": st.lists(
            st.fixed_dictionaries({"name": words}, optional={"prefix": words}), max_size=3
        ),
    },
)
bodies = st.one_of(st.binary(), *(each.map(lambda found: json.dumps(found).encode()) for each in (documents, likely)))
calls = st.sampled_from(
    (
        ("POST", BASE),
        ("PUT", f"{BASE}/there"),
        ("POST", f"{BASE}/there/resource_types"),
        ("POST", f"{BASE}/there/properties"),
        ("PUT", f"{BASE}/there/properties/p"),
        ("POST", f"{BASE}/there/objects"),
        ("PUT", f"{BASE}/there/objects/o"),
        ("POST", f"{BASE}/there/tags"),
        ("POST", f"{BASE}/there/tags/t"),
        ("PUT", f"{BASE}/there/tags/t"),
    )
)
THERE = {
    "namespace": "there",
    "visibility": "public",
    "properties": {"p": {"title": "P", "type": "string"}},
    "objects": [{"name": "o"}],
    "tags": [{"name": "t"}],
    "resource_type_associations": [{"name": "r", "prefix": "x_"}],
}

unhurried = settings(deadline=None)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImageService]:
    """An Image API."""
    with asyncio.Runner() as runner, image_service(tmp_path_factory.mktemp("image"), runner.run) as found:
        yield found


def renew(image: ImageService) -> None:
    """Let there be the one namespace, and no other."""
    for found in image("GET", f"{BASE}?limit=1000", "admin").json()["namespaces"]:
        path = f"{BASE}/{quote(found['namespace'], safe='')}"
        assert image("PUT", path, "admin", json={"namespace": found["namespace"]}).status_code == 200
        assert image("DELETE", path, "admin").status_code == 204
    assert image("POST", BASE, "admin", json=THERE).status_code == 201


def refused_or_done(image: ImageService, method: str, path: str, who: str = "admin", **options: Any) -> None:
    """Send it and see that the service keeps its head."""
    answer = image(method, path, who, headers={"Accept": "application/json"}, **options)
    assert answer.status_code < 500, (answer.status_code, answer.text)
    if method != "HEAD" and answer.headers.get("content-type", "").startswith("application/json"):
        answer.json()


@unhurried
@given(call=calls, body=bodies, who=st.sampled_from(("admin", "admin", "demo", "roleless", "unscoped", "system")))
def test_any_body(image: ImageService, call: tuple[str, str], body: bytes, who: str) -> None:
    renew(image)
    refused_or_done(image, *call, who=who, content=body)
    for found in image("GET", BASE, "admin").json()["namespaces"]:
        shown = image("GET", f"{BASE}/{quote(found['namespace'], safe='')}?resource_type=r", "demo")
        assert shown.status_code in (200, 404)


@unhurried
@given(
    path=st.sampled_from(("", "/there", "/there/objects", "/there/tags", "/there/properties/x_p", "/there/properties")),
    pairs=st.lists(
        st.tuples(
            st.one_of(
                texts,
                st.sampled_from(("limit", "marker", "sort_key", "sort_dir", "visibility")),
                st.sampled_from(("resource_type", "resource_types")),
            ),
            st.one_of(texts, st.integers().map(str), st.sampled_from(("asc", "name", "namespace", "there", "t", "r"))),
        ),
        max_size=4,
    ),
    raw=st.one_of(st.none(), st.binary()),
)
def test_any_query(image: ImageService, path: str, pairs: list[tuple[str, str]], raw: bytes | None) -> None:
    renew(image)
    refused_or_done(image, "GET", f"{BASE}{path}?" + (urlencode(pairs) if raw is None else quote(raw)))


@unhurried
@given(
    method=st.sampled_from(("GET", "PUT", "POST", "DELETE", "PATCH", "HEAD")),
    steps=st.lists(
        st.one_of(texts, st.sampled_from(("there", "tags", "objects", "properties", "resource_types", "p", "t", "r"))),
        max_size=4,
    ),
    body=st.one_of(st.none(), st.just({"name": "x", "title": "X", "type": "string"}), st.just({"namespace": "x"})),
)
def test_any_path(image: ImageService, method: str, steps: list[str], body: Any) -> None:
    renew(image)
    path = BASE + "".join("/" + quote(step, safe="") for step in steps)
    refused_or_done(image, method, path, **({} if body is None else {"json": body}))


@unhurried
@given(default=values, enum=st.lists(values, max_size=3))
def test_what_is_accepted_comes_back(image: ImageService, default: Any, enum: list[Any]) -> None:
    renew(image)
    wanted = {"name": "kept", "title": "Kept", "type": "string", "default": default, "enum": enum}
    assert image("POST", f"{BASE}/there/properties", "admin", content=json.dumps(wanted)).status_code == 201
    shown = str(default) if isinstance(default, (bool, int, float)) else default
    assert image("GET", f"{BASE}/there/properties/kept").json() == wanted | {"default": shown}


def test_a_body_is_bounded(image: ImageService) -> None:
    tags = [{"name": f"tag {number}"} for number in range(300_000)]
    assert image("POST", f"{BASE}/there/tags", "admin", json={"tags": tags}).status_code == 413


def test_many_different_things_that_are_no_texts_are_refused_soon(image: ImageService) -> None:
    renew(image)
    odd = [{"a": number} if number % 2 else number for number in range(100_000)]
    answer = image("POST", f"{BASE}/there/objects", "admin", json={"name": "x", "required": odd}, timeout=10)
    assert answer.status_code == 400
