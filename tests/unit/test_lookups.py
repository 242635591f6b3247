"""What is looked up once for all who ask at the same time, and memories that do not grow."""

import asyncio
from typing import Any

import pytest

from calotype.access.lookups import Lookups, keep


async def test_who_comes_after_a_change_shares_the_look_up_that_began_after_it() -> None:
    lookups: Lookups[str, int] = Lookups()
    ends, begun = [asyncio.Event() for _ in range(3)], 0

    async def look_up() -> int:
        nonlocal begun
        begun += 1
        number = begun
        await ends[number].wait()
        return number

    old = lookups.begun("a", look_up)
    await asyncio.sleep(0)
    lookups.forget()
    new = lookups.begun("a", look_up)
    ends[1].set()
    assert await old == 1
    await asyncio.sleep(0)
    assert lookups.begun("a", look_up) is new
    ends[2].set()
    assert await new == 2
    await asyncio.sleep(0)
    assert len(lookups) == 0


async def test_one_that_is_over_is_not_handed_on() -> None:
    lookups: Lookups[str, int] = Lookups()
    numbers = iter(range(2))

    async def look_up() -> int:
        return next(numbers)

    old = lookups.begun("a", look_up)
    await asyncio.sleep(0)
    assert old.done()
    assert "a" in lookups
    assert await lookups.begun("a", look_up) == 1
    await asyncio.sleep(0)
    assert len(lookups) == 0


async def test_a_failure_that_nobody_waits_for_is_told_nobody() -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    lookups: Lookups[str, int] = Lookups()

    async def fail() -> int:
        raise ValueError("away")

    lookups.begun("a", fail)
    await asyncio.sleep(0.01)
    assert ("a" in lookups, told) == (False, [])
    with pytest.raises(ValueError, match="away"):
        await lookups.begun("a", fail)


def test_the_oldest_goes() -> None:
    memory: dict[str, int] = {}
    for value, key in enumerate("abb"):
        keep(memory, key, value, 2)
    assert memory == {"a": 0, "b": 2}
    keep(memory, "c", 3, 2)
    assert memory == {"b": 2, "c": 3}
