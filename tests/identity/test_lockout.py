"""Wrong passwords are counted and locked out, if the settings want it; each log-in leaves a line."""

import asyncio
import json
import logging
from typing import Any

import httpx
import msgspec
import pytest

from calotype.access import lockout as module
from calotype.access.accounts import Accounts
from calotype.access.errors import Unauthorized
from calotype.access.lockout import Lockout
from calotype.access.passwords import Passwords
from calotype.api.identity.routes import IdentityAPI
from calotype.database import login_failures
from calotype.database.engine import Tally, tally
from calotype.settings import Identity
from tests.identity.conftest import PASSWORD, login

MINUTE = 60 * 1_000_000


class Clock:
    """The moment it is set to."""

    moment = 1_000_000 * MINUTE

    def __call__(self) -> int:
        return self.moment


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def accounts(world: Any, clock: Clock) -> Accounts:
    """Accounts that lock out for ten minutes after three wrong passwords."""
    settings = Identity(lockout_attempts=3, lockout_minutes=10)
    return Accounts(world.database, world.passwords, world.tokens.forget, Lockout(world.database, settings, clock))


async def tried(accounts: Accounts, password: str, name: str = "demo") -> bool:
    try:
        await accounts.authenticate(password, name=name, domain_id="default")
    except Unauthorized:
        return False
    return True


async def test_three_wrong_passwords_lock_out_for_ten_minutes(accounts: Accounts, clock: Clock) -> None:
    for _ in range(3):
        assert await tried(accounts, PASSWORD)
        assert not await tried(accounts, "wrong")
        assert not await tried(accounts, "wrong")
    assert not await tried(accounts, "wrong")
    for _ in range(5):  # does not make it longer
        clock.moment += MINUTE
        assert not await tried(accounts, PASSWORD)
        assert not await tried(accounts, "wrong")
    clock.moment += 5 * MINUTE
    assert not await tried(accounts, PASSWORD)
    clock.moment += 1
    assert not await tried(accounts, "wrong")
    assert not await tried(accounts, "wrong")
    assert await tried(accounts, PASSWORD)
    assert await tried(accounts, PASSWORD, "admin")


async def test_old_failures_do_not_count(accounts: Accounts, clock: Clock) -> None:
    for _ in range(10):
        assert not await tried(accounts, "wrong")
        clock.moment += 10 * MINUTE + 1
    assert await tried(accounts, PASSWORD)


async def test_off_by_default(world: Any) -> None:
    default = Accounts(world.database, world.passwords, lockout=Lockout(world.database, Identity()))
    for _ in range(20):
        assert not await tried(default, "wrong")
    assert await tried(default, PASSWORD)


async def test_those_who_are_exempt(world: Any, accounts: Accounts) -> None:
    option = {"extra": {"options": {"ignore_lockout_failure_attempts": True}}}
    await accounts.change_user(world.ids["user demo"], option)
    for _ in range(5):
        assert not await tried(accounts, "wrong")
    assert await tried(accounts, PASSWORD)


@pytest.mark.parametrize("change", [{"password": "another"}, {"enabled": True}])
async def test_an_administrator_lets_in_again(world: Any, accounts: Accounts, change: dict[str, Any]) -> None:
    for _ in range(3):
        assert not await tried(accounts, "wrong")
    right = change.get("password", PASSWORD)
    assert not await tried(accounts, PASSWORD)
    await accounts.change_user(world.ids["user demo"], change)
    assert await tried(accounts, right)


async def test_changing_the_password_counts_too(world: Any, accounts: Accounts) -> None:
    for _ in range(3):
        with pytest.raises(Unauthorized):
            await accounts.change_password(world.ids["user demo"], "wrong", "another")
    with pytest.raises(Unauthorized):
        await accounts.change_password(world.ids["user demo"], PASSWORD, "another")
    assert not await tried(accounts, PASSWORD)


