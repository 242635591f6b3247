"""Every call but the token request: who gets what (spec: identity-and-huawei A.1, A.3, A.4, A.6, A.8)."""

from typing import Any

import httpx
import pytest

from calotype.api.identity.routes import IdentityAPI
from calotype.images.errors import StorageUnavailable

TOKENS = "/v3/auth/tokens"
NO_TOKEN = "No token in the request"
UNKNOWN = "Failed to validate token"
VALIDATE = "You are not authorized to perform the requested action: identity:validate_token."
REVOKE = "You are not authorized to perform the requested action: identity:revoke_token."
BAD = "x" * 43

# who asks, about whose token, and what GET and DELETE answer
SUBJECTS: tuple[tuple[str | None, str | None, int, str, int, str], ...] = (
    ("demo", "demo", 200, "", 204, ""),
    ("unscoped", "demo", 200, "", 204, ""),
    ("admin", "demo", 200, "", 204, ""),
    ("system", "demo", 200, "", 204, ""),
    ("auditor", "demo", 200, "", 403, REVOKE),
    ("checker", "demo", 200, "", 403, REVOKE),
    ("reader", "demo", 403, VALIDATE, 403, REVOKE),
    ("demo", "reader", 403, VALIDATE, 403, REVOKE),
    ("demo", BAD, 404, UNKNOWN, 404, UNKNOWN),
    ("admin", BAD, 404, UNKNOWN, 404, UNKNOWN),
    ("admin", "nonsense", 404, UNKNOWN, 404, UNKNOWN),
    ("demo", "", 404, NO_TOKEN, 404, NO_TOKEN),
    ("admin", None, 404, NO_TOKEN, 404, NO_TOKEN),
    ("demo", None, 403, VALIDATE, 403, REVOKE),
    (None, "demo", 401, "requires authentication", 401, "requires authentication"),
    (BAD, "demo", 401, "requires authentication", 401, "requires authentication"),
    ("", "demo", 401, "requires authentication", 401, "requires authentication"),
)


@pytest.mark.parametrize(("who", "about", "status", "message", "_delete", "_message"), SUBJECTS)
async def test_validate(
    world: Any, who: str, about: str, status: int, message: str, _delete: int, _message: str
) -> None:
    answer = await world.call("GET", TOKENS, who, about)
    assert answer.status_code == status
    if status == 200:
        assert answer.headers["X-Subject-Token"] == world.issued[about]
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.json()["token"]["project"]["name"] == "demo"
    else:
        assert message in answer.json()["error"]["message"]
    head = await world.call("HEAD", TOKENS, who, about)
    if who == "checker":  # the role of services reads, and no more
        assert head.status_code == 403
        return
    assert (head.status_code, head.content) == (status, b"")
    assert head.headers["Content-Length"] == answer.headers["Content-Length"]


@pytest.mark.parametrize(("who", "about", "_get", "_message", "status", "message"), SUBJECTS)
async def test_revoke(world: Any, who: str, about: str, _get: int, _message: str, status: int, message: str) -> None:
    answer = await world.call("DELETE", TOKENS, who, about)
    assert answer.status_code == status
    if status == 204:
        assert answer.content == b""
        assert (await world.call("GET", TOKENS, "admin", about)).status_code == 404
    else:
        assert message in answer.json()["error"]["message"]


async def test_a_revoked_token_is_worth_nothing(world: Any) -> None:
    await world.call("DELETE", TOKENS, "demo", "demo")
    assert (await world.call("GET", TOKENS, "demo", "demo")).status_code == 401
    body = {"auth": {"identity": {"methods": ["token"], "token": {"id": world.issued["demo"]}}}}
    assert (await world.client.post(TOKENS, json=body)).status_code == 404


async def test_an_expired_token_is_known_to_those_who_say_so(world: Any) -> None:
    world.shift = 24 * 3600 * 1_000_000
    fresh = await world.log_in("admin", scope={"project": {"id": world.ids["admin"]}})
    world.issued["fresh"] = fresh.headers["X-Subject-Token"]
    assert (await world.call("GET", TOKENS, "fresh", "demo")).status_code == 404
    for word in ("0", "false", "no", "", "junk"):
        assert (await world.call("GET", TOKENS + f"?allow_expired={word}", "fresh", "demo")).status_code == 404
    for word in ("true", "True", "yes", "on", "t", "y"):
        assert (await world.call("GET", TOKENS + f"?allow_expired={word}", "fresh", "demo")).status_code == 200
    assert (await world.call("GET", TOKENS + "?allow_expired=1", "fresh", "demo")).status_code == 200
    assert (await world.call("DELETE", TOKENS + "?allow_expired=1", "fresh", "demo")).status_code == 404


