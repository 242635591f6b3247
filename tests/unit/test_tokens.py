"""Tokens in one process, over a database that is made up: when a token grants nothing, and what is kept how long."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from calotype.access import tokens as module
from calotype.access.caller import Caller
from calotype.access.grants import as_caller, grant_of
from calotype.access.model import AccessRule
from calotype.access.tokens import EXPIRED_WINDOW, Tokens
from calotype.database import revision, roles
from calotype.database import tokens as rows
from calotype.database.statements import Params, Row, Statement
from calotype.images.errors import StorageUnavailable
from calotype.settings import Identity

TOKEN = "t" * 43
ISSUED, EXPIRES = 1_000, 2_000
PROJECT = ("p", "demo", True, "default", "Default", True, None, None, None)
DOMAIN = (None, None, None, None, None, None, "d", "Other", True)
NOWHERE = (None,) * 9
MEMBER = [("2", "member"), ("3", "reader")]
NO_ROLE: list[Row] = []
READS = ("for reading", False, '["3", "9"]', None)


def whole(places: tuple[Any, ...] = PROJECT, credential: tuple[Any, ...] = (None,) * 4, **changed: Any) -> Row:
    """A row of `database.tokens.GET`."""
    row = {
        "user_id": "u",
        "scope": "project",
        "scope_id": "p",
        "methods": "password",
        "audit_id": "a",
        "chain_id": "a",
        "issued_at": ISSUED,
        "expires_at": EXPIRES,
        "credential_id": None,
        "name": "demo",
        "enabled": True,
        "valid_from": ISSUED,
        "domain_id": "default",
        "domain_name": "Default",
        "domain_enabled": True,
    }
    return (*(row | changed).values(), *places, *credential)


@pytest.mark.parametrize(
    ("row", "held", "moment", "roles_held"),
    [
        pytest.param(whole(), MEMBER, EXPIRES - 1, {"member", "reader"}, id="a microsecond before its end"),
        pytest.param(whole(), MEMBER, EXPIRES, None, id="at its end"),
        pytest.param(whole(valid_from=ISSUED + 1), MEMBER, ISSUED, None, id="older than the password"),
        pytest.param(whole(enabled=False), MEMBER, ISSUED, None, id="user disabled"),
        pytest.param(whole(enabled=0), MEMBER, ISSUED, None, id="user disabled, as SQLite has it"),
        pytest.param(whole(domain_enabled=False), MEMBER, ISSUED, None, id="user's domain disabled"),
        pytest.param(whole(("p", "demo", False, *PROJECT[3:])), MEMBER, ISSUED, None, id="project disabled"),
        pytest.param(whole((*PROJECT[:5], False, *PROJECT[6:])), MEMBER, ISSUED, None, id="project's domain disabled"),
        pytest.param(whole(NOWHERE), MEMBER, ISSUED, None, id="project gone"),
        pytest.param(whole(), NO_ROLE, ISSUED, None, id="no role on the project"),
        pytest.param(whole(PROJECT, READS, credential_id="c"), MEMBER, ISSUED, {"reader"}, id="a credential's roles"),
        pytest.param(whole(PROJECT, READS, credential_id="c"), MEMBER[:1], ISSUED, None, id="none of its roles left"),
        pytest.param(whole(credential_id="c"), MEMBER, ISSUED, None, id="its credential is gone"),
        pytest.param(whole(NOWHERE, scope="", scope_id=""), NO_ROLE, ISSUED, set(), id="unscoped needs no role"),
        pytest.param(whole(NOWHERE, scope="system"), MEMBER, ISSUED, {"member", "reader"}, id="system"),
        pytest.param(whole(NOWHERE, scope="system"), NO_ROLE, ISSUED, None, id="no role on the system"),
        pytest.param(whole(DOMAIN, scope="domain"), MEMBER, ISSUED, {"member", "reader"}, id="domain"),
        pytest.param(whole((*DOMAIN[:8], False), scope="domain"), MEMBER, ISSUED, None, id="domain disabled"),
    ],
)
def test_when_a_token_grants(row: Row, held: list[Row], moment: int, roles_held: set[str] | None) -> None:
    grant = grant_of(row, held, moment)
    assert (grant and as_caller(grant).roles) == roles_held


def test_a_caller_has_the_domains_that_policies_ask_for() -> None:
    elsewhere = (*PROJECT[:3], "other", "Other", *PROJECT[5:])
    for row, expected in (
        (whole(elsewhere), ("default", "other", None)),
        (whole(DOMAIN, scope="domain"), ("default", None, "d")),
        (whole(NOWHERE, scope=""), ("default", None, None)),
    ):
        grant = grant_of(row, MEMBER, ISSUED)
        assert grant is not None
        caller = as_caller(grant)
        assert (caller.user_domain_id, caller.project_domain_id, caller.domain_id) == expected


def test_what_a_caller_has_of_a_credential() -> None:
    rules = '[{"id":"1","service":"image","path":"/v2/images","method":"GET"}]'
    for unrestricted, text in ((True, None), (False, rules), (1, rules), (None, None)):
        credential = ("robot", unrestricted, '["3"]', text)
        grant = grant_of(whole(PROJECT, credential, credential_id="c"), MEMBER, ISSUED)
        caller = as_caller(grant) if grant else None
        expected = None if text is None else (AccessRule("1", "image", "/v2/images", "GET"),)
        assert caller is not None
        assert (caller.credential_id, caller.unrestricted) == ("c", bool(unrestricted))
        assert caller.access_rules == expected
    assert as_caller(grant_of(whole(), MEMBER, ISSUED)).access_rules is None  # type: ignore[arg-type]


class Rows:
    """A database that knows one token; `before` runs ahead of every look."""

    def __init__(self) -> None:
        self.statements = 0
        self.row: Row | None = whole()
        self.revision = 1
        self.failure: Exception | None = None
        self.before: Callable[[], Any] = lambda: None

    async def one(self, statement: Statement, params: Params) -> Row | None:
        if self.failure:
            raise self.failure
        if statement is revision.GET:
            return (self.revision,)
        assert statement is rows.GET
        self.statements += 1
        row = self.row
        await asyncio.sleep(0)
        self.before()
        return row

    async def all(self, statement: Statement, params: Params) -> list[Row]:
        assert statement is roles.HELD
        self.statements += 1
        await asyncio.sleep(0)
        return MEMBER


class Clock:
    """The moment it is set to."""

    def __init__(self) -> None:
        self.moment = ISSUED

    def __call__(self) -> int:
        return self.moment


@pytest.fixture
def database() -> Rows:
    return Rows()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(database: Rows, clock: Clock) -> Tokens:
    return Tokens(database, Identity(), clock)  # type: ignore[arg-type]


async def test_two_statements_once_and_none_after(tokens: Tokens, database: Rows) -> None:
    first = await tokens.caller(TOKEN)
    assert first is not None
    assert (first.user_id, first.project_id) == ("u", "p")
    assert database.statements == 2
    assert tokens.cached(TOKEN) is first
    assert await tokens.caller(TOKEN) is first
    assert database.statements == 2


async def test_a_cached_token_ends_to_the_microsecond(tokens: Tokens, clock: Clock) -> None:
    await tokens.caller(TOKEN)
    clock.moment = EXPIRES - 1
    assert tokens.cached(TOKEN) is not None
    clock.moment = EXPIRES
    assert tokens.cached(TOKEN) is None
    assert await tokens.caller(TOKEN) is None


@pytest.mark.parametrize("token", [None, "", "x", TOKEN + "x", TOKEN[:-1] + "\n", TOKEN[:-1] + "é", "t" * 100_000])
async def test_what_cannot_be_a_token_costs_nothing(tokens: Tokens, database: Rows, token: str | None) -> None:
    assert await tokens.caller(token) is None
    assert database.statements == 0


async def test_many_who_ask_at_once_share_one_look(tokens: Tokens, database: Rows) -> None:
    callers = await asyncio.gather(*(tokens.caller(TOKEN) for _ in range(50)))
    assert len(set(map(id, callers))) == 1
    assert database.statements == 2


async def test_one_who_goes_away_does_not_take_the_others_along(tokens: Tokens) -> None:
    first, second = (asyncio.create_task(tokens.caller(TOKEN)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second is not None


async def test_what_was_read_before_a_change_is_not_kept(tokens: Tokens, database: Rows) -> None:
    database.before = tokens.forget
    await tokens.caller(TOKEN)
    assert tokens.cached(TOKEN) is None


async def test_whoever_asks_after_a_change_does_not_join_an_older_look(tokens: Tokens, database: Rows) -> None:
    early = asyncio.create_task(tokens.caller(TOKEN))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    database.row = None
    tokens.forget()
    assert await tokens.caller(TOKEN) is None
    assert await early is not None
    assert tokens.cached(TOKEN) is None


async def test_the_cache_is_bounded(tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CACHED", 3)
    for letter in "abcdefgh":
        await tokens.caller(letter * 43)
    assert [letter for letter in "abcdefgh" if tokens.cached(letter * 43)] == ["f", "g", "h"]


async def test_an_unknown_token_is_not_kept(tokens: Tokens, database: Rows) -> None:
    database.row = None
    assert await tokens.caller(TOKEN) is None
    database.row = whole()
    assert await tokens.caller(TOKEN) is not None


async def test_a_failure_goes_to_all_who_ask_and_is_not_kept(tokens: Tokens, database: Rows) -> None:
    database.failure = StorageUnavailable("away")
    results = await asyncio.gather(*(tokens.caller(TOKEN) for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [StorageUnavailable] * 3
    database.failure = None
    assert await tokens.caller(TOKEN) is not None


async def test_a_moved_revision_clears_the_cache(
    tokens: Tokens, database: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.01)
    await tokens.open()
    await tokens.caller(TOKEN)
    await asyncio.sleep(0.05)
    assert tokens.cached(TOKEN) is not None
    database.failure = StorageUnavailable("away")
    await asyncio.sleep(0.05)
    assert tokens.cached(TOKEN) is not None
    database.failure = None
    database.revision += 1
    await asyncio.sleep(0.05)
    assert tokens.cached(TOKEN) is None
    await tokens.close()


async def test_opening_without_a_database_fails(tokens: Tokens, database: Rows) -> None:
    database.failure = StorageUnavailable("away")
    with pytest.raises(StorageUnavailable):
        await tokens.open()


async def test_beside_a_services_token_one_that_expired_is_looked_up_once(
    tokens: Tokens, database: Rows, clock: Clock
) -> None:
    clock.moment = EXPIRES
    helper = Caller(user_id="nova", roles=frozenset(("service",)))
    found = await asyncio.gather(*(tokens.caller(TOKEN, helper) for _ in range(10)), tokens.caller(TOKEN))
    assert [each and each.user_id for each in found] == ["u"] * 10 + [None]
    assert database.statements == 2
    assert tokens.cached(TOKEN) is None
    clock.moment = EXPIRES + EXPIRED_WINDOW
    assert await tokens.caller(TOKEN, helper) is None
