"""POST /v3/auth/tokens: a table of requests and their answers (spec: identity-and-huawei A.2, A.6, A.8)."""

import json
import re
from typing import Any

import pytest

UNAUTHORIZED = "The request you have made requires authentication."
DEFAULT = {"id": "default"}
PASSWORD = "correct horse battery staple"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
AUDIT = re.compile(r"[A-Za-z0-9_-]{22}")


def by_password(scope: Any = None, **user: Any) -> dict[str, Any]:
    person = {"name": "demo", "domain": DEFAULT, "password": PASSWORD} | user
    person = {name: value for name, value in person.items() if value is not None}
    auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": person}}}
    return {"auth": auth | ({"scope": scope} if scope is not None else {})}


def by_token(token: str, scope: Any = None) -> dict[str, Any]:
    auth: dict[str, Any] = {"identity": {"methods": ["token"], "token": {"id": token}}}
    return {"auth": auth | ({"scope": scope} if scope is not None else {})}


def project(name: str = "demo", domain: Any = DEFAULT) -> dict[str, Any]:
    return {"project": {"name": name} | ({"domain": domain} if domain is not None else {})}


GRANTED = {
    "project by name": (by_password(project()), "demo", ["member", "reader"]),
    "project in a domain by name": (by_password(project(domain={"name": "Default"})), "demo", ["member", "reader"]),
    "project by name without domain": (by_password(project(domain=None)), "demo", ["member", "reader"]),
    "default project": (by_password(), "demo", ["member", "reader"]),
    "user's domain by name": (by_password(domain={"name": "Default"}), "demo", ["member", "reader"]),
    "name wins over id": (by_password(id="nobody"), "demo", ["member", "reader"]),
    "name wins over id, of a domain, too": (
        by_password(domain={"id": "nowhere", "name": "Default"}), "demo", ["member", "reader"]
    ),
    "name wins over id, of a project, too": (
        by_password({"project": {"id": "nowhere", "name": "demo", "domain": DEFAULT}}), "demo", ["member", "reader"]
    ),
    "an empty name is none": (
        by_password(project(domain={"id": "default", "name": ""}), domain=DEFAULT | {"name": ""}),
        "demo",
        ["member", "reader"],
    ),
    "admin implies the rest": (
        by_password(project("admin"), name="admin"), "admin", ["admin", "manager", "member", "reader"]
    ),
    "no default project": (by_password(name="reader"), None, None),
    "unscoped": (by_password("unscoped"), None, None),
    "unscoped, the old way": (by_password({"unscoped": {}}), None, None),
    "unknown members": ({**by_password(), "more": 1}, "demo", ["member", "reader"]),
}  # fmt: skip


@pytest.mark.parametrize("case", GRANTED)
async def test_granted(world: Any, case: str) -> None:
    body, name, roles = GRANTED[case]
    answer = await world.client.post("/v3/auth/tokens", json=body)
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    token = answer.json()["token"]
    assert set(token["user"]) == {"id", "name", "domain", "password_expires_at"}
    assert token["methods"] == ["password"]
    assert TIME.fullmatch(token["issued_at"])
    assert TIME.fullmatch(token["expires_at"])
    assert [bool(AUDIT.fullmatch(each)) for each in token["audit_ids"]] == [True]
    if name is None:
        assert set(token) == {"methods", "user", "audit_ids", "expires_at", "issued_at"}
    else:
        assert token["project"] == {"id": world.ids[name], "name": name, "domain": {"id": "default", "name": "Default"}}
        assert token["is_domain"] is False
        assert sorted(role["name"] for role in token["roles"]) == roles
        assert len(token["catalog"]) == 3
    caller = await world.tokens.caller(answer.headers["X-Subject-Token"])
    assert caller.project_id == (name and world.ids[name])


