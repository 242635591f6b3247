"""Keystone's limits as they are known here: asked for when they are wanted, and kept for a while."""

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from calotype.access.keystone.errors import Unreachable
from calotype.access.keystone.resources import Limits
from calotype.access.lookups import Lookups, keep
from calotype.images.errors import StorageUnavailable
from calotype.settings import Keystone, Quota, SettingsError

RETRY_SECONDS = 5.0
"""How long nobody asks again after a failure: each question may take until its time is up."""
MOST = 10_000
"""Projects whose limits are kept at a time."""
THREADS = 4

log = logging.getLogger("calotype.limits")


class Known(NamedTuple):
    """Limits, and when they were asked for (monotonic seconds)."""

    limits: Limits
    at: float


class KeystoneLimits:
    """The limits of projects, asked for when they are wanted and kept for a while; one question at a time for each."""

    def __init__(self, keystone: Keystone, quota: Quota) -> None:
        # Here, since it takes 0.1 s to import and few want it.
        from calotype.access.keystone.limits import Source

        self._source = Source(keystone)
        self._quota = quota
        self._known: dict[str, Known] = {}
        self._asked: Lookups[str, Limits] = Lookups()
        self._failed_at = -RETRY_SECONDS
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="keystone")

    def fresh(self, project: str) -> Limits | None:
        """The limits of a project if they were asked for a short while ago; from any thread."""
        known = self._known.get(project)
        return known.limits if known and time.monotonic() - known.at < self._quota.cache_seconds else None

    async def of(self, project: str) -> Limits:
        """The limits of a project, by its id; StorageUnavailable if they are not known and cannot be asked for."""
        if found := self.fresh(project):
            return found
        return await asyncio.shield(self._asked.begun(project, lambda: self._ask(project)))

    async def _ask(self, project: str) -> Limits:
        if not self._failing():
            started = time.monotonic()
            try:
                limits = await asyncio.get_running_loop().run_in_executor(self._threads, self._read, project)
            except (Unreachable, SettingsError) as error:
                log.warning("the limits of project %s cannot be read: %s", project, error)
            else:
                keep(self._known, project, Known(limits, started), MOST)
                return limits
        known = self._known.get(project)
        if known is not None and time.monotonic() - known.at < self._quota.cache_seconds + self._quota.stale_seconds:
            return known.limits
        raise StorageUnavailable("The limits of the project cannot be read from Keystone at the moment.")

    def _read(self, project: str) -> Limits:
        """In a thread. Whoever waited for one while others failed does not try as well."""
        if self._failing():
            raise Unreachable("that failed a moment ago")
        try:
            return self._source.limits(project)
        except (Unreachable, SettingsError):
            self._failed_at = time.monotonic()
            raise

    def _failing(self) -> bool:
        return time.monotonic() - self._failed_at < RETRY_SECONDS

    async def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)
