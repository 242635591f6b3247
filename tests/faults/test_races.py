"""Many callers at once: nothing that was acknowledged is lost, nothing happens twice."""

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import httpx
import pytest

from tests.support.attacked import PATCH, Site
from tests.support.personas import log_in
from tests.support.threads import together

ADDED = 201
GONE = 204


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def crowd(request: pytest.FixtureRequest, servers: Any) -> Iterator[Site]:
    """A server with three workers, on each database in turn."""
    server = servers.unstarted(request.param, options=("--workers", "3"))
    server.start()
    yield Site(server)
    server.kill()


def call(site: Site, method: str, path: str, **options: Any) -> httpx.Response:
    """One request on a connection of its own, so that any worker may get it."""
    headers = {"X-Auth-Token": site.token, **options.pop("headers", {})}
    return httpx.request(method, site.server.base + path, headers=headers, timeout=60, **options)


def statuses(answers: list[httpx.Response]) -> Counter[int]:
    """How often each status came."""
    return Counter(answer.status_code for answer in answers)


def test_of_many_creates_of_one_id_one_succeeds(crowd: Site) -> None:
    body = {"id": str(uuid.uuid4()), "name": "one"}
    answers = together([partial(call, crowd, "POST", "/v2/images", json=body)] * 50)
    assert statuses(answers) == {201: 1, 409: 49}
    assert crowd.show(body["id"])["name"] == "one"


def test_changes_of_different_properties_are_all_kept(crowd: Site) -> None:
    image = crowd.image()
    changes = [[{"op": "add", "path": f"/p{number}", "value": str(number)}] for number in range(30)]
    path = f"/v2/images/{image}"
    answers = together(partial(call, crowd, "PATCH", path, json=change, headers=PATCH) for change in changes)
    assert statuses(answers) == {200: 30}
    found = crowd.show(image)
    assert {name: found.get(name) for name in map("p{}".format, range(30))} == {
        f"p{number}": str(number) for number in range(30)
    }
    listed = call(crowd, "GET", "/v2/images?" + "&".join(f"p{number}={number}" for number in range(30)))
    assert [each["id"] for each in listed.json()["images"]] == [image]


def test_metadata_and_changes_of_both_apis_are_all_kept(crowd: Site) -> None:
    image = crowd.image()
    old = [
        partial(call, crowd, "POST", f"/v2.1/images/{image}/metadata", json={"metadata": {f"c{number}": "x"}})
        for number in range(15)
    ]
    new = [
        partial(call, crowd, "PATCH", f"/v2/images/{image}", headers=PATCH,
                json=[{"op": "add", "path": f"/i{number}", "value": "x"}])
        for number in range(15)
    ]  # fmt: skip
    assert statuses(together([*old, *new])) == {200: 30}
    assert {name for name in crowd.show(image) if name[1:].isdigit()} == {
        f"{api}{number}" for api in "ci" for number in range(15)
    }


def test_tags_are_neither_lost_nor_doubled(crowd: Site) -> None:
    image = crowd.image(tags=[f"old{number}" for number in range(15)])
    path = f"/v2/images/{image}/tags/"
    added = [partial(call, crowd, "PUT", f"{path}new{number % 15}") for number in range(30)]
    removed = [partial(call, crowd, "DELETE", f"{path}old{number}") for number in range(15)]
    assert statuses(together([*added, *removed])) == {204: 45}
    assert sorted(crowd.show(image)["tags"]) == sorted(f"new{number}" for number in range(15))


def test_the_quota_of_tags_holds(crowd: Site) -> None:
    image = crowd.image(tags=[f"t{number}" for number in range(120)])
    answers = together(partial(call, crowd, "PUT", f"/v2/images/{image}/tags/n{number}") for number in range(30))
    assert statuses(answers) == {204: 8, 413: 22}
    assert len(crowd.show(image)["tags"]) == 128


def test_members_are_neither_lost_nor_doubled_and_their_quota_holds(crowd: Site) -> None:
    image = crowd.image()
    path = f"/v2/images/{image}/members"
    add = [partial(call, crowd, "POST", path, json={"member": f"m{number % 20}"}) for number in range(40)]
    assert statuses(together(add)) == {200: 20, 409: 20}
    with crowd.server.client() as api:
        for number in range(20, 120):
            api.post(path, json={"member": f"m{number}"}).raise_for_status()
    more = [partial(call, crowd, "POST", path, json={"member": f"n{number}"}) for number in range(30)]
    assert statuses(together(more)) == {200: 8, 413: 22}
    members = [each["member_id"] for each in call(crowd, "GET", path).json()["members"]]
    assert len(members) == len(set(members)) == 128


def test_of_many_deletes_one_succeeds(crowd: Site) -> None:
    for data in (b"", b"some bytes"):
        image = crowd.image()
        if data:
            assert crowd.put(image, data).status_code == 204
        answers = together([partial(call, crowd, "DELETE", f"/v2/images/{image}")] * 20)
        assert statuses(answers) == {204: 1, 404: 19}
    assert not [name for name in crowd.only(set()) if image in name]


