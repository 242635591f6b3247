"""Passwords: what they cost, what is remembered, and that nobody is told apart by it."""

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from calotype.access import passwords as module
from calotype.access.passwords import Passwords
from calotype.settings import Identity

CHEAP = Identity(password_memory_kib=64, password_iterations=1)


class Counted(Passwords):
    """Counts the comparisons and how many run at once; `now` is its clock."""

    def __init__(self, settings: Identity = CHEAP) -> None:
        self.now = 0.0
        super().__init__(settings, lambda: self.now)
        self.spent = 0
        self.at_once = 0
        self.most_at_once = 0
        self._lock = threading.Lock()
        self.pause = 0.0

    def _compare(self, stored: str, password: bytes) -> bool:
        with self._lock:
            self.spent += 1
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        time.sleep(self.pause)
        good = super()._compare(stored, password)
        with self._lock:
            self.at_once -= 1
        return good


@pytest.fixture
def passwords() -> Iterator[Counted]:
    found = Counted()
    yield found
    found.close()


async def test_right_and_wrong(passwords: Counted) -> None:
    stored = await passwords.hash("secret")
    assert stored.startswith("$argon2id$v=19$m=64,t=1,p=1$")
    assert await passwords.matches("u", stored, "secret")
    assert not await passwords.matches("u", stored, "Secret")
    assert not await passwords.matches("u", stored, "")


async def test_passwords_are_compared_whole(passwords: Counted) -> None:
    stored = await passwords.hash("x" * 100 + "a")
    assert not await passwords.matches("u", stored, "x" * 100 + "b")
    assert await passwords.matches("u", stored, "x" * 100 + "a")


@pytest.mark.parametrize("stored", [None, ""])
async def test_nobody_costs_one_comparison_and_never_matches(passwords: Counted, stored: str | None) -> None:
    assert not await passwords.matches("u", stored, "secret")
    assert passwords.spent == 1


async def test_a_broken_hash_is_no_match(passwords: Counted) -> None:
    assert not await passwords.matches("u", "not a hash", "secret")


async def test_nobody_is_compared_at_the_price_of_somebody(passwords: Counted) -> None:
    assert not passwords.outdated(passwords._nobody)


async def test_a_success_is_remembered_for_some_seconds(passwords: Counted) -> None:
    stored = await passwords.hash("secret")
    for _ in range(3):
        assert await passwords.matches("u", stored, "secret")
    assert passwords.spent == 1
    passwords.now += module.REMEMBERED_SECONDS + 1
    assert await passwords.matches("u", stored, "secret")
    assert passwords.spent == 2


@pytest.mark.parametrize("other", ["user", "hash", "password"])
async def test_a_memory_is_of_one_user_hash_and_password(passwords: Counted, other: str) -> None:
    stored = await passwords.hash("secret")
    again = await passwords.hash("secret")
    await passwords.matches("u", stored, "secret")
    asked = {"user": ("v", stored, "secret"), "hash": ("u", again, "secret"), "password": ("u", stored, "wrong")}
    assert await passwords.matches(*asked[other]) is (other != "password")
    assert passwords.spent == 2


async def test_a_failure_is_not_remembered(passwords: Counted) -> None:
    stored = await passwords.hash("secret")
    for _ in range(2):
        assert not await passwords.matches("u", stored, "wrong")
    assert passwords.spent == 2


async def test_the_memory_is_bounded(passwords: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 3)
    stored = await passwords.hash("secret")
    for number in range(10):
        assert await passwords.matches(str(number), stored, "secret")
    assert len(passwords._recent) == 3


async def test_no_more_comparisons_at_once_than_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.os, "cpu_count", lambda: 2)
    passwords = Counted()
    passwords.pause = 0.02
    stored = await passwords.hash("secret")
    await asyncio.gather(*(passwords.matches(str(number), stored, "secret") for number in range(8)))
    passwords.close()
    assert (passwords.spent, passwords.most_at_once) == (8, 2)


async def test_the_loop_goes_on_meanwhile(passwords: Counted) -> None:
    passwords.pause = 0.3
    stored = await passwords.hash("secret")
    task = asyncio.create_task(passwords.matches("u", stored, "secret"))
    started = time.perf_counter()
    await asyncio.sleep(0.02)
    assert time.perf_counter() - started < 0.2
    assert await task


@pytest.mark.parametrize(
    ("changed", "outdated"),
    [({}, False), ({"password_iterations": 2}, True), ({"password_memory_kib": 128}, True)],
)
async def test_outdated_by_other_parameters(passwords: Counted, changed: dict[str, Any], outdated: bool) -> None:
    stored = await passwords.hash("secret")
    settings = Identity(**{"password_memory_kib": 64, "password_iterations": 1, **changed})
    other = Passwords(settings)
    assert other.outdated(stored) is outdated
    other.close()
