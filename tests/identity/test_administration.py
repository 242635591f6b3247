"""Writing accounts: who may, what is refused, and what a change takes away (spec: identity-and-huawei A.5, A.8)."""

import asyncio
import contextlib
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calotype.access import tokens as module
from calotype.access.model import Login, Scope
from calotype.access.records import EXTRA_BYTES
from tests.identity.conftest import PASSWORD

USER, PROJECT, ROLE = "/v3/users/{user alt}", "/v3/projects/{alt}", "/v3/roles/{role manager}"
GRANT = "/v3/projects/{alt}/users/{user alt}/roles/{role reader}"
SYSTEM_GRANT = "/v3/system/users/{user alt}/roles/{role reader}"
GIVEN = "/v3/projects/{demo}/users/{user demo}/roles/{role member}"

# method, path, body, the rule, what an administrator gets
WRITES: tuple[tuple[str, str, Any, str, int], ...] = (
    ("POST", "/v3/users", {"user": {"name": "new", "password": "x"}}, "create_user", 201),
    ("PATCH", USER, {"user": {"description": "x"}}, "update_user", 200),
    ("DELETE", USER, None, "delete_user", 204),
    ("POST", "/v3/projects", {"project": {"name": "new"}}, "create_project", 201),
    ("PATCH", PROJECT, {"project": {"enabled": False}}, "update_project", 200),
    ("DELETE", PROJECT, None, "delete_project", 204),
    ("POST", "/v3/domains", {"domain": {"name": "new"}}, "create_domain", 201),
    ("PATCH", "/v3/domains/default", {"domain": {"description": "x"}}, "update_domain", 200),
    ("DELETE", "/v3/domains/nowhere", None, "delete_domain", 404),
    ("POST", "/v3/roles", {"role": {"name": "new"}}, "create_role", 201),
    ("PATCH", ROLE, {"role": {"description": "x"}}, "update_role", 200),
    ("DELETE", ROLE, None, "delete_role", 204),
    ("PUT", GRANT, None, "create_grant", 204),
    ("DELETE", GIVEN, None, "revoke_grant", 204),
    ("PUT", "/v3/domains/default/users/{user alt}/roles/{role reader}", None, "create_grant", 204),
    ("DELETE", "/v3/domains/default/users/{user alt}/roles/{role reader}", None, "revoke_grant", 404),
    ("PUT", SYSTEM_GRANT, None, "create_system_grant_for_user", 204),
    ("DELETE", SYSTEM_GRANT, None, "revoke_system_grant_for_user", 404),
)
READS: tuple[tuple[str, str, str, int], ...] = (
    ("GET", "/v3/role_assignments", "list_role_assignments", 200),
    ("GET", "/v3/projects/{demo}/users/{user demo}/roles", "list_grants", 200),
    ("GET", GIVEN, "check_grant", 204),
    ("GET", "/v3/domains", "list_domains", 200),
    ("GET", "/v3/domains/default/users/{user demo}/roles", "list_grants", 200),
    ("GET", "/v3/system/users/{user demo}/roles", "list_system_grants_for_user", 200),
    ("GET", SYSTEM_GRANT, "check_system_grant_for_user", 404),
)
ADMINISTRATORS = ("admin", "system")
OTHERS = ("demo", "reader", "checker", "unscoped", "auditor", "domain admin", "domain reader")


@pytest.fixture
async def people(world: Any) -> Any:
    """The world with an administrator and a reader of the domain, each with a token for the domain."""
    for name, role in (("domain admin", "admin"), ("domain reader", "reader")):
        user = await world.accounts.create_user(name, PASSWORD)
        await world.assignments.grant(user.id, world.ids[f"role {role}"], Scope("domain", "default"))
        login = Login(user_id=user.id, domain_id="default")
        world.issued[name] = (await world.tokens.issue(login, [Scope("domain", "default")]))[0]
    return world


