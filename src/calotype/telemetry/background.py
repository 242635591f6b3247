"""Work that a process repeats as long as it lives."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger("calotype.background")


async def every(seconds: float, work: Callable[[], Awaitable[None]], name: str) -> None:
    """Wait and work, again and again; a failure is told in the log and does not end it."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await work()
        except Exception:
            log.exception("%s failed, and will be tried again in %s s", name, seconds)