def test_of_many_removals_of_a_member_and_a_tag_one_succeeds(crowd: Site) -> None:
    image = crowd.image(tags=["t"])
    call(crowd, "POST", f"/v2/images/{image}/members", json={"member": "m"}).raise_for_status()
    for path in ("members/m", "tags/t"):
        answers = together([partial(call, crowd, "DELETE", f"/v2/images/{image}/{path}")] * 20)
        assert statuses(answers) == {204: 1, 404: 19}


def test_a_deleted_image_is_gone_for_all_workers_at_once(crowd: Site) -> None:
    image = crowd.image()
    assert call(crowd, "DELETE", f"/v2/images/{image}").status_code == 204
    answers = together([partial(call, crowd, "GET", f"/v2/images/{image}")] * 20)
    assert statuses(answers) == {404: 20}


def test_a_revoked_token_is_soon_refused_by_every_worker(crowd: Site) -> None:
    demo = crowd.server.personas["demo"]
    token, _ = log_in(crowd.server.base, demo.user_name, demo.password, demo.project_name)
    mine = {"X-Auth-Token": token}
    get: Callable[[], httpx.Response] = partial(call, crowd, "GET", "/v2/images", headers=mine)
    assert statuses(together([get] * 20)) == {200: 20}  # every worker knows it now
    revoked = call(crowd, "DELETE", "/v3/auth/tokens", headers={**mine, "X-Subject-Token": token})
    assert revoked.status_code == 204
    time.sleep(1.5)
    assert statuses(together([get] * 30)) == {401: 30}


def as_admin(site: Site) -> dict[str, str]:
    """Who writes metadata definitions."""
    return {"X-Auth-Token": site.server.personas["admin"].token}


def test_of_many_namespaces_of_one_name_one_is_made(crowd: Site) -> None:
    name, mine = uuid.uuid4().hex, as_admin(crowd)
    body = {
        "namespace": name,
        "tags": [{"name": "t"}],
        "resource_type_associations": [{"name": f"{name}-{number}"} for number in range(3)],
    }
    path = "/v2/metadefs/namespaces"
    answers = together([partial(call, crowd, "POST", path, json=body, headers=mine)] * 30)
    assert statuses(answers) == {201: 1, 409: 29}
    found = call(crowd, "GET", f"{path}/{name}", headers=mine).json()
    assert found["tags"] == [{"name": "t"}]
    assert len(found["resource_type_associations"]) == 3


def test_of_many_parts_of_one_name_one_is_made_and_one_removed(crowd: Site) -> None:
    mine = as_admin(crowd)
    path = f"/v2/metadefs/namespaces/{uuid.uuid4().hex}"
    namespace = {"namespace": path.rpartition("/")[2]}
    call(crowd, "POST", "/v2/metadefs/namespaces", json=namespace, headers=mine).raise_for_status()
    for kind, body in (
        ("resource_types", {"name": "x"}),
        ("properties", {"name": "x", "title": "X", "type": "string"}),
        ("objects", {"name": "x"}),
        ("tags/x", None),
    ):
        made = together([partial(call, crowd, "POST", f"{path}/{kind}", json=body, headers=mine)] * 15)
        assert statuses(made) == {201: 1, 409: 14}, kind
        at = f"{path}/{kind.removesuffix('/x')}/x"
        assert statuses(together([partial(call, crowd, "DELETE", at, headers=mine)] * 15)) == {204: 1, 404: 14}, kind


def test_namespaces_that_name_new_resource_types_at_once_are_all_made(crowd: Site) -> None:
    mine, types = as_admin(crowd), [uuid.uuid4().hex for _ in range(4)]
    bodies = [
        {"namespace": uuid.uuid4().hex, "resource_type_associations": [{"name": name} for name in order]}
        for order in (types, types[::-1]) * 5
    ]
    path = "/v2/metadefs/namespaces"
    answers = together([partial(call, crowd, "POST", path, json=body, headers=mine) for body in bodies])
    assert statuses(answers) == {201: 10}
    known = [each["name"] for each in call(crowd, "GET", "/v2/metadefs/resource_types").json()["resource_types"]]
    assert all(known.count(name) == 1 for name in types)


def test_of_many_renames_to_one_name_one_succeeds(crowd: Site) -> None:
    mine, wanted = as_admin(crowd), {"namespace": uuid.uuid4().hex}
    names = [uuid.uuid4().hex for _ in range(12)]
    path = "/v2/metadefs/namespaces"
    for name in names:
        call(crowd, "POST", path, json={"namespace": name}, headers=mine).raise_for_status()
    renames = [partial(call, crowd, "PUT", f"{path}/{name}", json=wanted, headers=mine) for name in names]
    assert statuses(together(renames)) == {200: 1, 409: 11}