async def test_writes_are_for_administrators_of_the_cloud(people: Any) -> None:
    for method, path, body, rule, _ in WRITES:
        for who in OTHERS:
            answer = await people.call(method, path.format_map(people.ids), who, json=body)
            assert (answer.status_code, answer.json()["error"]["message"]) == (
                403, f"You are not authorized to perform the requested action: identity:{rule}."
            ), (method, path, who)  # fmt: skip
        assert (await people.call(method, path.format_map(people.ids), json=body)).status_code == 401


@pytest.mark.parametrize("who", ADMINISTRATORS)
@pytest.mark.parametrize(("method", "path", "body", "rule", "status"), WRITES)
async def test_administrators_write(
    world: Any, who: str, method: str, path: str, body: Any, rule: str, status: int
) -> None:
    answer = await world.call(method, path.format_map(world.ids), who, json=body)
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize(("method", "path", "rule", "status"), READS)
async def test_who_reads_what_others_may_do(people: Any, method: str, path: str, rule: str, status: int) -> None:
    path = path.format_map(people.ids)
    in_domain = 403 if "/system/" in path else status
    for who, expected in {
        "admin": status, "system": status, "auditor": status, "domain admin": in_domain, "domain reader": in_domain,
        "demo": 403, "reader": 403, "unscoped": 403,
    }.items():  # fmt: skip
        answer = await people.call(method, path, who)
        assert answer.status_code == expected, (who, answer.text)
        if expected == 403:
            assert answer.json()["error"]["message"].endswith(f"identity:{rule}.")


async def test_a_reader_of_a_domain_sees_nothing_of_another(people: Any) -> None:
    domain = await people.accounts.create_domain("elsewhere")
    user = await people.accounts.create_user("stranger", PASSWORD, domain_id=domain.id)
    project = await people.accounts.create_project("strange", domain_id=domain.id)
    await people.assignments.grant(user.id, people.ids["role member"], Scope("project", project.id))
    await people.assignments.grant(user.id, people.ids["role member"], Scope("domain", domain.id))
    for path in (
        f"/v3/users/{user.id}",
        f"/v3/users/{user.id}/projects",
        f"/v3/projects/{project.id}",
        f"/v3/projects/{project.id}/users/{user.id}/roles",
        f"/v3/projects/{people.ids['demo']}/users/{user.id}/roles",
        f"/v3/domains/{domain.id}/users/{user.id}/roles",
        f"/v3/domains/{domain.id}",
    ):
        for who in ("domain reader", "domain admin"):
            assert (await people.call("GET", path, who)).status_code == 403, path
        assert (await people.call("GET", path, "admin")).status_code == 200, path
    for path, seen in (("/v3/domains", ["default"]), ("/v3/domains?name=elsewhere", [])):
        listed = (await people.call("GET", path, "domain reader")).json()["domains"]
        assert [each["id"] for each in listed] == seen
    for path in (f"/v3/domains?marker={domain.id}", f"/v3/users?marker={user.id}", f"/v3/projects?marker={project.id}"):
        assert (await people.call("GET", path, "domain reader")).status_code == 404
        assert (await people.call("GET", path, "admin")).status_code == 200
    assert (await people.call("GET", "/v3/domains?marker=default", "domain reader")).json()["domains"] == []
    # A place in the list, as in Keystone, also for a filter that it does not fit (any more).
    for path in (f"/v3/users?enabled=false&marker={user.id}", f"/v3/projects?name=x&marker={project.id}"):
        assert (await people.call("GET", path, "admin")).status_code == 200
    assert (await people.call("GET", f"/v3/projects?tags=x&marker={project.id}", "admin")).status_code == 200
    assert (await people.call("GET", f"/v3/projects?tags=x&marker={project.id}", "domain reader")).status_code == 404
    for path, kind in (("/v3/users", "users"), ("/v3/projects", "projects"), ("/v3/role_assignments",) * 2):
        body = (await people.call("GET", path, "domain reader")).text
        assert user.id not in body
        assert project.id not in body
        assert user.id in (await people.call("GET", f"{path}?effective", "admin")).text or kind == "projects"


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 7),
        ("?effective", 15),
        ("?user.id={user demo}", 1),
        ("?user.id={user demo}&effective", 2),
        ("?user.id={user demo}&effective=0", 1),
        ("?user.id=nobody", 0),
        ("?role.id={role reader}", 2),
        ("?role.id={role reader}&effective", 6),
        ("?scope.project.id={demo}", 2),
        ("?scope.project.id={demo}&include_subtree", 2),
        ("?scope.domain.id=default", 0),
        ("?scope.system=all", 2),
        ("?scope.OS-INHERIT:inherited_to=projects", 0),
        ("?group.id=x", 0),
        ("?unknown=x", 7),
        ("?user.id=a&group.id=b", 400),
        ("?scope.project.id=a&scope.system=all", 400),
        ("?scope.domain.id=a&scope.system=all", 400),
        ("?group.id=a&effective", 400),
        ("?include_subtree", 400),
        ("?user.id=%00", 400),
    ],
)
async def test_assignments_are_filtered(world: Any, query: str, count: int) -> None:
    answer = await world.call("GET", "/v3/role_assignments" + query.format_map(world.ids), "admin")
    if count == 400:
        assert answer.status_code == 400
        return
    found = answer.json()["role_assignments"]
    assert len(found) == count, found
    links = [(each["links"]["assignment"], each["role"]["id"]) for each in found]
    assert len(set(links)) == len(links)


