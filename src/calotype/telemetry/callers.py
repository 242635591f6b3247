"""Who still makes the deprecated calls: counted by project, user agent and call, and told in the log."""

import asyncio
import logging
from collections import Counter

from calotype.telemetry.background import every

LIMIT = 1000
"""How many different callers are told apart; the rest are counted together."""

INTERVAL = 600.0

log = logging.getLogger("calotype.deprecated")

Key = tuple[str, str, str]
"""Project, user agent, call."""


class DeprecatedCalls:
    """The counts of one worker, written to the log every INTERVAL seconds and at the end, those that have grown."""

    def __init__(self) -> None:
        self._counts: Counter[Key] = Counter()
        self._told: Counter[Key] = Counter()
        self._task: asyncio.Task[None] | None = None

    def count(self, project: str, agent: str, call: str) -> None:
        """Note one call."""
        key = (project, agent[:200], call)
        if key not in self._counts and len(self._counts) >= LIMIT:
            key = ("other", "other", call)
        self._counts[key] += 1

    def rows(self) -> list[tuple[Key, int]]:
        """The counts since the start, the largest first."""
        return self._counts.most_common()

    def tell(self) -> None:
        """Write a line for each count that has grown since the last time."""
        for key, count in self.rows():
            new = count - self._told[key]
            if new:
                project, agent, call = key
                fields = {"project": project, "agent": agent, "call": call, "count": new, "total": count}
                log.info("deprecated calls", extra={"fields": fields})
                self._told[key] = count

    async def open(self) -> None:
        """Begin to tell."""
        self._task = asyncio.create_task(every(INTERVAL, self._tell, "the count of deprecated calls"))

    async def close(self) -> None:
        """Tell a last time."""
        if self._task is not None:
            self._task.cancel()
        self.tell()

    async def _tell(self) -> None:
        self.tell()