async def test_validate_tells_what_issue_told(world: Any) -> None:
    issued = await world.log_in()
    world.issued["mine"] = issued.headers["X-Subject-Token"]
    assert (await world.call("GET", TOKENS, "mine", "mine")).json() == issued.json()
    bare = await world.call("GET", TOKENS + "?nocatalog", "mine", "mine")
    assert "catalog" not in bare.json()["token"]


def named(kind: str, *names: str) -> dict[str, set[str]]:
    return {kind: set(names)}


ALL = named("projects", "admin", "alt", "demo")
DEMO = named("projects", "demo")
NONE = named("projects")
LISTS: tuple[tuple[str, str, Any], ...] = (
    ("admin", "/v3/projects", ALL),
    ("system", "/v3/projects", ALL),
    ("auditor", "/v3/projects", ALL),
    ("demo", "/v3/projects", DEMO),
    ("unscoped", "/v3/projects", DEMO),
    ("alt", "/v3/projects?name=demo", 403),  # as Keystone, so that `openstack` goes on with an id
    ("demo", "/v3/projects?name=demo", DEMO),
    ("admin", "/v3/projects/", ALL),
    ("admin", "/v3/projects?name=demo", DEMO),
    ("admin", "/v3/projects?name=DEMO", NONE),
    ("admin", "/v3/projects?name__contains=em", DEMO),
    ("admin", "/v3/projects?name__icontains=EM", DEMO),
    ("admin", "/v3/projects?name__contains=%25", NONE),
    ("admin", "/v3/projects?name__startswith=d", DEMO),
    ("admin", "/v3/projects?name__startswith=D", NONE),
    ("admin", "/v3/projects?name__istartswith=D", DEMO),
    ("admin", "/v3/projects?name__endswith=mo", DEMO),
    ("admin", "/v3/projects?name__endswith=longerthanthename-demo", NONE),
    ("admin", "/v3/projects?name__iexact=DEMO", ALL),
    ("admin", "/v3/projects?enabled=false", NONE),
    ("admin", "/v3/projects?enabled=0", NONE),
    ("admin", "/v3/projects?enabled", ALL),
    ("admin", "/v3/projects?enabled__contains=x", ALL),
    ("admin", "/v3/projects?domain_id=default&name=demo", DEMO),
    ("admin", "/v3/projects?domain_id=nowhere", NONE),
    ("admin", "/v3/projects?parent_id=default", ALL),
    ("admin", "/v3/projects?tags=a", NONE),
    ("admin", "/v3/projects?not-tags=a", ALL),
    ("admin", "/v3/projects?is_domain=true", named("projects", "Default")),
    ("demo", "/v3/projects?is_domain=true", NONE),
    ("admin", "/v3/projects?unknown=x", ALL),
    ("admin", "/v3/projects?name=", 400),
    ("admin", "/v3/projects?limit=abc", 400),
    ("admin", "/v3/projects?limit=-1", 400),
    ("admin", "/v3/projects?limit=1%00", 400),
    ("admin", "/v3/projects?name=%00", 400),
    ("admin", "/v3/projects?marker=nowhere", 404),
    ("demo", "/v3/auth/projects", DEMO),
    ("unscoped", "/v3/auth/projects", DEMO),
    ("admin", "/v3/auth/projects", named("projects", "admin")),
    ("demo", "/v3/auth/projects?name=alt", DEMO),
    ("demo", "/v3/auth/domains", named("domains")),
    ("demo", "/v3/users/{user demo}/projects", DEMO),
    ("admin", "/v3/users/{user demo}/projects", DEMO),
    ("reader", "/v3/users/{user demo}/projects", 403),
    ("admin", "/v3/users/nobody/projects", 404),
    ("demo", "/v3/users/nobody/projects", 403),
    ("admin", "/v3/users?name=demo", named("users", "demo")),
    ("auditor", "/v3/users?name__contains=adm", named("users", "admin")),
    ("demo", "/v3/users", 403),
    ("admin", "/v3/roles?name=member", named("roles", "member")),
    ("demo", "/v3/roles", 403),
    ("admin", "/v3/domains?name=Default", named("domains", "Default")),
    ("demo", "/v3/domains", 403),
    ("admin", "/v3/services?type=image", named("services", "glance")),
    ("admin", "/v3/services", named("services", "keystone", "glance", "nova")),
    ("demo", "/v3/services", 403),
    ("demo", "/v3/endpoints", 403),
)