SECRET = "s3cret-" * 3
REFUSED: tuple[tuple[str, str, Any, int], ...] = (
    ("POST", "/v3/users", None, 400),
    ("POST", "/v3/users", [], 400),
    ("POST", "/v3/users", {}, 400),
    ("POST", "/v3/users", {"user": None}, 400),
    ("POST", "/v3/users", {"user": SECRET}, 400),
    ("POST", "/v3/users", {"user": {"password": SECRET}}, 400),
    ("POST", "/v3/users", {"user": {"name": "n", "password": {"x": SECRET}}}, 400),
    ("POST", "/v3/users", {"user": {"name": "n", "weight": float("nan")}}, 400),
    ("PATCH", "/v3/users/{user alt}", {"user": {"weights": [float("inf")]}}, 400),
    ("POST", "/v3/users", {"user": {"name": "n"}, "other": SECRET}, 400),
    ("POST", "/v3/users", {"user": {"name": ""}}, 400),
    ("POST", "/v3/users", {"user": {"name": " \t"}}, 400),
    ("POST", "/v3/users", {"user": {"name": "\u2003"}}, 400),
    ("POST", "/v3/users", {"user": {"name": "x" * 256}}, 400),
    ("POST", "/v3/users", {"user": {"name": "n\0"}}, 400),
    ("POST", "/v3/users", {"user": {"name": 7}}, 400),
    ("POST", "/v3/users", {"user": {"name": "n", "enabled": None}}, 400),
    ("POST", "/v3/users", {"user": {"name": "n", "enabled": 1}}, 400),
    ("POST", "/v3/users", {"user": {"name": "n", "email": 7}}, 400),
    ("POST", "/v3/users", {"user": {"name": "n", "default_project_id": 7}}, 400),
    ("POST", "/v3/users", {"user": {"name": "n", "default_project_id": "default"}}, 400),
    ("PATCH", "/v3/users/{user demo}", {"user": {"default_project_id": "default"}}, 400),
    ("POST", "/v3/users", {"user": {"name": "n", "options": []}}, 400),
    ("POST", "/v3/users", {"user": {"name": "n", "options": {"unknown": True}}}, 400),
    ("POST", "/v3/users", {"user": {"name": "n", "options": {"multi_factor_auth_rules": [["totp"]]}}}, 400),
    ("POST", "/v3/users", {"user": {"name": "n", "password": "x" * 4097}}, 400),
    ("POST", "/v3/users", {"user": {"name": "n", "note": "x" * (EXTRA_BYTES + 1)}}, 400),
    ("POST", "/v3/users", {"user": {"name": "n", "note": json.loads("[" * 200 + "]" * 200)}}, 400),
    ("POST", "/v3/users", {"user": {"name": "n", "domain_id": "a/b"}}, 400),
    ("POST", "/v3/users", {"user": {"name": "demo"}}, 409),
    ("POST", "/v3/users", {"user": {"name": " demo "}}, 409),
    ("POST", "/v3/projects", {"project": {"name": "x" * 65}}, 400),
    ("POST", "/v3/projects", {"project": {"name": "n", "tags": ["a", "a"]}}, 400),
    ("POST", "/v3/projects", {"project": {"name": "n", "tags": ["a,b"]}}, 400),
    ("POST", "/v3/projects", {"project": {"name": "n", "is_domain": True}}, 400),
    ("POST", "/v3/projects", {"project": {"name": "n", "options": {"immutable": "x"}}}, 400),
    ("POST", "/v3/projects", {"project": {"name": "demo", "domain_id": None}}, 409),
    ("PATCH", "/v3/projects/{alt}", {"project": {}}, 400),
    ("PATCH", "/v3/projects/{alt}", {"project": {"name": "demo"}}, 409),
    ("PATCH", "/v3/projects/{alt}", {"project": {"parent_id": "other"}}, 400),
    ("PATCH", "/v3/projects/{alt}", {"project": {"is_domain": True}}, 400),
    ("PATCH", "/v3/projects/nowhere", {"project": {"name": "x"}}, 404),
    ("POST", "/v3/domains", {"domain": {"name": "n", "explicit_domain_id": "Z"}}, 400),
    ("POST", "/v3/domains", {"domain": {"name": "Default"}}, 409),
    ("PATCH", "/v3/domains/nowhere", {"domain": {"name": "x"}}, 404),
    ("PATCH", "/v3/roles/{role member}", {"role": {"id": "x"}}, 400),
    ("PATCH", "/v3/roles/{role member}", {"role": {"name": "admin"}}, 409),
    ("PATCH", "/v3/roles/nothing", {"role": {"name": "x"}}, 404),
    ("POST", "/v3/users/{user demo}/password", {"user": {"original_password": SECRET}}, 400),
    ("POST", "/v3/users/{user demo}/password", {"user": {"original_password": SECRET, "password": "x"}}, 401),
    ("POST", "/v3/users/{user demo}/password", {"user": {"original_password": PASSWORD, "password": ""}}, 400),
    ("POST", "/v3/users/{user demo}/password", {"user": {"original_password": [SECRET], "password": "x"}}, 400),
    ("POST", "/v3/users/nobody/password", {"user": {"original_password": SECRET, "password": "x"}}, 401),
)