REFUSED: dict[str, tuple[Any, int, str]] = {
    "wrong password": (by_password(password="wrong"), 401, UNAUTHORIZED),
    "unknown user": (by_password(name="nobody"), 401, UNAUTHORIZED),
    "unknown user id": (by_password(name=None, id="nobody"), 401, UNAUTHORIZED),
    "unknown domain": (by_password(domain={"id": "nowhere"}), 401, UNAUTHORIZED),
    "domain's name in another case": (by_password(domain={"name": "default"}), 401, UNAUTHORIZED),
    "unknown domain's name beside an id": (by_password(domain=DEFAULT | {"name": "nowhere"}), 401, UNAUTHORIZED),
    "empty id": (by_password(name=None, id=""), 400, "Expecting to find id or name in user."),
    "empty name": (by_password(name=""), 400, "Expecting to find id or name in user."),
    "empty project": (by_password({"project": {"id": "", "name": ""}}), 401, UNAUTHORIZED),
    "no password": (by_password(password=None), 401, UNAUTHORIZED),
    "unknown project": (by_password(project("nowhere")), 401, UNAUTHORIZED),
    "unknown project id": (by_password({"project": {"id": "nowhere"}}), 401, UNAUTHORIZED),
    "project of others": (by_password(project("alt")), 401, UNAUTHORIZED),
    "project in an unknown domain": (by_password(project(domain={"name": "nowhere"})), 401, UNAUTHORIZED),
    "domain without a role": (by_password({"domain": DEFAULT}), 401, UNAUTHORIZED),
    "unknown scope domain": (by_password({"domain": {"name": "nowhere"}}), 401, UNAUTHORIZED),
    "system without a role": (by_password({"system": {"all": True}}), 401, UNAUTHORIZED),
    "system, but not all": (by_password({"system": {"all": False}}), 400, "all must be true"),
    "trust": (by_password({"OS-TRUST:trust": {"id": "x"}}), 401, UNAUTHORIZED),
    "user without domain": (by_password(domain=None), 400, "Expecting to find domain in user."),
    "two scopes": (by_password(project() | {"domain": DEFAULT}), 400, "Expecting to find system, project, domain"),
    "empty": ({}, 400, "Expecting to find auth in request body."),
    "null": ({"auth": None}, 400, "Expecting to find auth in request body."),
    "list": ([], 400, "Expecting to find valid JSON in request body."),
    "unknown token": (by_token("x" * 43), 404, "Failed to validate token"),
    "nonsense token": (by_token("é"), 404, "Failed to validate token"),
    "empty token": (by_token(""), 404, "No token in the request"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_refused(world: Any, case: str) -> None:
    body, status, message = REFUSED[case]
    answer = await world.client.post("/v3/auth/tokens", json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, status)
    assert error["title"] == {400: "Bad Request", 401: "Unauthorized", 404: "Not Found"}[status]
    assert message in error["message"]
    assert answer.headers.get("WWW-Authenticate") == ('Keystone uri="http://cloud:5000/v3"' if status == 401 else None)
    assert "X-Subject-Token" not in answer.headers


async def test_the_disabled(world: Any) -> None:
    for name in ("user", "project", "domain"):
        await _switch(world, name, False)
        assert (await world.log_in(scope=project())).status_code == 401
        await _switch(world, name, True)
    assert (await world.log_in(scope=project())).status_code == 201


async def test_a_disabled_default_project_is_passed_over(world: Any) -> None:
    await _switch(world, "project", False)
    answer = await world.log_in()
    assert answer.status_code == 201
    assert "project" not in answer.json()["token"]


async def _switch(world: Any, kind: str, enabled: bool) -> None:
    verb, id_ = {
        "user": (world.accounts.change_user, world.ids["user demo"]),
        "project": (world.accounts.change_project, world.ids["demo"]),
        "domain": (world.accounts.change_domain, "default"),
    }[kind]
    await verb(id_, {"enabled": enabled})


GOOD = json.dumps(by_password()).encode()
BODIES = {
    "nothing": (b"", None, 400),
    "not JSON": (b"{", "application/json", 400),
    "not UTF-8": (b'{"auth": "\xff"}', "application/json", 400),
    "a null character": (GOOD.replace(b"demo", b"de\\u0000mo"), "application/json", 400),
    "half a surrogate pair": (GOOD.replace(b"demo", b"\\ud800"), "application/json", 400),
    "deep nesting": (b"[" * 100_000, "application/json", 400),
    "another type": (GOOD, "text/plain", 400),
    "no type": (GOOD, None, 201),
    "empty type": (GOOD, "", 201),
    "with a charset": (GOOD, "application/json; charset=utf-8", 201),
    "a kind of JSON": (GOOD, "application/vnd.openstack+json", 201),
    "too large": (b" " * (1024 * 1024 + 1), "application/json", 413),
}


@pytest.mark.parametrize("case", BODIES)
async def test_bodies(world: Any, case: str) -> None:
    body, kind, status = BODIES[case]
    headers = {} if kind is None else {"Content-Type": kind}
    answer = await world.client.post("/v3/auth/tokens", content=body, headers=headers)
    assert answer.status_code == status
    assert status == 201 or answer.json()["error"]["code"] == status


async def test_a_chunked_body(world: Any) -> None:
    async def pieces() -> Any:
        yield GOOD[:10]
        yield GOOD[10:]

    headers = {"Content-Type": "application/json"}
    assert (await world.client.post("/v3/auth/tokens", content=pieces(), headers=headers)).status_code == 201


async def test_a_chunked_body_without_end_is_cut_off(world: Any) -> None:
    async def pieces() -> Any:
        while True:
            yield b" " * 65536

    answer = await world.client.post("/v3/auth/tokens", content=pieces())
    assert answer.status_code == 413


@pytest.mark.parametrize("method", ["mapped", "totp"])
async def test_unknown_methods(world: Any, method: str) -> None:
    body = {"auth": {"identity": {"methods": [method], method: {"id": "x", "secret": "y"}}}}
    answer = await world.client.post("/v3/auth/tokens", json=body)
    assert answer.status_code == 401
    error = answer.json()["error"]
    assert error["identity"] == {"methods": ["password", "token", "application_credential"]}
    assert error["message"] == "Attempted to authenticate with an unsupported method."


async def test_from_one_token_the_next(world: Any) -> None:
    first = await world.log_in(scope="unscoped")
    old = first.json()["token"]
    answer = await world.client.post("/v3/auth/tokens", json=by_token(first.headers["X-Subject-Token"], project()))
    new = answer.json()["token"]
    assert answer.status_code == 201
    assert new["methods"] == ["token", "password"]
    assert new["expires_at"] == old["expires_at"]
    assert new["audit_ids"][1:] == old["audit_ids"]
    assert new["project"]["name"] == "demo"
    third = await world.client.post("/v3/auth/tokens", json=by_token(answer.headers["X-Subject-Token"], "unscoped"))
    assert third.json()["token"]["audit_ids"][1:] == old["audit_ids"]
    assert third.json()["token"]["methods"] == ["token", "password"]


@pytest.mark.parametrize(
    ("scope", "status"),
    [
        (project("admin"), 403),
        ({"domain": DEFAULT}, 403),
        ("unscoped", 201),
        ({"system": {"all": True}}, 201),
        (None, 201),
    ],
)
async def test_from_a_system_token(world: Any, scope: Any, status: int) -> None:
    answer = await world.client.post("/v3/auth/tokens", json=by_token(world.issued["system"], scope))
    assert answer.status_code == status
    if status == 403:
        assert "Using a system-scoped token to create" in answer.json()["error"]["message"]


@pytest.mark.parametrize(("token", "status"), [("unscoped", 201), ("alt", 401)])
async def test_two_proofs_are_of_one_user(world: Any, token: str, status: int) -> None:
    body = by_password()
    body["auth"]["identity"] |= {"methods": ["password", "token"], "token": {"id": world.issued[token]}}
    answer = await world.client.post("/v3/auth/tokens", json=body)
    assert answer.status_code == status


async def test_two_proofs_are_both_needed(world: Any) -> None:
    body = by_password(password="wrong")
    body["auth"]["identity"] |= {"methods": ["password", "token"], "token": {"id": world.issued["unscoped"]}}
    assert (await world.client.post("/v3/auth/tokens", json=body)).status_code == 401


@pytest.mark.parametrize("query", ["nocatalog", "nocatalog=0", "nocatalog=1"])
async def test_without_catalogue(world: Any, query: str) -> None:
    answer = await world.client.post(f"/v3/auth/tokens?{query}", json=by_password())
    assert "roles" in answer.json()["token"]
    assert "catalog" not in answer.json()["token"]
