"""No request makes a 500: imports, stagings, locations, stores and tasks fed with junk (design: hostile input).

The junk is shaped like what the calls take, so that it comes far; nothing carries the tasks out.
"""

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calotype.settings import Image, Imports, Store
from tests.support.image import ImageService, image_service

V21 = "application/openstack-images-v2.1-json-patch"
OCTETS = "application/octet-stream"
QUEUED = "00000000-0000-4000-8000-00000000f001"
STAGED = "00000000-0000-4000-8000-00000000f002"
ACTIVE = "00000000-0000-4000-8000-00000000f003"
METHODS = ("glance-direct", "web-download", "copy-image", "glance-download")
# Nothing here has to be looked up: the rules refuse it, or it is an address.
URLS = (
    "http://127.0.0.1:1/x", "http://192.0.2.1/x", "https://192.0.2.1:0/", "http://[::1]/", "http://0x7f.1/", "file:///x",
    "http://", "http://%00/", "http://\u2460/", "http://\u00b2/", "x" * 300, "http://192.0.2.1/" + "y" * 300, "", " ",
)  # fmt: skip

unhurried = settings(deadline=None)
junk = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=4,
)
urls = st.one_of(st.sampled_from(URLS), junk)
hexadecimal = st.one_of(st.sampled_from(("0" * 128, "0" * 64, "z" * 128, "\u00b2" * 128, "00", "0", "")), junk)
# Mostly those who may, and what is there.
who = st.one_of(
    st.sampled_from(("demo", "admin")), st.sampled_from(("reader", "alt", "roleless", "unscoped", "system"))
)
ids = st.one_of(st.sampled_from((QUEUED, STAGED, ACTIVE)), st.sampled_from(("nothing", "%00", "%F0%9F%92%BE")))
store_names = st.one_of(st.sampled_from(("fast", "slow", "web", "local", "", "os_glance_staging_store")), junk)
hashes = st.fixed_dictionaries(
    {}, optional={
        "os_hash_algo": st.one_of(st.sampled_from(("sha512", "sha256", "md5", "SHA512", "crc")), junk),
        "os_hash_value": hexadecimal,
        "checksum": hexadecimal,
        "more": junk,
    }
)  # fmt: skip
methods = st.fixed_dictionaries(
    {}, optional={
        "name": st.one_of(st.sampled_from(METHODS), junk),
        "uri": urls,
        "glance_region": st.one_of(st.just("RegionOne"), junk),
        "glance_image_id": st.one_of(st.just(ACTIVE), junk),
        "more": junk,
    }
)  # fmt: skip
imports = st.fixed_dictionaries(
    {}, optional={
        "method": st.one_of(methods, junk),
        "stores": st.one_of(st.lists(store_names, max_size=3), junk),
        "all_stores": st.one_of(st.booleans(), junk),
        "all_stores_must_succeed": st.one_of(st.booleans(), junk),
        "more": junk,
    }
)  # fmt: skip
locations = st.fixed_dictionaries(
    {}, optional={"url": urls, "metadata": st.one_of(st.just({}), junk), "validation_data": st.one_of(hashes, junk)}
)  # fmt: skip
inputs = st.fixed_dictionaries(
    {}, optional={
        "import_from": urls,
        "import_from_format": st.one_of(st.just("raw"), junk),
        "image_properties": st.one_of(st.dictionaries(st.sampled_from(("name", "owner", "id", "status")), junk), junk),
    }
)  # fmt: skip
tasks = st.fixed_dictionaries(
    {}, optional={
        "type": st.one_of(st.sampled_from(("import", "api_image_import")), junk),
        "input": st.one_of(inputs, junk),
        "more": junk,
    }
)  # fmt: skip
described = st.one_of(
    *[st.builds(lambda url: {"url": url, "metadata": {}}, st.sampled_from(URLS)) for _ in range(3)], locations
)
places = st.sampled_from(("-", "0", "1", "-1", "9" * 30, "\u00b2", "\u0661", "0/url", ""))
patches = st.one_of(
    st.builds(lambda place, value: {"op": "add", "path": f"/locations/{place}", "value": value}, places, described),
    st.builds(lambda place: {"op": "remove", "path": f"/locations/{place}"}, places),
    st.builds(lambda value: {"op": "replace", "path": "/locations", "value": value}, st.lists(described, max_size=2)),
)
header_values = st.one_of(
    st.sampled_from(("fast", "web", "", "nowhere", "fast, slow", "\xff", "9" * 5000, "-0", "0x10", "\u00b2")),
    st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=255), max_size=20).map(str.strip),
)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImageService]:
    """A site with three stores that shows locations; an image that is queued, one staged, one active."""
    sections = {
        "image": Image(show_locations=True, show_direct_url=True),
        "imports": Imports(methods=METHODS),
        "stores": {"fast": Store(), "slow": Store(), "web": Store(type="http")},
    }
    directory = tmp_path_factory.mktemp("image")
    with asyncio.Runner() as runner, image_service(directory, runner.run, **sections) as found:
        for id_ in (QUEUED, STAGED, ACTIVE):
            wanted = {"id": id_, "disk_format": "raw", "container_format": "bare"}
            assert found("POST", "/v2/images", json=wanted).status_code == 201
        for id_, what in ((STAGED, "stage"), (ACTIVE, "file")):
            path, kind = f"/v2/images/{id_}/{what}", {"Content-Type": OCTETS}
            assert found("PUT", path, content=b"0123456789", headers=kind).status_code == 204
        yield found