async def test_what_is_refused_says_why_and_repeats_no_secret(world: Any) -> None:
    before = await world.accounts.users(), await world.accounts.projects(), await world.accounts.roles()
    for method, path, body, status in REFUSED:
        answer = await world.call(
            method, path.format_map(world.ids), "admin", content=b"" if body is None else json.dumps(body).encode()
        )
        assert answer.status_code == status, (method, path, str(body)[:200], answer.text)
        error = answer.json()["error"]
        assert error["code"] == status
        assert 0 < len(error["message"]) < 600
        assert SECRET not in answer.text
    assert (await world.accounts.users(), await world.accounts.projects(), await world.accounts.roles()) == before


async def test_other_fields_are_kept_beside_the_known_ones(world: Any) -> None:
    odd = {"note": {"a": [1, None, "é"]}, "big": 2**70, "links": "mine", "id": "mine", "password_expires_at": "never"}
    made = (await world.call("POST", "/v3/users", "admin", json={"user": {"name": "odd", **odd}})).json()["user"]
    assert (made["note"], made["big"]) == (odd["note"], 2**70)
    assert made["id"] != "mine"
    assert made["links"] != "mine"
    assert made["password_expires_at"] is None
    path = f"/v3/users/{made['id']}"
    assert (await world.call("GET", path, "admin")).json()["user"]["note"] == odd["note"]
    changed = await world.call("PATCH", path, "admin", json={"user": {"note": None, "more": "x"}})
    assert (changed.json()["user"]["note"], changed.json()["user"]["more"]) == (None, "x")


