"""Waiting for what other processes do."""

import asyncio
import time
from collections.abc import Callable

SECONDS = 20.0


async def until(holds: Callable[[], bool]) -> None:
    """Return as soon as it holds; fails if it never does."""
    end = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < end, "it never came so far"
        await asyncio.sleep(0.01)