@pytest.mark.parametrize(("who", "path", "expected"), LISTS)
async def test_lists(world: Any, who: str, path: str, expected: Any) -> None:
    path = path.format_map(world.ids)
    answer = await world.call("GET", path, who)
    if isinstance(expected, int):
        assert (answer.status_code, answer.json()["error"]["code"]) == (expected, expected)
        return
    assert answer.status_code == 200
    ((kind, names),) = expected.items()
    assert {each["name"] for each in answer.json()[kind]} == names
    self_link = "http://cloud:5000" + path.removesuffix("/")
    assert answer.json()["links"] == {"self": self_link, "previous": None, "next": None}


SHOWN: tuple[tuple[str, str, int], ...] = (
    ("demo", "/v3/projects/{demo}", 200),
    ("admin", "/v3/projects/{demo}", 200),
    ("auditor", "/v3/projects/{demo}", 200),
    ("alt", "/v3/projects/{demo}", 403),
    ("unscoped", "/v3/projects/{demo}", 403),
    ("demo", "/v3/projects/nowhere", 403),
    ("admin", "/v3/projects/nowhere", 404),
    ("admin", "/v3/projects/%00", 404),
    ("demo", "/v3/users/{user demo}", 200),
    ("admin", "/v3/users/{user demo}", 200),
    ("alt", "/v3/users/{user demo}", 403),
    ("demo", "/v3/users/nobody", 403),
    ("admin", "/v3/users/demo", 404),
    ("admin", "/v3/roles/{role member}", 200),
    ("demo", "/v3/roles/{role member}", 403),
    ("demo", "/v3/roles/nothing", 403),
    ("demo", "/v3/domains/default", 200),
    ("unscoped", "/v3/domains/default", 403),
    ("demo", "/v3/domains/nowhere", 403),
    ("admin", "/v3/domains/nowhere", 404),
    ("unscoped", "/v3/regions", 200),
    ("unscoped", "/v3/regions/RegionOne", 200),
    ("unscoped", "/v3/regions/RegionTwo", 404),
    ("admin", "/v3/services/nothing", 404),
    ("admin", "/v3/endpoints/nothing", 404),
    ("admin", "/v3/endpoints", 200),
    ("demo", "/v3/auth/catalog", 200),
    ("system", "/v3/auth/catalog", 403),
    ("unscoped", "/v3/auth/catalog", 403),
    ("demo", "/v3/auth/system", 200),
)


@pytest.mark.parametrize(("who", "path", "status"), SHOWN)
async def test_shown(world: Any, who: str, path: str, status: int) -> None:
    path = path.format_map(world.ids)
    answer = await world.call("GET", path, who)
    assert answer.status_code == status
    head = await world.call("HEAD", path, who)
    assert (head.status_code, head.content) == (status, b"")
    assert (await world.call("GET", path)).status_code in (401, 404)


async def test_a_project(world: Any) -> None:
    id_ = world.ids["demo"]
    assert (await world.call("GET", f"/v3/projects/{id_}", "demo")).json() == {
        "project": {
            "id": id_,
            "name": "demo",
            "domain_id": "default",
            "description": "",
            "enabled": True,
            "parent_id": "default",
            "is_domain": False,
            "tags": [],
            "options": {},
            "links": {"self": f"http://cloud:5000/v3/projects/{id_}"},
        }
    }


async def test_a_user_without_secrets(world: Any) -> None:
    answer = await world.call("GET", f"/v3/users/{world.ids['user demo']}", "demo")
    assert set(answer.json()["user"]) == {
        "id", "name", "domain_id", "enabled", "default_project_id", "password_expires_at", "options", "links"
    }  # fmt: skip
    assert "argon2" not in answer.text


async def test_system(world: Any) -> None:
    for who, expected in (("admin", [{"all": True}]), ("demo", [])):
        answer = await world.call("GET", "/v3/auth/system", who)
        assert answer.json() == {"system": expected, "links": {"self": "http://cloud:5000/v3/auth/system"}}


async def test_pages(world: Any) -> None:
    found: list[str] = []
    url = "/v3/projects?limit=2"
    for _ in range(5):
        page = (await world.call("GET", url, "admin")).json()
        found += [each["id"] for each in page["projects"]]
        url = page["links"]["next"]
        assert page.get("truncated", False) is (url is not None)
        if url is None:
            break
    assert found == sorted(each.id for each in await world.accounts.projects())


async def test_discovery(world: Any) -> None:
    version = {
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": "http://cloud:5000/v3/"}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
    }
    for path in ("/v3", "/v3/"):
        answer = await world.call("GET", path)
        assert (answer.status_code, answer.json()) == (200, {"version": version})
    answer = await world.call("GET", "/")
    assert (answer.status_code, answer.json()) == (300, {"versions": {"values": [version]}})
    assert answer.headers["Location"] == "http://cloud:5000/v3/"
    assert (await world.call("HEAD", "/")).status_code == 300


