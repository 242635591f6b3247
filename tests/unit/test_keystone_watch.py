"""What is followed of a Keystone: its revocations and its catalogue (spec: identity-and-huawei B.2, B.3)."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest

from calotype.access.keystone.client import KeystoneClient
from calotype.access.keystone.tokens import UNWATCHED_SECONDS, KeystoneTokens
from calotype.access.moments import microseconds
from tests.support.played_keystone import Clock, PlayedKeystone, moment, token
from tests.support.waiting import until


async def test_a_revoked_token_is_refused_in_time(
    keystone: PlayedKeystone, make: Callable[..., KeystoneTokens]
) -> None:
    tokens = make(revocation_seconds=0.05)
    await tokens.open()
    keystone.tokens["other"] = token("other")
    assert await tokens.caller("good")
    assert await tokens.caller("other")
    del keystone.tokens["good"]
    assert await tokens.caller("good")
    keystone.events = [{"audit_id": "audit-demo", "issued_before": moment(1), "revoked_at": moment(1)}]
    await until(lambda: len(tokens._known) == 1)
    assert await tokens.caller("good") is None
    asked = keystone.count("validate")
    assert await tokens.caller("other")
    assert keystone.count("validate") == asked


def asked_since(keystone: PlayedKeystone) -> list[float]:
    """How many seconds ago, by this host's clock, each question for revocations began."""
    return [time.time() - microseconds(query["since"][0]) / 1_000_000 for query in keystone.queries if "since" in query]


@pytest.mark.parametrize("ahead", [0.0, 1000.0, -1000.0])
async def test_revocations_are_asked_for_by_keystones_own_clock(
    keystone: PlayedKeystone, make: Callable[..., KeystoneTokens], ahead: float
) -> None:
    keystone.ahead = ahead
    await make().open()
    assert 59 < asked_since(keystone)[0] + ahead < 70


async def test_each_question_for_revocations_goes_back_a_minute_behind_the_last(
    keystone: PlayedKeystone, make: Callable[..., KeystoneTokens]
) -> None:
    await make(revocation_seconds=0.02).open()
    await until(lambda: keystone.count("events") > 3)
    assert all(59 < ago < 70 for ago in asked_since(keystone))


async def test_what_was_revoked_while_keystone_was_away_is_asked_for(
    keystone: PlayedKeystone, make: Callable[..., KeystoneTokens]
) -> None:
    tokens = make(revocation_seconds=0.02)
    await tokens.open()
    keystone.status["events"] = 503
    await asyncio.sleep(1.5)
    keystone.queries.clear()
    del keystone.status["events"]
    await until(lambda: bool(asked_since(keystone)))
    assert asked_since(keystone)[0] > 61


async def test_revocations_that_may_not_be_read_are_told_once_and_shorten_belief(
    keystone: PlayedKeystone, make: Callable[..., KeystoneTokens], clock: Clock, caplog: Any
) -> None:
    keystone.status["events"] = 403
    tokens = make(revocation_seconds=0.02)
    await tokens.open()
    await until(lambda: keystone.count("events") > 3)
    assert caplog.text.count("revocations are noticed late") == 1
    assert await tokens.caller("good")
    clock.passed = UNWATCHED_SECONDS
    assert await tokens.caller("good")
    assert keystone.count("validate") == 2


async def test_a_keystone_that_is_away_at_the_start_is_followed_when_it_comes(
    keystone: PlayedKeystone, make: Callable[..., KeystoneTokens], caplog: Any
) -> None:
    caplog.set_level(logging.INFO, "calotype.keystone")
    keystone.go()
    tokens = make(revocation_seconds=0.05)
    await tokens.open()
    assert tokens.image_endpoint == ""
    keystone.back()
    await until(lambda: tokens.image_endpoint != "")
    assert caplog.text.count("Keystone cannot be followed") == 1
    await until(lambda: "Keystone can be followed again" in caplog.text)


async def test_without_revocations_only_the_catalogue_is_read(
    keystone: PlayedKeystone, make: Callable[..., KeystoneTokens]
) -> None:
    await make(revocation_seconds=0.0).open()
    assert keystone.asked == ["login", "catalogue"]


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({}, "https://image.example"),
        ({"interface": "internal"}, "http://10.0.0.1:9292"),
        ({"interface": "admin"}, ""),
        ({"region": "RegionOne", "service_name": "glance"}, "https://image.example"),
        ({"region": "Elsewhere"}, ""),
        ({"service_name": "other"}, ""),
    ],
)
async def test_the_image_endpoint_of_the_catalogue(
    make: Callable[..., KeystoneTokens], settings: dict[str, Any], url: str
) -> None:
    tokens = make(**settings)
    await tokens.open()
    assert tokens.image_endpoint == url


def test_keystones_clock_is_read_once_for_each_log_in(keystone: PlayedKeystone) -> None:
    client = KeystoneClient(keystone.settings)
    first = client.clock()
    time.sleep(0.01)
    assert client.clock() == first
    assert keystone.asked == ["login"]