async def test_a_user_without_a_password_cannot_log_in(world: Any) -> None:
    made = (await world.call("POST", "/v3/users", "admin", json={"user": {"name": "mute"}})).json()["user"]
    for password in ("", "x"):
        assert (await world.log_in("mute", password)).status_code == 401
    path = f"/v3/users/{made['id']}"
    await world.call("PATCH", path, "admin", json={"user": {"password": "x"}})
    assert (await world.log_in("mute", "x")).status_code == 201
    await world.call("PATCH", path, "admin", json={"user": {"password": None}})
    assert (await world.log_in("mute", "x")).status_code == 401


async def test_a_locked_password_is_changed_by_an_administrator_alone(world: Any) -> None:
    path = f"/v3/users/{world.ids['user demo']}"
    await world.call("PATCH", path, "admin", json={"user": {"options": {"lock_password": True}}})
    body = {"user": {"original_password": PASSWORD, "password": "another"}}
    answer = await world.call("POST", f"{path}/password", json=body)
    assert answer.status_code == 400
    assert "You cannot change your password at this time" in answer.json()["error"]["message"]
    assert (await world.call("PATCH", path, "admin", json={"user": {"password": "another"}})).status_code == 200
    assert (await world.log_in(password="another")).status_code == 201


async def test_a_domain_goes_with_all_that_is_in_it(world: Any) -> None:
    made = await world.call(
        "POST", "/v3/domains", "admin", json={"domain": {"name": "n", "explicit_domain_id": "a" * 32}}
    )
    assert made.json()["domain"]["id"] == "a" * 32
    place = {"name": "inside", "domain_id": "a" * 32}
    project = (await world.call("POST", "/v3/projects", "admin", json={"project": place})).json()["project"]
    user = (await world.call("POST", "/v3/users", "admin", json={"user": place})).json()["user"]
    # a stranger who works in the domain keeps everything else
    demo = world.ids["user demo"]
    await world.call("PATCH", f"/v3/users/{demo}", "admin", json={"user": {"default_project_id": project["id"]}})
    for who in (user["id"], demo):
        for scope in (f"projects/{project['id']}", f"domains/{'a' * 32}"):
            path = f"/v3/{scope}/users/{who}/roles/{world.ids['role member']}"
            assert (await world.call("PUT", path, "admin")).status_code == 204
    await world.call("PATCH", f"/v3/domains/{'a' * 32}", "admin", json={"domain": {"enabled": False}})
    assert (await world.call("DELETE", f"/v3/domains/{'a' * 32}", "admin")).status_code == 204
    for path in (f"/v3/projects/{project['id']}", f"/v3/users/{user['id']}", f"/v3/domains/{'a' * 32}"):
        assert (await world.call("GET", path, "admin")).status_code == 404
    kept = (await world.call("GET", f"/v3/role_assignments?user.id={demo}", "admin")).json()["role_assignments"]
    assert [each["scope"] for each in kept] == [{"project": {"id": world.ids["demo"]}}]
    assert "default_project_id" not in (await world.call("GET", f"/v3/users/{demo}", "admin")).json()["user"]


TAKEN = {
    "take the role": ("DELETE", GIVEN, None),
    "disable the user": ("PATCH", "/v3/users/{user demo}", {"user": {"enabled": False}}),
    "disable the project": ("PATCH", "/v3/projects/{demo}", {"project": {"enabled": False}}),
    "change the password": ("PATCH", "/v3/users/{user demo}", {"user": {"password": "another"}}),
    "change one's own password": (
        "POST", "/v3/users/{user demo}/password", {"user": {"original_password": PASSWORD, "password": "another"}}
    ),
    "delete the user": ("DELETE", "/v3/users/{user demo}", None),
    "delete the project": ("DELETE", "/v3/projects/{demo}", None),
    "delete the role": ("DELETE", "/v3/roles/{role member}", None),
    "disable the domain": ("PATCH", "/v3/domains/default", {"domain": {"enabled": False}}),
}  # fmt: skip