async def test_many_at_once_try_no_more_than_are_compared_at_once(world: Any) -> None:
    """The right password is among them, the last one: whoever guesses on does not learn that it is."""
    dear = Passwords(Identity())  # a comparison takes longer than a look at the database, as it does in service
    locking = Lockout(world.database, Identity(lockout_attempts=3))
    accounts = Accounts(world.database, dear, lockout=locking)
    await accounts.set_password(world.ids["user demo"], PASSWORD)
    assert dear._threads._max_workers < 15
    guesses = [*(f"wrong {number}" for number in range(29)), PASSWORD]
    assert not any(await asyncio.gather(*(tried(accounts, each) for each in guesses)))
    assert not await tried(accounts, PASSWORD)
    row = await world.database.one(login_failures.GET, {"user_id": world.ids["user demo"]})
    assert row is not None
    assert row[0] == 3
    dear.close()


async def test_nobody_costs_what_somebody_costs(
    world: Any, accounts: Accounts, compared: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SHARED", 2)
    costs = set()
    for name in ("demo", "nobody here"):
        for _ in range(4):  # the first one is counted in a new row
            compared.clear()
            tally.set(counted := Tally())
            assert not await tried(accounts, "wrong", name)
            costs.add((*compared, counted.statements))
    assert len(costs) <= 2
    assert {each[:-1] for each in costs} == {(False,)}
    for number in range(20):
        assert not await tried(accounts, "wrong", f"nobody {number}")
    assert await world.database.one(login_failures.GET, {"user_id": "nobody/0"}) is not None
    assert await world.database.one(login_failures.GET, {"user_id": "nobody/2"}) is None


async def test_each_log_in_leaves_a_line(world: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "calotype.logins")
    scope = {"project": {"id": world.ids["demo"]}}
    await world.log_in(scope=scope)
    await world.log_in(password="a wrong one")
    await world.log_in(user="secret as a name", password="x")
    await world.log_in(scope={"project": {"id": world.ids["alt"]}})
    await world.call(
        "POST", "/v3/auth/tokens", json={"auth": {"identity": {"methods": ["token"], "token": {"id": "t"}}}}
    )
    path = f"/v3/users/{world.ids['user demo']}/password"
    await world.client.post(path, json={"user": {"original_password": "a wrong one", "password": "new one"}})
    await world.client.post(path, json={"user": {"original_password": PASSWORD, "password": "new one"}})
    lines = [(each.levelname, each.getMessage(), each.fields) for each in caplog.records]  # type: ignore[attr-defined]
    demo = world.ids["user demo"]
    names = ("outcome", "user", "methods", "reason")
    assert [(level, what, *(about.get(name) for name in names)) for level, what, about in lines] == [
        ("INFO", "log-in", "success", demo, "password", None),
        ("WARNING", "log-in", "failure", demo, "password", "wrong password"),
        ("WARNING", "log-in", "failure", None, "password", "unknown user"),
        ("WARNING", "log-in", "failure", demo, "password", "not authorized"),
        ("WARNING", "log-in", "failure", None, "token", "refused"),
        ("WARNING", "password change", "failure", demo, "password", "wrong password"),
        ("INFO", "password change", "success", demo, "password", None),
    ]  # fmt: skip
    assert lines[0][2]["scope_id"] == world.ids["demo"]
    assert {each["address"] for _, _, each in lines} == {"127.0.0.1"}
    text = json.dumps([each for _, _, each in lines])
    for secret in (PASSWORD, "a wrong one", "secret as a name", "new one", *world.issued.values()):
        assert secret not in text


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ({}, "127.0.0.1"),
        ({"X-Forwarded-For": "6.6.6.6, 10.1.2.3"}, "10.1.2.3"),
        ({"Forwarded": 'for=6.6.6.6, for="10.1.2.3";proto=https'}, "10.1.2.3"),
    ],
)
async def test_the_address_behind_a_proxy(
    world: Any, caplog: pytest.LogCaptureFixture, headers: dict[str, str], address: str
) -> None:
    caplog.set_level(logging.INFO, "calotype.logins")
    for believe, expected in ((False, "127.0.0.1"), (True, address)):
        settings = msgspec.structs.replace(world.settings, proxy_headers=believe)
        transport = httpx.ASGITransport(IdentityAPI(settings, world.entrance, world.tokens, world.directory))
        async with httpx.AsyncClient(transport=transport, base_url="http://cloud:5000") as client:
            await client.post("/v3/auth/tokens", json=login(), headers=headers)
        assert caplog.records[-1].fields["address"] == expected  # type: ignore[attr-defined]
