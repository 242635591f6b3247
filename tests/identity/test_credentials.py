"""Application credentials: what they grant, what ends them, and that they open nothing else, on each database."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from calotype.access.model import Query, Scope
from calotype.database.engine import Tally, tally
from calotype.database.statements import Statement
from calotype.database.tables import application_credentials as table
from calotype.images.model import now
from tests.identity.conftest import PASSWORD

SECOND = 1_000_000
RULES = [
    {"service": "image", "path": "/v2/images", "method": "GET"},
    {"service": "identity", "path": "/v3/auth/projects", "method": "GET"},
]


async def create(world: Any, who: str = "demo", user: str = "demo", **body: Any) -> Any:
    """The answer to `POST`; `name` is "robot" unless given."""
    path = f"/v3/users/{world.ids[f'user {user}']}/application_credentials"
    return await world.call("POST", path, who, json={"application_credential": {"name": "robot", **body}})


async def made(world: Any, who: str = "demo", **body: Any) -> dict[str, Any]:
    """A new credential with its secret."""
    answer = await create(world, who, **body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()["application_credential"]
    return found


async def log_in(world: Any, scope: Any = None, **shown: Any) -> Any:
    auth: dict[str, Any] = {"identity": {"methods": ["application_credential"], "application_credential": shown}}
    return await world.client.post("/v3/auth/tokens", json={"auth": auth | ({} if scope is None else {"scope": scope})})


async def token_of(world: Any, credential: dict[str, Any]) -> str:
    answer = await log_in(world, id=credential["id"], secret=credential["secret"])
    assert answer.status_code == 201, answer.text
    found: str = answer.headers["X-Subject-Token"]
    return found


async def test_what_its_token_says(world: Any) -> None:
    credential = await made(world, roles=[{"name": "reader"}], expires_at="2126-01-01T00:00:00")
    answer = await log_in(world, id=credential["id"], secret=credential["secret"])
    token = answer.json()["token"]
    assert (answer.status_code, token["methods"]) == (201, ["application_credential"])
    assert (token["user"]["id"], token["project"]["id"]) == (world.ids["user demo"], world.ids["demo"])
    assert [role["name"] for role in token["roles"]] == ["reader"]
    assert token["application_credential"] == {"id": credential["id"], "name": "robot", "restricted": True}
    assert (await world.tokens.caller(answer.headers["X-Subject-Token"])).roles == {"reader"}


async def test_by_name_and_user(world: Any) -> None:
    credential = await made(world)
    for user in (
        {"id": world.ids["user demo"]},
        {"name": "demo", "domain": {"id": "default"}},
        {"name": "demo", "domain": {"name": "Default"}},
    ):
        assert (await log_in(world, name="robot", user=user, secret=credential["secret"])).status_code == 201
        other = {**user, **({"name": "alt"} if "name" in user else {"id": world.ids["user alt"]})}
        assert (await log_in(world, name="robot", user=other, secret=credential["secret"])).status_code == 401
    by_id = {"id": credential["id"], "name": "another", "user": {"id": world.ids["user alt"]}}
    assert (await log_in(world, **by_id, secret=credential["secret"])).status_code == 201


async def test_whatever_is_wrong_the_answer_is_the_same(world: Any) -> None:
    random, chosen = await made(world), await made(world, name="chosen", secret="a secret of mine")
    assert (await log_in(world, id=chosen["id"], secret="a secret of mine")).status_code == 201
    demo, nobody = {"id": world.ids["user demo"]}, {"name": "nobody", "domain": {"id": "default"}}
    answers = [
        await log_in(world, id="f" * 32, secret="x"),
        await log_in(world, id=random["id"], secret=chosen["secret"]),
        await log_in(world, id=chosen["id"], secret="x"),
        await log_in(world, id=random["id"]),
        await log_in(world, id=random["id"], secret=""),
        await log_in(world, id=random["id"], secret=None),
        await log_in(world, name="unknown", user=demo, secret="x"),
        await log_in(world, name="robot", user=demo, secret="x"),
        await log_in(world, name="robot", user=nobody, secret="x"),
        await log_in(world, name="robot", user={"name": "demo", "domain": {"id": "nowhere"}}, secret="x"),
    ]
    assert {(answer.status_code, answer.text) for answer in answers} == {(401, answers[0].text)}
    assert "requires authentication" in answers[0].text


async def test_finding_out_by_name_costs_one_hash_whatever_is_wrong(world: Any, compared: list[bool]) -> None:
    await made(world)
    await made(world, name="chosen", secret="mine")
    user = {"id": world.ids["user demo"]}
    for name in ("robot", "chosen", "unknown"):
        compared.clear()
        assert (await log_in(world, name=name, user=user, secret="x")).status_code == 401
        assert compared == [False], name


@pytest.mark.parametrize(
    "scope", ["unscoped", {"project": {"id": "x"}}, {"system": {"all": True}}, {"domain": {"id": "default"}}, {}]
)
async def test_it_takes_no_scope(world: Any, scope: Any) -> None:
    credential = await made(world)
    answer = await log_in(world, scope, id=credential["id"], secret=credential["secret"])
    assert (answer.status_code, "cannot request a scope" in answer.text) == (401, True)


async def test_only_hashes_are_kept(world: Any) -> None:
    await made(world, secret="my own secret")
    random = await made(world, name="random")
    rows = await world.database.all(Statement(select(table.c.name, table.c.secret_hash)), {})
    hashes = dict(map(tuple, rows))
    assert hashes["robot"].startswith("$argon2id$")
    assert hashes["random"].startswith("sha256$")
    text = json.dumps(hashes)
    assert random["secret"] not in text
    assert "my own secret" not in text
    assert len(random["secret"]) >= 86
    listed = await world.call("GET", f"/v3/users/{world.ids['user demo']}/application_credentials", "demo")
    assert len(listed.json()["application_credentials"]) == 2
    assert "secret" not in listed.text


ENDS: dict[str, Callable[[Any, str], Awaitable[Any]]] = {
    "the credential is deleted": lambda world, id_: world.call(
        "DELETE", f"/v3/users/{world.ids['user demo']}/application_credentials/{id_}", "demo"
    ),
    "the user is disabled": lambda world, _: world.accounts.change_user(world.ids["user demo"], {"enabled": False}),
    "the user is deleted": lambda world, _: world.accounts.delete_user(world.ids["user demo"]),
    "the role is taken": lambda world, _: world.assignments.revoke(
        world.ids["user demo"], world.ids["role member"], Scope("project", world.ids["demo"])
    ),
    "the role is deleted": lambda world, _: world.accounts.delete_role(world.ids["role reader"]),
    "the project is disabled": lambda world, _: world.accounts.change_project(world.ids["demo"], {"enabled": False}),
    "the project is deleted": lambda world, _: world.accounts.delete_project(world.ids["demo"]),
    "the domain is disabled": lambda world, _: world.accounts.change_domain("default", {"enabled": False}),
}


@pytest.mark.parametrize("end", ENDS)
async def test_what_ends_it_ends_its_tokens_at_once(world: Any, end: str) -> None:
    credential = await made(world, roles=[{"name": "reader"}])
    token = await token_of(world, credential)
    assert await world.tokens.caller(token) is not None
    await ENDS[end](world, credential["id"])
    assert world.tokens.cached(token) is None
    assert await world.tokens.caller(token) is None
    assert await world.tokens.validate(token) is None
    assert (await log_in(world, id=credential["id"], secret=credential["secret"])).status_code == 401


async def test_a_role_that_is_taken_goes_and_the_rest_stays(world: Any) -> None:
    place = Scope("project", world.ids["demo"])
    await world.assignments.grant(world.ids["user demo"], world.ids["role service"], place)
    token = await token_of(world, await made(world))
    assert (await world.tokens.caller(token)).roles == {"member", "reader", "service"}
    await world.assignments.revoke(world.ids["user demo"], world.ids["role member"], place)
    assert (await world.tokens.caller(token)).roles == {"service"}
    await world.assignments.grant(world.ids["user demo"], world.ids["role admin"], place)
    assert (await world.tokens.caller(token)).roles == {
        "member",
        "reader",
        "service",
    }  # never more than it was made with


async def test_a_new_password_ends_its_tokens_and_not_the_credential(world: Any) -> None:
    credential = await made(world)
    token = await token_of(world, credential)
    await world.accounts.set_password(world.ids["user demo"], "another")
    assert await world.tokens.caller(token) is None
    assert await world.tokens.caller(await token_of(world, credential)) is not None


async def test_its_tokens_end_when_it_does(world: Any) -> None:
    end = now() + 2 * SECOND
    text = datetime.fromtimestamp(end / SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
    credential = await made(world, expires_at=text)
    assert credential["expires_at"] == text
    token = await token_of(world, credential)
    grant = await world.tokens.validate(token)
    assert abs(grant.expires_at - end) < SECOND / 1000
    await asyncio.sleep(max(0, (grant.expires_at - now()) / SECOND) + 0.01)
    assert await world.tokens.caller(token) is None
    assert (await log_in(world, id=credential["id"], secret=credential["secret"])).status_code == 401


@pytest.mark.parametrize("unrestricted", [None, False, True])
async def test_who_may_make_and_delete_others(world: Any, unrestricted: bool | None) -> None:
    credential = await made(world, unrestricted=unrestricted)
    token = await token_of(world, credential)
    child = await create(world, token, name="child")
    path = f"/v3/users/{world.ids['user demo']}/application_credentials"
    other = await made(world, name="other")
    gone = await world.call("DELETE", f"{path}/{other['id']}", token)
    assert (child.status_code, gone.status_code) == ((201, 204) if unrestricted else (403, 403))
    assert (await world.call("GET", path, token)).status_code == 200


async def test_a_child_has_no_more_roles_than_its_parent(world: Any) -> None:
    parent = await token_of(world, await made(world, unrestricted=True, roles=[{"name": "reader"}]))
    assert (await create(world, parent, name="larger", roles=[{"name": "member"}])).status_code == 400
    child = await made(world, parent, name="child")
    assert [role["name"] for role in child["roles"]] == ["reader"]


async def test_its_token_gives_no_other_token(world: Any) -> None:
    token = await token_of(world, await made(world, unrestricted=True))
    for scope in (None, "unscoped", {"project": {"id": world.ids["demo"]}}):
        auth: dict[str, Any] = {"identity": {"methods": ["token"], "token": {"id": token}}}
        body = {"auth": auth | ({} if scope is None else {"scope": scope})}
        answer = await world.client.post("/v3/auth/tokens", json=body)
        assert (answer.status_code, "delegated token" in answer.text) == (403, True)


async def test_beside_a_password_both_must_be_of_the_same_user(world: Any) -> None:
    credential = await made(world, roles=[{"name": "reader"}])
    for name, status in (("demo", 201), ("alt", 401)):
        user = {"name": name, "domain": {"id": "default"}, "password": PASSWORD}
        shown = {"id": credential["id"], "secret": credential["secret"]}
        identity = {
            "methods": ["password", "application_credential"],
            "password": {"user": user},
            "application_credential": shown,
        }
        answer = await world.client.post("/v3/auth/tokens", json={"auth": {"identity": identity}})
        assert answer.status_code == status
    identity["password"]["user"]["name"] = "demo"  # type: ignore[index]
    token = (await world.client.post("/v3/auth/tokens", json={"auth": {"identity": identity}})).json()["token"]
    assert token["methods"] == ["password", "application_credential"]
    assert [role["name"] for role in token["roles"]] == ["reader"]


async def test_with_access_rules_it_opens_what_they_name(world: Any) -> None:
    token = await token_of(world, await made(world, access_rules=RULES))
    assert (await world.call("GET", "/v3/auth/projects", token)).status_code == 200
    for method, path in (
        ("HEAD", "/v3/auth/projects"),
        ("GET", "/v3/auth/catalog"),
        ("GET", f"/v3/users/{world.ids['user demo']}"),
        ("DELETE", "/v3/auth/tokens"),
    ):
        assert (await world.call(method, path, token, about=token)).status_code == 401, path
    aware = {"OpenStack-Identity-Access-Rules": "1"}
    for headers, status in (
        (aware, 200),
        ({"OpenStack-Identity-Access-Rules": "1.0"}, 200),
        ({"OpenStack-Identity-Access-Rules": "0"}, 404),
        ({"OpenStack-Identity-Access-Rules": "x"}, 404),
        ({"OpenStack-Identity-Access-Rules": "1.x"}, 404),
        ({}, 404),
    ):
        for method in ("GET", "HEAD"):
            assert (await world.call(method, "/v3/auth/tokens", "admin", token, headers=headers)).status_code == status
        assert (await world.call("GET", "/v3/auth/tokens", token, token, headers=headers)).status_code == status
    about = (await world.call("GET", "/v3/auth/tokens", "admin", token, headers=aware)).json()["token"]
    shown = about["application_credential"]["access_rules"]
    assert [{name: rule[name] for name in ("service", "path", "method")} for rule in shown] == RULES
    assert (await world.call("DELETE", "/v3/auth/tokens", "admin", token)).status_code == 204
    assert await world.tokens.caller(token) is None


async def test_access_rules_are_made_once_and_stay_while_they_are_used(world: Any) -> None:
    first = await made(world, access_rules=RULES)
    ids = [rule["id"] for rule in first["access_rules"]]
    second = await made(world, name="second", access_rules=[RULES[0], {"id": ids[1]}, RULES[0]])
    assert [rule["id"] for rule in second["access_rules"]] == ids
    path = f"/v3/users/{world.ids['user demo']}/access_rules"
    listed = (await world.call("GET", f"{path}?service=image", "demo")).json()["access_rules"]
    assert [rule["id"] for rule in listed] == ids[:1]
    assert (await world.call("DELETE", f"{path}/{ids[0]}", "demo")).status_code == 403
    foreign = await create(world, "alt", "alt", access_rules=[{"id": ids[0]}])
    assert (foreign.status_code, ids[0] in foreign.text) == (404, True)
    for who, status in (("demo", 200), ("alt", 404)):
        place = f"/v3/users/{world.ids[f'user {who}']}/access_rules?marker={ids[0]}"
        assert (await world.call("GET", place, who)).status_code == status, "A marker tells nothing of others' rules."
    for each in (first, second):
        await ENDS["the credential is deleted"](world, each["id"])
    for rule_id in ids:
        assert (await world.call("DELETE", f"{path}/{rule_id}", "demo")).status_code == 204
        assert (await world.call("GET", f"{path}/{rule_id}", "demo")).status_code == 404


BAD: dict[str, tuple[Any, int]] = {
    "no name": ({"name": None}, 400),
    "a blank name": ({"name": "  "}, 400),
    "a long name": ({"name": "x" * 256}, 400),
    "a number as secret": ({"secret": 5}, 400),
    "a long secret": ({"secret": "s" * 4097}, 400),
    "another member": ({"more": 1}, 400),
    "a system": ({"system": "all"}, 400),
    "no time": ({"expires_at": "tomorrow"}, 400),
    "an empty time": ({"expires_at": ""}, 400),
    "a day": ({"expires_at": "2126-01-01"}, 400),
    "a fraction without seconds": ({"expires_at": "2126-01-01T00:00.5"}, 400),
    "an offset": ({"expires_at": "2126-01-01T00:00:00+01:00"}, 400),
    "the past": ({"expires_at": "2001-01-01T00:00:00"}, 400),
    "an unknown role": ({"roles": [{"name": "nothing"}]}, 404),
    "an unknown role id": ({"roles": [{"id": "0" * 32}]}, 400),
    "a role of others": ({"roles": [{"name": "admin"}]}, 400),
    "id and name of a role": ({"roles": [{"id": "x", "name": "member"}]}, 400),
    "a role without either": ({"roles": [{}]}, 400),
    "rules as text": ({"access_rules": "x"}, 400),
    "a rule without path": ({"access_rules": [{"service": "image", "method": "GET"}]}, 400),
    "an empty rule": ({"access_rules": [{}]}, 400),
    "a relative path": ({"access_rules": [{**RULES[0], "path": "v2"}]}, 400),
    "an unknown method": ({"access_rules": [{**RULES[0], "method": "get"}]}, 400),
    "a long path": ({"access_rules": [{**RULES[0], "path": "/" + "x" * 225}]}, 400),
    "a service that is no type": ({"access_rules": [{**RULES[0], "service": "a.b"}]}, 400),
    "more in a rule": ({"access_rules": [{**RULES[0], "more": 1}]}, 400),
    "an unknown rule": ({"access_rules": [{"id": "0" * 32}]}, 404),
    "many rules": ({"access_rules": [RULES[0]] * 101}, 400),
}


@pytest.mark.parametrize("case", BAD)
async def test_what_is_refused(world: Any, case: str) -> None:
    body, status = BAD[case]
    answer = await create(world, **body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, status), answer.text
    assert await world.credentials.listed(Query()) == []


JUNK: tuple[Any, ...] = (
    None, True, 0, -1, 1e300, 10**400, "", "x", "\u0000", "\ud800", "é" * 5000, [], [[]], [None], ["x"], [0], {},
    {"x": {}}, [{"id": 0}], [{"id": ""}], [{"name": None}], [{"id": "x", "name": "y"}],
    [{"path": "/", "method": "GET"}],
    [{"service": "x", "path": "/\n", "method": "PUT"}], [{"service": "é", "path": "/", "method": "GET"}], [{}] * 2000,
)  # fmt: skip


@pytest.mark.parametrize(
    "member",
    [
        "name",
        "description",
        "secret",
        "expires_at",
        "project_id",
        "unrestricted",
        "system",
        "roles",
        "access_rules",
        "id",
    ],
)
async def test_junk(world: Any, member: str) -> None:
    path = f"/v3/users/{world.ids['user demo']}/application_credentials"
    for number, value in enumerate(JUNK):
        body = json.dumps({"application_credential": {"name": f"robot {number}", member: value}})
        answer = await world.call("POST", path, "demo", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in (201, 400, 404, 409), (value, answer.text)
        shown = {"id": "x", "secret": "y", member: value}
        identity = {"methods": ["application_credential"], "application_credential": shown}
        answer = await world.client.post("/v3/auth/tokens", content=json.dumps({"auth": {"identity": identity}}))
        assert answer.status_code in (400, 401), (value, answer.text)
    assert (await world.call("GET", path, "demo")).status_code == 200


async def test_a_secret_is_not_repeated(world: Any) -> None:
    for body in ({"secret": {"deep": "hidden thing"}}, {"name": 5, "secret": "hidden thing"}):
        answer = await create(world, **body)
        assert (answer.status_code, "hidden thing" in answer.text) == (400, False)
    answer = await log_in(world, id="x", secret={"deep": "hidden thing"})
    assert (answer.status_code, "hidden thing" in answer.text) == (400, False)


async def test_a_marker_tells_nothing_of_the_credentials_of_others(world: Any) -> None:
    credential = await made(world)
    for who, status in (("demo", 200), ("alt", 404)):
        path = f"/v3/users/{world.ids[f'user {who}']}/application_credentials"
        assert (await world.call("GET", f"{path}?marker={credential['id']}", who)).status_code == status


async def test_a_name_is_taken_once_for_each_user(world: Any) -> None:
    await made(world)
    answer = await create(world)
    assert (answer.status_code, "Duplicate entry found with name robot" in answer.text) == (409, True)
    assert (await create(world, "alt", "alt")).status_code == 201
    both = await asyncio.gather(*(create(world, name="at once") for _ in range(4)))
    assert sorted(answer.status_code for answer in both) == [201, 409, 409, 409]


async def test_who_may(world: Any) -> None:
    credential = await made(world, access_rules=RULES[:1])
    user = f"/v3/users/{world.ids['user demo']}"
    one = f"{user}/application_credentials/{credential['id']}"
    rule = f"{user}/access_rules/{credential['access_rules'][0]['id']}"
    for who in ("reader", "alt", "checker"):
        for method, path in (
            ("GET", f"{user}/application_credentials"), ("POST", f"{user}/application_credentials"), ("GET", one),
            ("DELETE", one), ("GET", f"{user}/access_rules"), ("GET", rule), ("DELETE", rule),
            ("GET", f"{user}/application_credentials/nothing"), ("DELETE", f"{user}/tokens"),
        ):  # fmt: skip
            assert (await world.call(method, path, who)).status_code == 403, (who, method, path)
    for who, expected in {
        "demo": (200, 200, 403), "unscoped": (200, 200, 403), "auditor": (200, 200, 403), "admin": (200, 403, 403),
        "system": (200, 200, 403),
    }.items():  # fmt: skip
        got = (
            (await world.call("GET", one, who)).status_code,
            (await world.call("GET", rule, who)).status_code,
            (await create(world, who, name=f"by {who}")).status_code if who != "demo" else 403,
        )
        assert got == expected, who
    # Another user's path does not lead to it, even for an administrator.
    foreign = f"/v3/users/{world.ids['user alt']}/application_credentials/{credential['id']}"
    assert (await world.call("GET", foreign, "admin")).status_code == 404
    assert (await world.call("DELETE", foreign, "admin")).status_code == 404
    assert (await world.call("DELETE", one, "auditor")).status_code == 403
    assert (await world.call("DELETE", one, "admin")).status_code == 204


async def test_statements(world: Any) -> None:
    credential = await made(world, access_rules=RULES)
    token = await token_of(world, credential)
    world.tokens.forget()
    counted = Tally()
    tally.set(counted)
    for _ in range(3):
        assert await world.tokens.caller(token) is not None
    assert counted.statements == 2


async def test_all_tokens_of_a_user_end_at_once(world: Any) -> None:
    tokens = [world.issued["demo"], world.issued["unscoped"], await token_of(world, await made(world))]
    path = f"/v3/users/{world.ids['user demo']}/tokens"
    assert (await world.call("DELETE", path, "demo")).status_code == 204
    assert [await world.tokens.caller(token) for token in tokens] == [None] * 3
    assert await world.tokens.caller(world.issued["reader"]) is not None
    assert (await world.call("DELETE", "/v3/users/nobody/tokens", "admin")).status_code == 404
    assert (await world.call("DELETE", path, "admin")).status_code == 204
