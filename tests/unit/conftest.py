"""Fixtures of the unit tests."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from calotype.access.keystone.tokens import KeystoneTokens
from tests.support.compute import Service, service
from tests.support.played_keystone import Clock, PlayedKeystone, token


@pytest.fixture
def compute(tmp_path: Path) -> Iterator[Service]:
    """The Compute API over an empty catalogue."""
    with service(tmp_path) as made:
        yield made


@pytest.fixture
def keystone() -> Iterator[PlayedKeystone]:
    """A Keystone that knows the token `good` of demo."""
    played = PlayedKeystone()
    played.tokens["good"] = token()
    yield played
    if "*" not in played.status:
        played.go()


@pytest.fixture
def clock() -> Clock:
    """The time for those who believe that Keystone's tokens."""
    return Clock()


@pytest.fixture
async def make(keystone: PlayedKeystone, clock: Clock) -> AsyncIterator[Callable[..., KeystoneTokens]]:
    """Makes what believes that Keystone's tokens, with other settings if they are wanted."""
    made: list[KeystoneTokens] = []

    def new(**more: Any) -> KeystoneTokens:
        settings = msgspec.structs.replace(keystone.settings, **more)
        made.append(KeystoneTokens(settings, clock.wall, clock.monotonic))
        return made[-1]

    yield new
    for each in made:
        await each.close()
