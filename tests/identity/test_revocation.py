"""How rights end: at once in this process and within a poll in the others, on each database."""

import asyncio
import hashlib
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import select

from calotype.access import tokens as module
from calotype.access.accounts import Accounts
from calotype.access.errors import Unauthorized
from calotype.access.model import SYSTEM, UNSCOPED, Scope
from calotype.access.passwords import Passwords
from calotype.database import revision
from calotype.database.connect import connect
from calotype.database.engine import Tally, tally
from calotype.database.statements import Statement
from calotype.database.tables import tokens as table
from calotype.settings import Identity, Settings

HOUR = 3600 * 1_000_000


async def _moved(world: Any) -> int:
    return int((await world.database.one(revision.GET, {}))[0])


CHANGES: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "revoke": lambda world: world.tokens.revoke(world.issued["demo"]),
    "revoke all of the user": lambda world: world.tokens.revoke_user(world.ids["user demo"]),
    "take the role": lambda world: world.assignments.revoke(
        world.ids["user demo"], world.ids["role member"], Scope("project", world.ids["demo"])
    ),
    "disable the user": lambda world: world.accounts.change_user(world.ids["user demo"], {"enabled": False}),
    "disable the project": lambda world: world.accounts.change_project(world.ids["demo"], {"enabled": False}),
    "disable the domain": lambda world: world.accounts.change_domain("default", {"enabled": False}),
    "change the password": lambda world: world.accounts.set_password(world.ids["user demo"], "another"),
    "delete the user": lambda world: world.accounts.delete_user(world.ids["user demo"]),
    "delete the project": lambda world: world.accounts.delete_project(world.ids["demo"]),
    "delete the role": lambda world: world.accounts.delete_role(world.ids["role member"]),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_right_taken_ends_here_at_once_and_elsewhere_within_a_poll(
    world: Any, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.02)
    token = world.issued["demo"]
    other = await world.tokens_on_a_new_connection()
    await other.open()
    assert await world.tokens.caller(token) is not None
    assert await other.caller(token) is not None
    before = await _moved(world)
    await CHANGES[change](world)
    assert await _moved(world) > before
    assert world.tokens.cached(token) is None
    assert await world.tokens.caller(token) is None
    assert await world.tokens.validate(token) is None
    async with asyncio.timeout(5):
        while other.cached(token) is not None:  # noqa: ASYNC110 - the poll announces itself to nobody
            await asyncio.sleep(0.01)
    assert await other.caller(token) is None
    await other.close()


async def test_a_role_given_reaches_a_live_token(world: Any) -> None:
    token = world.issued["demo"]
    assert "admin" not in (await world.tokens.caller(token)).roles
    await world.assignments.grant(world.ids["user demo"], world.ids["role admin"], Scope("project", world.ids["demo"]))
    assert {"admin", "manager", "member", "reader"} == (await world.tokens.caller(token)).roles


async def test_the_last_role_but_one_leaves_the_token_alive(world: Any) -> None:
    place = Scope("project", world.ids["demo"])
    await world.assignments.grant(world.ids["user demo"], world.ids["role reader"], place)
    await world.assignments.revoke(world.ids["user demo"], world.ids["role member"], place)
    assert (await world.tokens.caller(world.issued["demo"])).roles == {"reader"}


async def test_enabled_again_the_tokens_from_before_stay_void(world: Any) -> None:
    token = world.issued["demo"]
    await world.accounts.change_user(world.ids["user demo"], {"enabled": False})
    assert await world.tokens.caller(token) is None
    await world.accounts.change_user(world.ids["user demo"], {"enabled": True})
    assert await world.tokens.caller(token) is None


async def test_a_revoked_token_takes_those_made_from_it_along(world: Any) -> None:
    first = (await world.log_in()).headers["X-Subject-Token"]
    child, sibling = [await _exchanged(world, first) for _ in range(2)]
    grandchild = await _exchanged(world, child)
    assert await world.tokens.revoke(child)
    alive = [await world.tokens.caller(each) is not None for each in (first, child, sibling, grandchild)]
    assert alive == [True, False, True, True]  # as Keystone has it: a line ends with its first token only
    assert await world.tokens.revoke(first)
    assert [await world.tokens.caller(each) for each in (first, sibling, grandchild)] == [None] * 3
    assert not await world.tokens.revoke(first)