@pytest.mark.parametrize("change", TAKEN)
async def test_a_right_taken_over_http_ends_here_at_once_and_elsewhere_within_a_poll(
    world: Any, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.02)
    token = world.issued["demo"]
    other = await world.tokens_on_a_new_connection()
    await other.open()
    assert await world.tokens.caller(token) is not None
    assert await other.caller(token) is not None
    method, path, body = TAKEN[change]
    answer = await world.call(method, path.format_map(world.ids), "admin", json=body)
    assert answer.status_code in (200, 204)
    assert (await world.call("GET", "/v3/auth/projects", "demo")).status_code == 401
    async with asyncio.timeout(5):
        while other.cached(token) is not None:  # noqa: ASYNC110 - the poll announces itself to nobody
            await asyncio.sleep(0.01)
    assert await other.caller(token) is None
    await other.close()


async def test_a_renamed_role_is_another_right(world: Any) -> None:
    path = f"/v3/roles/{world.ids['role member']}"
    await world.call("PATCH", path, "admin", json={"role": {"name": "guest"}})
    # What it implies, it implies by whatever name.
    assert (await world.tokens.caller(world.issued["demo"])).roles == {"guest", "reader"}


async def test_of_equal_names_at_once_one_is_made(world: Any) -> None:
    for kind in ("user", "project", "domain", "role"):
        body = {kind: {"name": "race"}}
        answers = await asyncio.gather(*(world.call("POST", f"/v3/{kind}s", "admin", json=body) for _ in range(6)))
        assert sorted(each.status_code for each in answers) == [201, *[409] * 5], kind


async def test_grants_and_deletions_at_once_leave_no_role_behind(world: Any) -> None:
    for number in range(5):
        project = await world.accounts.create_project(f"race-{number}")
        path = f"/v3/projects/{project.id}/users/{world.ids['user alt']}/roles/{world.ids['role member']}"
        calls = [world.call("PUT", path, "admin"), world.call("DELETE", f"/v3/projects/{project.id}", "admin")]
        given, deleted = await asyncio.gather(*calls)
        assert (given.status_code in (204, 404), deleted.status_code) == (True, 204)
        left = await world.call("GET", f"/v3/role_assignments?scope.project.id={project.id}", "admin")
        assert left.json()["role_assignments"] == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=70),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=12,
)
FIELDS = st.dictionaries(
    st.sampled_from(
        ["name", "password", "enabled", "domain_id", "parent_id", "is_domain", "options", "tags", "email", "id",
         "links", "description", "default_project_id", "explicit_domain_id", "federated", "extra", "enabled\0"]
    ) | st.text(max_size=8),
    JSON,
    max_size=6,
)  # fmt: skip


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_no_body_makes_a_fault(world: Any, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["user", "project", "domain", "role"]))
    fields = data.draw(FIELDS)
    if data.draw(st.booleans()):
        fields = {**fields, "name": data.draw(st.text(min_size=1, max_size=70))}
    body = data.draw(st.just({kind: fields}) | JSON)
    item = data.draw(st.sampled_from(["", f"/{world.ids['user alt'] if kind == 'user' else world.ids['alt']}", "/x"]))
    method = "PATCH" if item else "POST"
    content = json.dumps(body).encode()
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content)))]
    answer = await world.call(method, f"/v3/{kind}s{item}", "admin", content=content)
    assert answer.status_code in (200, 201, 400, 403, 404, 409), (method, content, answer.text)
    if answer.status_code in (200, 201):
        made = answer.json()[kind]
        assert (await world.call("GET", f"/v3/{kind}s/{made['id']}", "admin")).json()[kind] == made
    with contextlib.suppress(KeyError, TypeError):
        assert answer.json()["error"]["message"]
