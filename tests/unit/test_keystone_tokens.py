"""What is believed of a Keystone's tokens, for how long, and what Keystone is asked for it (identity-and-huawei B)."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from calotype.access.access_rules import AccessRule
from calotype.access.caller import Caller
from calotype.access.keystone import account
from calotype.access.keystone import tokens as module
from calotype.access.keystone.account import Account
from calotype.access.keystone.tokens import REFRESH, RETRY_SECONDS, THREADS, UNKNOWN_SECONDS, KeystoneTokens
from calotype.access.moments import microseconds
from calotype.images.errors import StorageUnavailable
from calotype.settings import Keystone
from tests.support.played_keystone import Clock, PlayedKeystone, moment, token
from tests.support.waiting import until

TTL = 300.0
RULE = {"id": "r", "path": "/v2/*", "method": "GET", "service": "image"}


@pytest.fixture
def tokens(make: Callable[..., KeystoneTokens]) -> KeystoneTokens:
    return make()


async def test_a_token_becomes_a_caller(tokens: KeystoneTokens) -> None:
    assert await tokens.caller("good") == Caller(
        user_id="user-demo",
        user_domain_id="default",
        project_id="project-demo",
        project_domain_id="acme",
        roles=frozenset({"reader", "member"}),
        expires_at=microseconds(moment(86_400)),
    )


@pytest.mark.parametrize(
    ("document", "fields"),
    [
        ({"project": None, "roles": []}, {"project_id": None, "domain_id": None, "system": False}),
        ({"project": None, "domain": {"id": "d", "name": "D"}}, {"project_id": None, "domain_id": "d"}),
        ({"project": None, "system": {"all": True}}, {"project_id": None, "system": True}),
        ({"user": {"id": "u", "name": "n"}}, {"user_id": "u", "user_domain_id": None}),
        (
            {"application_credential": {"id": "a", "name": "n", "restricted": True}},
            {"access_rules": None, "credential_id": "a", "unrestricted": False},
        ),
        (
            {"application_credential": {"id": "a", "restricted": False, "access_rules": [RULE]}},
            {"access_rules": (AccessRule(**RULE),), "unrestricted": True},
        ),
        ({"application_credential": {"id": "a", "access_rules": []}}, {"access_rules": ()}),
    ],
)
async def test_other_scopes_and_credentials(
    keystone: PlayedKeystone, tokens: KeystoneTokens, document: dict[str, Any], fields: dict[str, object]
) -> None:
    keystone.tokens["other"] = token(**document)
    found = await tokens.caller("other")
    assert {name: getattr(found, name) for name in fields} == fields


async def test_what_keystone_is_asked(keystone: PlayedKeystone, tokens: KeystoneTokens) -> None:
    assert await tokens.caller("good")
    assert keystone.asked == ["login", "validate"]
    assert keystone.queries[-1] == {"nocatalog": ["1"]}
    sent = keystone.headers[-1]
    assert (sent["x-subject-token"], sent["x-auth-token"]) == ("good", "own-1")
    assert sent["openstack-identity-access-rules"] == "1"


async def test_many_who_bring_a_new_token_share_one_question(keystone: PlayedKeystone, tokens: KeystoneTokens) -> None:
    keystone.delay = 0.1
    found = await asyncio.gather(*(tokens.caller("good") for _ in range(100)))
    assert len({id(each) for each in found}) == 1
    assert keystone.asked == ["login", "validate"]


async def test_one_who_goes_away_does_not_take_the_others_along(
    keystone: PlayedKeystone, tokens: KeystoneTokens
) -> None:
    keystone.delay = 0.05
    first, second = (asyncio.create_task(tokens.caller("good")) for _ in range(2))
    await asyncio.sleep(0.02)
    first.cancel()
    assert await second


async def test_a_known_token_is_not_asked_for_until_its_time_is_up(
    keystone: PlayedKeystone, tokens: KeystoneTokens, clock: Clock
) -> None:
    first = await tokens.caller("good")
    clock.passed = REFRESH * TTL - 0.1
    assert await tokens.caller("good") is first
    assert keystone.count("validate") == 1
    clock.passed = TTL
    assert await tokens.caller("good") == first
    assert keystone.count("validate") == 2


async def test_a_token_ends_to_the_microsecond_known_or_not(
    keystone: PlayedKeystone, tokens: KeystoneTokens, clock: Clock
) -> None:
    keystone.tokens["short"] = token(expires=2)
    assert await tokens.caller("short")
    clock.passed = 1.999_999
    assert await tokens.caller("short")
    clock.passed = 2.0
    assert await tokens.caller("short") is None
    assert keystone.count("validate") == 1
    keystone.tokens["late"] = token(expires=2)  # as a Keystone whose clock is behind has it
    assert await tokens.caller("late") is None


async def test_a_token_in_use_is_validated_again_behind_the_scenes(
    keystone: PlayedKeystone, tokens: KeystoneTokens, clock: Clock
) -> None:
    first = await tokens.caller("good")
    keystone.tokens["good"] = token(roles=[{"id": "r1", "name": "reader"}])
    clock.passed = REFRESH * TTL
    keystone.delay = 0.1
    assert [await tokens.caller("good") for _ in range(20)] == [first] * 20
    await until(lambda: not tokens._lookups)
    assert keystone.count("validate") == 2
    changed = await tokens.caller("good")
    assert changed is not None
    assert changed.roles == {"reader"}
    clock.passed += REFRESH * TTL - 1
    assert await tokens.caller("good") is changed
    assert keystone.count("validate") == 2


async def test_a_token_that_is_gone_when_it_is_validated_again_is_refused(
    keystone: PlayedKeystone, tokens: KeystoneTokens, clock: Clock
) -> None:
    assert await tokens.caller("good")
    del keystone.tokens["good"]
    clock.passed = REFRESH * TTL
    assert await tokens.caller("good")
    await until(lambda: not tokens._lookups)
    assert await tokens.caller("good") is None


async def test_a_token_that_keystone_does_not_know_is_not_asked_for_again_at_once(
    keystone: PlayedKeystone, tokens: KeystoneTokens, clock: Clock
) -> None:
    assert [await tokens.caller("bad") for _ in range(3)] == [None] * 3
    assert keystone.count("validate") == 1
    keystone.tokens["bad"] = token()
    clock.passed = UNKNOWN_SECONDS
    assert await tokens.caller("bad")


@pytest.mark.parametrize("junk", [None, "", "a b", "a\n", "é", "\x00", "a" * 4097, "\ud800"])
async def test_what_cannot_be_a_token_is_not_asked_for(
    keystone: PlayedKeystone, tokens: KeystoneTokens, junk: str | None
) -> None:
    assert await tokens.caller(junk) is None
    assert keystone.asked == []


async def test_what_is_kept_is_bounded(tokens: KeystoneTokens, keystone: PlayedKeystone, monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "CACHED", 3)
    for name in "abcdef":
        keystone.tokens[name] = token()
        await tokens.caller(name)
        await tokens.caller(f"bad {name}".replace(" ", "-"))
    assert (len(tokens._known), len(tokens._unknown)) == (3, 3)
    asked = keystone.count("validate")
    assert [bool(await tokens.caller(name)) for name in "fed"] == [True] * 3
    assert keystone.count("validate") == asked


async def test_no_more_than_so_many_wait(tokens: KeystoneTokens, keystone: PlayedKeystone, monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "WAITING", 2)
    keystone.delay = 0.05
    found = await asyncio.gather(*(tokens.caller(f"bad{n}") for n in range(4)), return_exceptions=True)
    assert [type(each) for each in found] == [type(None), type(None), StorageUnavailable, StorageUnavailable]


@pytest.mark.parametrize("status", [500, 503, 403, 400, -1])
async def test_what_is_no_answer_is_neither_kept_nor_an_answer(
    keystone: PlayedKeystone, tokens: KeystoneTokens, clock: Clock, status: int
) -> None:
    keystone.status["validate"] = status
    with pytest.raises(StorageUnavailable, match="temporarily unavailable"):
        await tokens.caller("good")
    del keystone.status["validate"]
    clock.passed = RETRY_SECONDS
    assert await tokens.caller("good")


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"token": {}}', b'{"token": {"user": 1}}', b"[]"])
async def test_an_answer_that_is_none_of_keystones(
    keystone: PlayedKeystone, tokens: KeystoneTokens, body: bytes
) -> None:
    keystone.body = body
    with pytest.raises(StorageUnavailable):
        await tokens.caller("good")


async def test_without_keystone_known_tokens_go_on_and_others_do_not(
    keystone: PlayedKeystone, tokens: KeystoneTokens, clock: Clock
) -> None:
    first = await tokens.caller("good")
    keystone.go()
    for passed in (0.0, REFRESH * TTL, TTL - 0.1):
        clock.passed = passed
        assert await tokens.caller("good") is first
        with pytest.raises(StorageUnavailable):
            await tokens.caller("unknown")
    clock.passed = TTL
    with pytest.raises(StorageUnavailable):
        await tokens.caller("good")
    keystone.back()
    clock.passed += RETRY_SECONDS
    assert await tokens.caller("good") == first


@pytest.mark.parametrize("logged_in", [True, False])
async def test_those_who_wait_for_a_keystone_that_does_not_answer_do_not_try_one_after_the_other(
    keystone: PlayedKeystone, make: Callable[..., KeystoneTokens], logged_in: bool
) -> None:
    tokens = make(timeout_seconds=0.3)
    if logged_in:
        assert await tokens.caller("good")
    keystone.asked.clear()
    keystone.delay = 1.0
    started = time.monotonic()
    found = await asyncio.gather(*(tokens.caller(f"new{n}") for n in range(50)), return_exceptions=True)
    assert {type(each) for each in found} == {StorageUnavailable}
    assert len(keystone.asked) <= (THREADS if logged_in else 1)
    assert time.monotonic() - started < 1.0


async def test_a_token_that_breaks_keystone_does_not_keep_others_from_asking(
    keystone: PlayedKeystone, tokens: KeystoneTokens
) -> None:
    keystone.status["validate"] = 500
    with pytest.raises(StorageUnavailable):
        await tokens.caller("poison")
    keystone.status["validate"] = -1
    with pytest.raises(StorageUnavailable):
        await tokens.caller("p" * 2000)
    del keystone.status["validate"]
    assert await tokens.caller("good")


async def test_the_services_own_token_is_replaced_once_for_all(
    keystone: PlayedKeystone, tokens: KeystoneTokens
) -> None:
    assert await tokens.caller("good")
    keystone.withdraw()
    keystone.tokens |= {f"t{n}": token() for n in range(20)}
    assert all(await asyncio.gather(*(tokens.caller(f"t{n}") for n in range(20))))
    assert keystone.count("login") == 2


@pytest.mark.parametrize("gone", ["user: user-glance", "project: project-glance", "application credential: robot"])
async def test_an_account_that_is_not_found_makes_nobody_a_stranger(
    keystone: PlayedKeystone, tokens: KeystoneTokens, gone: str
) -> None:
    keystone.credential = "robot"
    keystone.status["validate"], keystone.says = 404, f"Could not find {gone}."
    with pytest.raises(StorageUnavailable):
        await tokens.caller("good")
    assert keystone.asked == ["login", "validate"] * 2


async def test_that_a_token_names_the_account_makes_nobody_log_in(
    keystone: PlayedKeystone, tokens: KeystoneTokens
) -> None:
    assert await tokens.caller("good")
    assert [await tokens.caller(name) for name in ("bad", "user-glance", "project-glance.")] == [None] * 3
    assert keystone.count("login") == 1


def test_who_brings_an_old_refusal_does_not_throw_the_new_token_away(keystone: PlayedKeystone) -> None:
    ours = Account(keystone.settings)
    old = ours.access()
    ours._forget(old)
    new = ours.access()
    ours._forget(old)
    assert ours.access() is new
    assert keystone.count("login") == 2


async def test_a_kept_connection_that_breaks_is_not_noticed(keystone: PlayedKeystone, tokens: KeystoneTokens) -> None:
    assert await tokens.caller("good")
    keystone.cuts = 1
    keystone.tokens["next"] = token()
    assert await tokens.caller("next")


@pytest.mark.parametrize("status", [401, 404, 403, 500])
async def test_a_service_that_may_not_log_in_makes_nobody_a_stranger(
    keystone: PlayedKeystone, make: Callable[..., KeystoneTokens], caplog: Any, status: int
) -> None:
    keystone.status["login"] = status
    tokens = make()
    with pytest.raises(StorageUnavailable):
        await tokens.caller("good")
    assert "a token cannot be validated" in caplog.text
    assert keystone.settings.password not in caplog.text


async def test_a_refused_account_does_not_log_in_for_each_token(
    keystone: PlayedKeystone, tokens: KeystoneTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each try counts for its lock-out in Keystone, and anybody can bring tokens."""
    monkeypatch.setattr(account, "REFUSED_SECONDS", 3600)
    keystone.status["login"] = 401
    for number in range(20):
        with pytest.raises(StorageUnavailable):
            await tokens.caller(f"invented-{number}")
    assert keystone.count("login") == 1
    del keystone.status["login"]
    monkeypatch.setattr(account, "REFUSED_SECONDS", 0)
    assert await tokens.caller("good")