async def _exchanged(world: Any, token: str) -> str:
    auth = {"identity": {"methods": ["token"], "token": {"id": token}}}
    answer = await world.client.post("/v3/auth/tokens", json={"auth": auth})
    found: str = answer.headers["X-Subject-Token"]
    return found


async def test_expiry_and_what_is_known_after_it(world: Any) -> None:
    token = world.issued["demo"]
    grant = await world.tokens.validate(token)
    assert grant.expires_at - grant.issued_at == 24 * HOUR
    await world.tokens.caller(token)
    world.shift = 24 * HOUR
    assert world.tokens.cached(token) is None
    assert await world.tokens.validate(token) is None
    assert await world.tokens.validate(token, allow_expired=True) == grant
    assert await world.tokens.purge() == 0
    world.shift = (24 + 48) * HOUR
    assert await world.tokens.validate(token, allow_expired=True) is None
    assert await world.tokens.purge() > 0
    assert await world.tokens.purge() == 0


async def test_a_service_may_finish_what_an_expired_token_began(world: Any) -> None:
    token = world.issued["demo"]
    alive = await world.tokens.caller(token)
    world.shift = 24 * HOUR
    helper = await world.tokens.service(await world.issue("checker", Scope("project", world.ids["alt"])))
    assert helper is not None
    assert await world.tokens.caller(token, helper) == alive
    assert await world.tokens.caller(token) is None
    assert world.tokens.cached(token) is None
    assert await world.tokens.service(world.issued["checker"]) is None
    world.shift = (24 + 48) * HOUR
    assert await world.tokens.caller(token, helper) is None
    world.shift = 24 * HOUR
    await world.tokens.revoke_user(world.ids["user demo"])
    assert await world.tokens.caller(token, helper) is None


async def test_tokens_survive_a_restart(world: Any) -> None:
    later = await world.tokens_on_a_new_connection()
    assert await later.caller(world.issued["demo"]) == await world.tokens.caller(world.issued["demo"])


async def test_only_the_digest_of_a_token_is_kept(world: Any) -> None:
    token = world.issued["demo"]
    rows = await world.database.all(Statement(select(*table.c)), {})
    kept = [value for row in rows for value in row]
    assert token not in kept
    assert hashlib.sha256(token.encode()).hexdigest() in kept
    if world.url.startswith("sqlite"):
        with sqlite3.connect(world.url.removeprefix("sqlite:///")) as connection:
            assert token not in "".join(connection.iterdump())


async def test_statements(world: Any) -> None:
    fresh = await world.tokens_on_a_new_connection()
    counted = Tally()
    tally.set(counted)
    await fresh.caller(world.issued["demo"])
    assert counted.statements == 2
    await fresh.caller(world.issued["demo"])
    assert counted.statements == 2


async def test_no_token_from_a_password_that_changed_meanwhile(world: Any) -> None:
    login = await world.accounts.authenticate("correct horse battery staple", name="demo", domain_id="default")
    await world.accounts.set_password(world.ids["user demo"], "another")
    with pytest.raises(Unauthorized):
        await world.tokens.issue(login, [UNSCOPED])


async def test_no_token_from_a_user_that_was_locked_meanwhile(world: Any) -> None:
    login = await world.accounts.authenticate("correct horse battery staple", name="demo", domain_id="default")
    await world.accounts.change_user(world.ids["user demo"], {"enabled": False})
    with pytest.raises(Unauthorized):
        await world.tokens.issue(login, [UNSCOPED])


async def test_nothing_is_kept_of_a_token_that_was_refused(world: Any) -> None:
    count = Statement(select(table.c.hash))
    before = await world.database.all(count, {})
    assert (await world.log_in("demo", scope={"system": {"all": True}})).status_code == 401
    assert await world.database.all(count, {}) == before


