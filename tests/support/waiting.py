"""Waiting for what other processes do."""

import asyncio
import time
from collections.abc import Callable

from calotype.database import tasks
from calotype.database.engine import Database

SECONDS = 20.0


async def until(holds: Callable[[], bool]) -> None:
    """Return as soon as it holds; fails if it never does."""
    end = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < end, "it never came so far"
        await asyncio.sleep(0.01)


async def nothing_is_due(database: Database) -> None:
    """Return as soon as no task waits or runs, however long that takes."""
    while True:
        if await database.one(tasks.DUE, {"now": 2**62, "most": 1}) is None:
            return
        await asyncio.sleep(0.01)