async def test_a_service_token_needs_a_role(keystone: PlayedKeystone, make: Callable[..., KeystoneTokens]) -> None:
    keystone.tokens["nova"] = token("nova", roles=[{"id": "r9", "name": "Service"}])
    tokens, other = make(), make(service_token_roles=("helper", "Member"))
    assert await tokens.service("nova")
    assert [await tokens.service(each) for each in ("good", "bad", "")] == [None] * 3
    assert (bool(await other.service("good")), await other.service("nova")) == (True, None)


async def test_with_a_service_a_token_may_be_over(
    keystone: PlayedKeystone, tokens: KeystoneTokens, clock: Clock
) -> None:
    helper = Caller(user_id="nova", roles=frozenset({"service"}))
    keystone.tokens["over"] = token(expires=2)
    clock.passed = 3
    assert await tokens.caller("over", helper)
    assert keystone.queries[-1] == {"nocatalog": ["1"], "allow_expired": ["1"]}
    assert await tokens.caller("over") is None
    assert await tokens.caller("over", helper)
    assert keystone.count("validate") == 1


async def test_that_a_token_is_unknown_does_not_say_that_it_is_unknown_to_a_service(
    keystone: PlayedKeystone, tokens: KeystoneTokens
) -> None:
    assert await tokens.caller("over") is None
    keystone.tokens["over"] = token(expires=-1)
    helper = Caller(user_id="nova")
    assert await tokens.caller("over", helper)
    assert await tokens.caller("over") is None
    assert [await tokens.caller("never", helper) for _ in range(2)] == [None, None]
    assert keystone.count("validate") == 3


def test_no_secret_is_shown() -> None:
    shown = repr(Keystone(url="http://k", password="secret", auth={"application_credential_secret": "secret"}))
    assert "secret" not in shown