def refused_or_done(image: ImageService, method: str, path: str, **options: Any) -> None:
    """Send it and see that the service keeps its head."""
    options["headers"] = {"Accept": "application/json", **options.get("headers", {})}
    answer = image(method, path, **options)
    assert answer.status_code < 500, (answer.status_code, answer.text)
    if answer.status_code not in (202, 204):
        answer.json()


@unhurried
@given(id_=ids, caller=who, body=imports, store=st.one_of(st.none(), header_values))
def test_any_import(image: ImageService, id_: str, caller: str, body: Any, store: str | None) -> None:
    headers = {} if store is None else {"X-Image-Meta-Store": store.encode("utf-8")}
    refused_or_done(image, "POST", f"/v2/images/{id_}/import", who=caller, content=json.dumps(body), headers=headers)


@unhurried
@given(id_=ids, caller=who, body=locations)
def test_any_location(image: ImageService, id_: str, caller: str, body: Any) -> None:
    refused_or_done(image, "POST", f"/v2/images/{id_}/locations", who=caller, content=json.dumps(body))
    refused_or_done(image, "GET", f"/v2/images/{id_}/locations", who=caller)


@unhurried
@given(id_=st.sampled_from((QUEUED, ACTIVE)), caller=st.sampled_from(("demo", "admin")), patch=patches)
def test_any_change_of_locations(image: ImageService, id_: str, caller: str, patch: Any) -> None:
    kind = {"Content-Type": V21}
    refused_or_done(image, "PATCH", f"/v2/images/{id_}", who=caller, content=json.dumps([patch]), headers=kind)


@unhurried
@given(caller=st.sampled_from(("admin", "demo")), body=tasks)
def test_any_task(image: ImageService, caller: str, body: Any) -> None:
    refused_or_done(image, "POST", "/v2/tasks", who=caller, content=json.dumps(body))


@unhurried
@given(
    pairs=st.lists(
        st.tuples(
            st.sampled_from(("type", "status", "limit", "marker", "sort_key", "sort_dir", "owner", "image_id", "id")),
            st.one_of(
                st.sampled_from(("import", "success", "1", "9" * 30, "created_at", "expires_at", "asc", ACTIVE, "\0")),
                st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=4),
            ),
        ),
        max_size=4,
    )
)
def test_any_query_of_tasks(image: ImageService, pairs: list[tuple[str, str]]) -> None:
    refused_or_done(image, "GET", "/v2/tasks?" + urlencode(pairs), who="admin")


@unhurried
@given(what=st.sampled_from(("stage", "file")), size=header_values, store=header_values, data=st.binary(max_size=20))
def test_any_data(image: ImageService, what: str, size: str, store: str, data: bytes) -> None:
    made = image("POST", "/v2/images", json={"disk_format": "raw", "container_format": "bare"}).json()["id"]
    headers = {
        "Content-Type": OCTETS,
        "X-OpenStack-Image-Size": size.encode("utf-8"),
        "X-Image-Meta-Store": store.encode("utf-8"),
    }
    refused_or_done(image, "PUT", f"/v2/images/{made}/{what}", content=data, headers=headers)
    assert image("DELETE", f"/v2/images/{made}").status_code == 204


@unhurried
@given(store=st.sampled_from(("fast", "web", "nowhere", "%00", "%E2%9A%A1")), id_=ids, caller=who, prefer=header_values)
def test_any_store(image: ImageService, store: str, id_: str, caller: str, prefer: str) -> None:
    refused_or_done(image, "DELETE", f"/v2/stores/{store}/{id_}", who=caller)
    query = urlencode({"prefer": prefer})
    answer = image("GET", f"/v2/images/{id_}/file?{query}", who=caller)
    assert answer.status_code < 500, (answer.status_code, answer.text)
