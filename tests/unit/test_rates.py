"""Limits of rate: what a bucket lets pass, which address counts, and what the settings take."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calotype.access.errors import TooManyRequests
from calotype.access.rates import REMEMBERED, Buckets, Rates
from calotype.api.entrance import client_address
from calotype.api.wire import Request
from calotype.settings import Rate, SettingsError, load


class Clock:
    """A time that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def passed(buckets: Buckets, name: str = "a") -> bool:
    """Whether one more request may come."""
    try:
        buckets.take(name)
    except TooManyRequests:
        return False
    return True


@given(
    st.sampled_from((0.1, 1.0, 3.0, 100.0)),
    st.integers(1, 20),
    st.lists(st.one_of(st.just(0.0), st.floats(0, 5)), max_size=80),
)
def test_no_stretch_of_time_lets_more_pass_than_the_burst_and_what_came_meanwhile(
    pace: float, burst: int, pauses: list[float]
) -> None:
    clock = Clock()
    buckets = Buckets(pace, burst, clock)
    moments = []
    for pause in pauses:
        clock.now += pause
        if passed(buckets):
            moments.append(clock.now)
    for first, begin in enumerate(moments):
        for last in range(first, len(moments)):
            assert last - first + 1 <= burst + (moments[last] - begin) * pace + 1e-6


@given(st.sampled_from((1 / 3600, 0.3, 1.0, 7.0)), st.integers(1, 5), st.floats(0, 3))
def test_after_the_seconds_told_it_works_and_not_one_second_before(pace: float, burst: int, pause: float) -> None:
    clock = Clock()
    buckets = Buckets(pace, burst, clock)
    for _ in range(burst):
        buckets.take("a")
    clock.now += pause
    seconds = None
    for _ in range(30):
        try:
            buckets.take("a")
        except TooManyRequests as error:
            seconds = error.seconds
            break
    assert seconds is not None
    assert seconds >= 1
    if seconds > 1:
        clock.now += seconds - 1.001
        assert not passed(buckets)
        clock.now += 1.001
    else:
        clock.now += seconds
    assert passed(buckets)


def test_everybody_has_a_bucket_of_his_own_and_there_are_not_too_many() -> None:
    buckets = Buckets(1.0, 1, Clock())
    assert passed(buckets, "a")
    assert passed(buckets, "b")
    assert not passed(buckets, "a")
    for number in range(REMEMBERED + 10):
        passed(buckets, str(number))
        passed(buckets, "a")
    assert len(buckets._levels) == REMEMBERED
    assert not passed(buckets, "a")


@pytest.mark.parametrize(
    ("first", "second", "one"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("fe80::1%eth0", "fe80::2", True),
        ("", "", True),
    ],
)
def test_addresses(first: str, second: str, one: bool) -> None:
    rates = Rates(Rate(per_address="1/h"), Clock())
    rates.of_address(first)
    if one:
        with pytest.raises(TooManyRequests):
            rates.of_address(second)
    else:
        rates.of_address(second)


@pytest.mark.parametrize(
    ("headers", "believed", "expected"),
    [
        ({}, True, "198.51.100.7"),
        ({"X-Forwarded-For": "192.0.2.1"}, False, "198.51.100.7"),
        ({"X-Forwarded-For": "192.0.2.1"}, True, "192.0.2.1"),
        ({"X-Forwarded-For": "203.0.113.9, 192.0.2.1"}, True, "192.0.2.1"),
        ({"Forwarded": 'for=203.0.113.9;proto=http, proto=https;For="[2001:db8::1]:80"'}, True, "2001:db8::1"),
        ({"Forwarded": "for=203.0.113.9", "X-Forwarded-For": "192.0.2.1"}, True, "192.0.2.1"),
        ({"X-Forwarded-For": "192.0.2.1:4711"}, True, "192.0.2.1"),
        ({"X-Forwarded-For": "[2001:db8::1]"}, True, "2001:db8::1"),
        ({"X-Forwarded-For": "fe80::1%user=admin status=ok"}, True, "fe80::1"),
        ({"X-Forwarded-For": "192.0.2.1 status=ok"}, True, "198.51.100.7"),
        ({"Forwarded": "for=unknown"}, True, "198.51.100.7"),
        ({"Forwarded": 'for="_hidden user=admin"'}, True, "198.51.100.7"),
        ({"Forwarded": "proto=https", "X-Forwarded-For": "192.0.2.1"}, True, "192.0.2.1"),
        ({"X-Forwarded-For": " "}, True, "198.51.100.7"),
    ],
)
def test_behind_a_proxy_what_the_proxy_saw_counts(headers: dict[str, str], believed: bool, expected: str) -> None:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope: Any = {"type": "http", "method": "GET", "path": "/", "headers": raw, "client": ("198.51.100.7", 5)}
    assert client_address(Request(scope, None), believed) == expected  # type: ignore[arg-type]


def test_an_address_that_is_not_known() -> None:
    scope: Any = {"type": "http", "method": "GET", "path": "/", "headers": [], "client": None}
    assert client_address(Request(scope, None), True) == ""  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["10", "10/d", "0/s", "-1/s", "a/s", "10/s/s", "1.5/s", " 10/s"])
def test_rates_that_are_none(text: str) -> None:
    with pytest.raises(SettingsError, match=r"rate\.per_address"):
        load(environment={"CALOTYPE_RATE_PER_ADDRESS": text})


@pytest.mark.parametrize("whose", ["caller", "address"])
def test_a_burst_of_no_rate_is_refused(whose: str) -> None:
    with pytest.raises(SettingsError, match=rf"rate\.per_{whose}: has to be set for the burst to count"):
        load(environment={f"CALOTYPE_RATE_{whose.upper()}_BURST": "5"})


def test_rates_of_the_settings() -> None:
    assert Rate().caller is None
    assert Rate(per_caller="100/s").caller == (100.0, 100.0)
    assert Rate(per_caller="120/m", caller_burst=7).caller == (2.0, 7.0)
    assert Rate(per_address="36/h").address == (0.01, 36.0)
    assert not Rates(Rate()).any
