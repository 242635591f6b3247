"""Limits from Keystone: what is read, what is refused, and what counts when Keystone is away (image-v2 5)."""

import asyncio
import logging
from collections.abc import Callable, Iterator

import msgspec
import pytest

from calotype.access.keystone import kept_limits
from calotype.access.keystone.errors import Unreachable
from calotype.access.keystone.kept_limits import KeystoneLimits
from calotype.access.keystone.limits import Source
from calotype.images.errors import StorageUnavailable
from calotype.settings import Keystone, Quota, Settings, SettingsError
from tests.support.keystone_limits import OF_DEMO, PASSWORD, REGISTERED
from tests.support.recorded_keystone import DEMO, RecordedKeystone
from tests.support.system import free_port


@pytest.fixture
def keystone() -> Iterator[RecordedKeystone]:
    """The recorded answers of a Keystone."""
    found = RecordedKeystone()
    yield found
    found.go()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Failures are tried again at once."""
    monkeypatch.setattr(kept_limits, "RETRY_SECONDS", 0.0)


def test_a_project_has_its_own_limits_and_the_registered_ones(keystone: RecordedKeystone) -> None:
    source = Source(keystone.settings)
    assert source.limits(DEMO) == OF_DEMO
    assert source.limits("another") == REGISTERED


def test_the_endpoint_may_be_named(keystone: RecordedKeystone) -> None:
    named = msgspec.structs.replace(keystone.settings, endpoint_id="9ab7f250588049fda52eb6f870599ff3", service_type="")
    assert Source(named).limits(DEMO) == OF_DEMO
    assert not keystone.count("GET /services")


def test_the_url_may_leave_the_version_out(keystone: RecordedKeystone) -> None:
    bare = msgspec.structs.replace(keystone.settings, url=keystone.settings.url.removesuffix("/v3") + "/")
    assert Source(bare).limits(DEMO) == OF_DEMO


def _changed(**settings: str) -> Callable[[Keystone], Keystone]:
    return lambda keystone: msgspec.structs.replace(keystone, **settings)


WRONG: dict[str, tuple[Callable[[Keystone], Keystone], dict[str, str], str]] = {
    "password": (_changed(password="not it"), {}, "are name, password and domain right?"),
    "endpoint": (_changed(endpoint_id="unknown"), {}, "Could not find endpoint: unknown"),
    "service": (_changed(service_name="none"), {"GET /services": "services-none"}, "Keystone has 0 services"),
    "region": (_changed(region="Nowhere"), {"GET /endpoints": "endpoints-none"}, "of that service in Nowhere"),
    "rights": (_changed(), {"GET /endpoints": "endpoint-forbidden"}, "not authorized to perform the requested action"),
    "scope": (_changed(project="demo"), {"POST /auth/tokens": "token-of-member"}, "the role reader for the system"),
    "model": (_changed(), {"GET /limits/model": "model-strict"}, "enforcement model is 'strict_two_level'"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_the_operator_has_to_mend_is_said(keystone: RecordedKeystone, what: str) -> None:
    change, answers, words = WRONG[what]
    keystone.answers |= answers
    with pytest.raises(SettingsError, match=words) as refused:
        Source(change(keystone.settings)).check()
    assert PASSWORD not in str(refused.value)


def test_what_may_pass_is_another_matter(keystone: RecordedKeystone) -> None:
    source = Source(keystone.settings)
    source.check()
    keystone.answers["GET /limits"] = "token"
    with pytest.raises(Unreachable, match="is not what Keystone does"):
        source.limits(DEMO)
    keystone.go()
    with pytest.raises(Unreachable, match="cannot be asked"):
        source.limits(DEMO)
    keystone.come()


def test_a_keystone_that_does_not_answer_in_time(keystone: RecordedKeystone) -> None:
    keystone.delay = 2
    with pytest.raises(Unreachable, match="timed out"):
        Source(msgspec.structs.replace(keystone.settings, timeout_seconds=0.3)).check()


def test_a_token_that_was_withdrawn_is_replaced(keystone: RecordedKeystone) -> None:
    source = Source(keystone.settings)
    source.check()
    keystone.answers["GET /limits"] = "unauthorized"
    with pytest.raises(SettingsError):
        source.limits(DEMO)
    assert keystone.count("POST /auth/tokens") == 2
    keystone.answers["GET /limits"] = "limits-none"
    assert source.limits(DEMO) == OF_DEMO


def test_what_is_not_registered_is_nothing(keystone: RecordedKeystone, caplog: pytest.LogCaptureFixture) -> None:
    keystone.answers["GET /registered_limits"] = "registered-limits-none"
    assert Source(keystone.settings).limits("another") == dict.fromkeys(REGISTERED, 0)
    assert "no registered limit image_count_total" in caplog.text


async def test_limits_are_asked_for_once(keystone: RecordedKeystone) -> None:
    found = KeystoneLimits(keystone.settings, Quota(cache_seconds=60))
    keystone.delay = 0.05
    assert await asyncio.gather(*(found.of(DEMO) for _ in range(30))) == [OF_DEMO] * 30
    assert (keystone.count("GET /limits"), keystone.count("POST /auth/tokens")) == (1, 1)
    assert await found.of("another") == REGISTERED
    assert found.fresh(DEMO) == OF_DEMO
    assert (keystone.count("GET /limits"), keystone.count("GET /limits/model")) == (2, 1)
    await found.close()


@pytest.mark.usefixtures("quick")
async def test_old_limits_count_for_a_while_when_keystone_is_away(keystone: RecordedKeystone) -> None:
    found = KeystoneLimits(keystone.settings, Quota(cache_seconds=0, stale_seconds=1))
    assert await found.of(DEMO) == OF_DEMO
    keystone.go()
    assert await found.of(DEMO) == OF_DEMO
    with pytest.raises(StorageUnavailable):
        await found.of("another")
    await asyncio.sleep(1.1)
    with pytest.raises(StorageUnavailable, match="cannot be read from Keystone"):
        await found.of(DEMO)
    keystone.come()
    assert await found.of(DEMO) == OF_DEMO
    await found.close()


async def test_a_keystone_that_is_away_is_left_alone_for_a_moment(
    keystone: RecordedKeystone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_limits, "RETRY_SECONDS", 0.5)
    found = KeystoneLimits(keystone.settings, Quota(cache_seconds=0, stale_seconds=0))
    keystone.answers["GET /limits/model"] = "unauthorized"
    for _ in range(5):
        with pytest.raises(StorageUnavailable):
            await found.of(DEMO)
    assert keystone.count("GET /limits/model") == 2  # the second with a new token
    keystone.answers["GET /limits/model"] = "model"
    await asyncio.sleep(0.6)
    assert await found.of(DEMO) == OF_DEMO
    await found.close()


async def test_projects_that_wait_do_not_try_one_after_the_other(keystone: RecordedKeystone) -> None:
    found = KeystoneLimits(msgspec.structs.replace(keystone.settings, timeout_seconds=0.3), Quota())
    assert await found.of(DEMO) == OF_DEMO
    keystone.asked.clear()
    keystone.delay = 1.0
    refused = await asyncio.gather(*(found.of(f"p{n}") for n in range(30)), return_exceptions=True)
    assert {type(each) for each in refused} == {StorageUnavailable}
    assert len(keystone.asked) <= kept_limits.THREADS
    await found.close()


@pytest.mark.usefixtures("quick")
async def test_who_goes_away_does_not_take_the_answer_from_the_others(keystone: RecordedKeystone) -> None:
    found = KeystoneLimits(keystone.settings, Quota())
    keystone.delay = 0.1
    first, second = asyncio.create_task(found.of(DEMO)), asyncio.create_task(found.of(DEMO))
    await asyncio.sleep(0.05)
    first.cancel()
    assert await second == OF_DEMO
    await found.close()


async def test_few_projects_are_kept(keystone: RecordedKeystone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_limits, "MOST", 2)
    found = KeystoneLimits(keystone.settings, Quota())
    for project in ("a", "b", "c"):
        await found.of(project)
    assert [found.fresh(project) is not None for project in ("a", "b", "c")] == [False, True, True]
    await found.close()


async def test_the_password_is_nowhere(keystone: RecordedKeystone, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    settings = Settings(keystone=keystone.settings, quota=Quota(keystone_limits=True))
    found = KeystoneLimits(settings.keystone, settings.quota)
    await found.of(DEMO)
    keystone.answers["POST /auth/tokens"] = "token-refused"
    with pytest.raises(StorageUnavailable):
        await KeystoneLimits(settings.keystone, settings.quota).of(DEMO)
    away = msgspec.structs.replace(settings.keystone, url=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(StorageUnavailable):
        await KeystoneLimits(away, settings.quota).of(DEMO)
    assert PASSWORD not in caplog.text + repr(settings) + repr(settings.keystone) + str(settings)
    await found.close()
