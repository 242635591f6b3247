"""What workers share of a Keystone's tokens through memcached (spec: identity-and-huawei B.3)."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import msgspec
import pytest

from calotype.access.access_rules import AccessRule
from calotype.access.keystone import shared_tokens, watch
from calotype.access.keystone.client import KeystoneClient
from calotype.access.keystone.revocations import Event
from calotype.access.keystone.tokens import REFRESH, RETRY_SECONDS, KeystoneTokens
from calotype.access.moments import microseconds
from calotype.images.errors import StorageUnavailable
from tests.support.memcached import Memcached
from tests.support.played_keystone import Clock, PlayedKeystone, moment, token

Worker = Callable[..., Awaitable[KeystoneTokens]]

KEY = "a secret of all workers"
TTL = 300.0


@pytest.fixture(scope="module")
def memcached() -> Iterator[Memcached]:
    found = Memcached()
    yield found
    found.stop()


@pytest.fixture
def keystone(keystone: PlayedKeystone) -> PlayedKeystone:
    """The token `good` has access rules."""
    rules = [{"service": "image", "method": "GET", "path": "/v2/**"}]
    keystone.tokens["good"] = token(application_credential={"id": "a", "access_rules": rules})
    return keystone


@pytest.fixture
async def worker(keystone: PlayedKeystone, memcached: Memcached, clock: Clock) -> AsyncIterator[Worker]:
    """Starts workers, with other settings if they are wanted."""
    made: list[KeystoneTokens] = []

    async def new(**more: Any) -> KeystoneTokens:
        wanted = {"memcached": (memcached.place,), "memcached_key": KEY, **more}
        made.append(KeystoneTokens(msgspec.structs.replace(keystone.settings, **wanted), clock.wall, clock.monotonic))
        await made[-1].open()
        return made[-1]

    yield new
    for each in made:
        await each.close()


async def told(worker: KeystoneTokens, name: str = "good") -> Any:
    """The caller that a worker makes of a token, once it has told the others."""
    found = await worker.caller(name)
    await asyncio.gather(*worker._sharing)
    return found


async def test_what_one_worker_was_told_the_others_know(keystone: PlayedKeystone, worker: Worker) -> None:
    first, second = await worker(), await worker()
    found = await told(first)
    assert await told(second) == found
    assert found.access_rules == (AccessRule(id="", service="image", path="/v2/**", method="GET"),)
    assert keystone.count("validate") == 1


async def test_it_counts_from_when_keystone_was_asked(keystone: PlayedKeystone, worker: Worker, clock: Clock) -> None:
    await told(await worker())
    clock.passed = REFRESH * TTL - 1
    second = await worker()
    await told(second)
    assert keystone.count("validate") == 1
    assert [known.until for known in second._known.values()] == [pytest.approx(TTL)]
    clock.passed = REFRESH * TTL
    assert await told(await worker())
    assert keystone.count("validate") == 2
    keystone.go()
    clock.passed = TTL - 0.1
    assert await second.caller("good")


@pytest.mark.parametrize("more", [{"memcached_key": "another secret of workers"}, {"url": "{url}/"}])
async def test_who_has_another_secret_is_told_nothing(
    keystone: PlayedKeystone, worker: Worker, more: dict[str, str]
) -> None:
    await told(await worker())
    same = "url" in more  # a slash at the end makes no other Keystone
    assert await told(await worker(**{name: text.format(url=keystone.url) for name, text in more.items()}))
    assert keystone.count("validate") == (1 if same else 2)


async def test_what_lies_there_tells_nothing_and_cannot_be_changed(
    keystone: PlayedKeystone, worker: Worker, memcached: Memcached, monkeypatch: Any
) -> None:
    first = await worker()
    await told(first)
    dump = memcached.dump()
    assert dump.count(b"VALUE calotype-") >= 1
    for secret in (b"good", b"user-demo", b"project-demo", b"member", KEY.encode()):
        assert secret not in dump
    shared = first._shared
    assert shared is not None
    name = shared._name("good")
    value = next(iter((await shared._servers[0].get(name)).values())).value
    for changed in (value[:-1], bytes([value[0] ^ 1]) + value[1:], value[:20] + b"x" + value[21:], b"", b"x" * 40):
        await shared._servers[0].set(name, changed, expiry=100)
        assert await shared.get("good") is None
    await shared._servers[0].set(shared._name("other"), value, expiry=100)
    assert await shared.get("other") is None


async def test_a_token_revoked_meanwhile_is_not_taken_from_there(keystone: PlayedKeystone, worker: Worker) -> None:
    first = await worker()
    await told(first)
    del keystone.tokens["good"]
    keystone.events = [{"audit_id": "audit-demo", "issued_before": moment(1), "revoked_at": moment(1)}]
    second = await worker()
    assert await told(second) is None
    since = microseconds([query["since"][0] for query in keystone.queries if "since" in query][-1]) / 1_000_000
    assert TTL + 59 < time.time() - since < TTL + 70


async def test_who_cannot_read_the_revocations_takes_nothing_from_there(
    keystone: PlayedKeystone, worker: Worker, clock: Clock, monkeypatch: Any
) -> None:
    monkeypatch.setattr(watch, "MARGIN_SECONDS", 0.2)
    first = await worker(revocation_seconds=0.05)
    await told(first)
    keystone.tokens["other"] = token("other")
    await told(await worker(), "other")
    keystone.go()
    late = await worker(revocation_seconds=0.05)
    with pytest.raises(StorageUnavailable):
        await late.caller("good")
    assert await first.caller("good")
    await asyncio.sleep(0.3)
    with pytest.raises(StorageUnavailable):
        await first.caller("other")
    keystone.back()
    clock.passed = RETRY_SECONDS
    assert await told(late)


@pytest.mark.parametrize(("settings", "status"), [({"revocation_seconds": 0.0}, {}), ({}, {"events": 403})])
async def test_where_revocations_are_not_followed_at_all_it_is_taken(
    keystone: PlayedKeystone, worker: Worker, settings: dict[str, Any], status: dict[str, int]
) -> None:
    keystone.status = status
    first, second = await worker(**settings), await worker(**settings)
    assert await told(first)
    assert await told(second)
    assert keystone.count("validate") == 1


async def test_without_memcached_each_worker_asks(
    keystone: PlayedKeystone, worker: Worker, memcached: Memcached, caplog: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(shared_tokens, "RETRY_SECONDS", 0.1)
    first = await worker()
    await told(first)
    memcached.stop()
    keystone.tokens["new"] = token("new")
    started = time.monotonic()
    assert await told(first, "new")
    assert await told(await worker(), "new")
    assert time.monotonic() - started < 3
    assert "memcached cannot be used" in caplog.text
    memcached.start()
    await asyncio.sleep(0.15)
    keystone.tokens["later"] = token("later")
    asked = keystone.count("validate")
    assert [bool(await told(each, "later")) for each in (first, await worker())] == [True, True]
    assert keystone.count("validate") == asked + 1


async def test_nothing_is_shared_of_tokens_that_are_over_or_unknown(
    keystone: PlayedKeystone, worker: Worker, memcached: Memcached
) -> None:
    before = memcached.dump().count(b"VALUE ")
    first = await worker()
    keystone.tokens["over"] = token(expires=-1)
    helper = await told(first)
    assert await first.caller("over", helper)
    assert await told(first, "unknown") is None
    assert memcached.dump().count(b"VALUE ") == before + 1


@pytest.mark.parametrize(("ahead", "asked"), [(4, 1), (6, 2)])
async def test_what_comes_from_the_future_is_not_believed(
    keystone: PlayedKeystone, worker: Worker, clock: Clock, ahead: float, asked: int
) -> None:
    clock.passed = ahead
    await told(await worker())
    clock.passed = 0
    assert await told(await worker())
    assert keystone.count("validate") == asked


def test_revocations_are_forgotten_when_no_shared_token_can_be_older(keystone: PlayedKeystone) -> None:
    settings = msgspec.structs.replace(keystone.settings, memcached=("127.0.0.1:1",), token_seconds=100)
    found = watch.KeystoneWatch(KeystoneClient(settings), settings, lambda _: 0)
    found._remember([Event((("user_id", "u"),), 0)], 0.0)
    found._remember([], 160.0)
    assert found.recent
    found._remember([], 161.0)
    assert not found.recent
    assert not found._seen


async def test_what_counts_for_less_than_a_second_is_not_shared(keystone: PlayedKeystone, worker: Worker) -> None:
    """For memcached, 0 seconds is for ever."""
    await told(await worker(token_seconds=0.9))
    await told(await worker(token_seconds=TTL))
    assert keystone.count("validate") == 2