@pytest.mark.parametrize(
    ("method", "path", "status", "kind", "text"),
    [
        ("GET", "/v3/nothing", 404, "text/html; charset=utf-8", "<title>404 Not Found</title>"),
        ("GET", "/v2.0", 404, "text/html; charset=utf-8", "<title>404 Not Found</title>"),
        ("GET", "/v3/auth", 404, "text/html; charset=utf-8", "<title>404 Not Found</title>"),
        ("POST", "/v3", 405, "text/html; charset=utf-8", "<title>405 Method Not Allowed</title>"),
        ("DELETE", "/", 405, "text/html; charset=utf-8", "<title>405 Method Not Allowed</title>"),
        ("PUT", TOKENS, 405, "application/json", '{"message":"The method is not allowed for the requested URL."}'),
        ("OPTIONS", TOKENS, 200, "text/html; charset=utf-8", ""),
    ],
)
async def test_paths(world: Any, method: str, path: str, status: int, kind: str, text: str) -> None:
    answer = await world.call(method, path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, kind)
    assert text in answer.text
    if status != 404:
        expected = "DELETE, GET, HEAD, OPTIONS, POST" if path == TOKENS else "GET, HEAD, OPTIONS"
        assert answer.headers["Allow"] == expected


@pytest.mark.parametrize("path", ["/", "/v3", "/v3/nothing", "/v3/projects", TOKENS])
async def test_every_answer_is_marked(world: Any, path: str) -> None:
    answer = await world.call("GET", path)
    assert answer.headers["Vary"] == "X-Auth-Token"
    assert answer.headers["x-openstack-request-id"].startswith("req-")


URLS = {
    "": ("http://cloud:5000/v2.1", "http://cloud:5000", "http://cloud:5000/v3"),
    "/identity": ("http://cloud:5000/compute/v2.1", "http://cloud:5000/image", "http://cloud:5000/identity/v3"),
}


@pytest.mark.parametrize("prefix", URLS)
async def test_the_catalogue(world: Any, prefix: str) -> None:
    app = IdentityAPI(world.settings, world.entrance, world.tokens, world.directory)

    async def mounted(scope: Any, receive: Any, send: Any) -> None:
        scope["calotype.prefix"] = prefix
        scope["path"] = scope["path"].removeprefix(prefix)
        await app(scope, receive, send)

    transport = httpx.ASGITransport(mounted)
    async with httpx.AsyncClient(transport=transport, base_url="http://cloud:5000") as client:
        headers = {"X-Auth-Token": world.issued["demo"]}
        catalogue = (await client.get(f"{prefix}/v3/auth/catalog", headers=headers)).json()["catalog"]
        version = (await client.get(f"{prefix}/v3")).json()["version"]
        refused = await client.get(f"{prefix}/v3/projects")
        listed = (await client.get(f"{prefix}/v3/projects?name=demo", headers=headers)).json()
    urls = {each["type"]: {end["url"] for end in each["endpoints"]} for each in catalogue}
    compute, image, identity = URLS[prefix]
    assert urls == {"compute": {compute}, "image": {image}, "identity": {identity}}
    assert {each["type"]: each["name"] for each in catalogue} == {
        "compute": "nova", "image": "glance", "identity": "keystone"
    }  # fmt: skip
    for service in catalogue:
        assert [each["interface"] for each in service["endpoints"]] == ["public", "internal", "admin"]
        assert {(each["region"], each["region_id"]) for each in service["endpoints"]} == {("RegionOne", "RegionOne")}
    ids = [each["id"] for service in catalogue for each in (service, *service["endpoints"])]
    assert len(set(ids)) == len(ids) == 12
    assert version["links"][0]["href"] == identity + "/"
    assert refused.headers["WWW-Authenticate"] == f'Keystone uri="{identity}"'
    assert listed["links"]["self"] == f"{identity}/projects?name=demo"
    assert listed["projects"][0]["links"]["self"].startswith(f"{identity}/projects/")


async def test_a_lost_database_is_503(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def lost(*_: Any) -> Any:
        raise StorageUnavailable("The database cannot be reached at the moment.")

    monkeypatch.setattr(world.database, "one", lost)
    for answer in (await world.log_in(), await world.call("GET", "/v3/projects", BAD)):
        assert answer.status_code == 503
        assert answer.json()["error"]["title"] == "Service Unavailable"