async def test_fifty_at_once(world: Any) -> None:
    """Logins, look-ups and revocations side by side: every token works until it is revoked, and never after."""

    async def life(number: int) -> None:
        token = await world.issue("demo", Scope("project", world.ids["demo"]))
        assert await world.tokens.caller(token) is not None
        if number % 2:
            assert await world.tokens.revoke(token)
            assert await world.tokens.caller(token) is None
        else:
            assert await world.tokens.caller(token) is not None

    await asyncio.gather(*(life(number) for number in range(50)))


async def test_a_later_start_brings_nothing_back(world: Any) -> None:
    assert await world.accounts.bootstrap() == {}
    await world.accounts.delete_user(world.ids["user demo"])
    assert await world.accounts.bootstrap() == {}
    assert await world.accounts.user_named("demo") is None


async def test_two_first_starts_at_once(url: str) -> None:
    databases = [connect(Settings(database=url)) for _ in range(2)]
    passwords = Passwords(Identity(password_memory_kib=64, password_iterations=1))
    for database in databases:
        await database.open()
    accounts = [Accounts(database, passwords) for database in databases]
    made = await asyncio.gather(*(each.bootstrap() for each in accounts))
    assert sorted(map(len, made)) == [0, 2]
    (given,) = (each for each in made if each)
    assert await accounts[0].authenticate(given["demo"], name="demo", domain_id="default")
    assert len(await accounts[0].users()) == len(await accounts[0].projects()) == 2
    passwords.close()
    for database in databases:
        await database.close()


async def test_a_login_renews_a_hash_of_other_parameters(world: Any) -> None:
    token = world.issued["demo"]
    stronger = Passwords(Identity(password_memory_kib=128, password_iterations=2))
    accounts = Accounts(world.database, stronger, world.tokens.forget)
    first = await accounts.authenticate("correct horse battery staple", name="demo", domain_name="Default")
    assert "m=128,t=2" in (first.verified or "")
    assert (await world.tokens.issue(first, [UNSCOPED]))[1].user.name == "demo"
    second = await accounts.authenticate("correct horse battery staple", name="demo", domain_name="Default")
    assert second.verified == first.verified
    assert await world.tokens.caller(token) is not None  # the password is the same, so its tokens stay
    stronger.close()


@pytest.mark.parametrize(
    "who",
    [
        {"name": "demo", "domain_id": "default"},
        {"name": "nobody", "domain_id": "default"},
        {"name": "demo", "domain_id": "nowhere"},
        {"name": "demo", "domain_name": "nowhere"},
        {"user_id": "nobody"},
        {"name": "locked", "domain_id": "default"},
    ],
    ids=str,
)
async def test_every_failed_login_costs_one_comparison(world: Any, who: dict[str, str]) -> None:
    await world.accounts.create_user("locked", "right", enabled=False)
    spent = []
    compare = world.passwords._compare
    world.passwords._compare = lambda stored, password: spent.append(stored) or compare(stored, password)
    with pytest.raises(Unauthorized) as refused:
        await world.accounts.authenticate("right" if who.get("name") == "locked" else "wrong", **who)
    assert len(spent) == 1
    assert refused.value.text == "The request you have made requires authentication."


async def test_a_remembered_password_dies_with_a_change_and_a_lock(world: Any) -> None:
    password = "correct horse battery staple"
    assert (await world.log_in()).status_code == 201
    await world.accounts.change_user(world.ids["user demo"], {"enabled": False})
    assert (await world.log_in()).status_code == 401
    await world.accounts.change_user(world.ids["user demo"], {"enabled": True})
    assert (await world.log_in()).status_code == 201
    await world.accounts.set_password(world.ids["user demo"], "another")
    assert (await world.log_in(password=password)).status_code == 401
    assert (await world.log_in(password="another")).status_code == 201


async def test_a_system_scope(world: Any) -> None:
    caller = await world.tokens.caller(world.issued["system"])
    assert (caller.system, caller.project_id, caller.is_admin) == (True, None, True)
    await world.assignments.revoke(world.ids["user admin"], world.ids["role admin"], SYSTEM)
    assert await world.tokens.caller(world.issued["system"]) is None
    assert await world.tokens.caller(world.issued["admin"]) is not None
