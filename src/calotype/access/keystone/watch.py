"""What is followed of a Keystone while the service runs: revocations, the catalogue, and the account's own token."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from calotype.access.keystone.client import MARGIN_SECONDS, Denied, KeystoneClient
from calotype.access.keystone.errors import Unreachable
from calotype.access.keystone.revocations import Event, Revocations
from calotype.settings import Keystone
from calotype.telemetry.background import every

CATALOGUE_SECONDS = 600.0
"""How long the image endpoint is believed."""
LOOK_SECONDS = 5.0
"""How often there is a look at the rest when revocations are not asked for."""
START_SECONDS = 5.0
"""How long the start waits for the first look."""

log = logging.getLogger("calotype.keystone")


class KeystoneWatch:
    """Asks again and again, in a thread of its own so that no flood of tokens keeps it waiting.

    `purge` is given revocations, those of the last minute again and again: an answer that was under way when a token
    was revoked is so forgotten as well. `blind` says that they may not be read. `recent` has those that a token may
    have met which another process validated; it is kept if there are such.
    """

    def __init__(self, client: KeystoneClient, settings: Keystone, purge: Callable[[Revocations], int]) -> None:
        self._remembered = MARGIN_SECONDS + (settings.token_seconds if settings.memcached else 0.0)
        self._sharing = bool(settings.memcached)
        self._seen: dict[Event, float] = {}
        self.recent = Revocations(())
        self._client = client
        self._purge = purge
        self._wanted = settings.revocation_seconds > 0
        self._interval = settings.revocation_seconds or LOOK_SECONDS
        self.blind = False
        self.image_endpoint = ""
        self._read_until: float | None = None
        self._catalogue_at: float | None = None
        self._trouble = ""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="keystone-watch")
        self._looks: asyncio.Task[None] | None = None

    @property
    def following(self) -> bool:
        """Whether `recent` tells all that was revoked, as far as the settings and Keystone let anybody know."""
        if not self._wanted or self.blind:
            return True
        late = self._interval + MARGIN_SECONDS
        return self._read_until is not None and time.monotonic() - self._read_until < late

    async def open(self) -> None:
        """Look once, and go on looking; a Keystone that does not answer does not keep the service from starting."""
        first = asyncio.create_task(self.look())
        await asyncio.wait([first], timeout=START_SECONDS)
        self._looks = asyncio.create_task(self._follow(first))

    async def close(self) -> None:
        """Stop."""
        if self._looks is not None:
            self._looks.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._looks
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _follow(self, first: "asyncio.Task[None]") -> None:
        with contextlib.suppress(Exception):  # `every` would tell it; so does the next look
            await first
        await every(self._interval, self.look, "the look at Keystone")

    async def look(self) -> None:
        """One look; while Keystone is away nothing changes."""
        try:
            if self._wanted:
                await self._look_at_revocations()
            if self._catalogue_at is None or time.monotonic() - self._catalogue_at > CATALOGUE_SECONDS:
                await self._look_at_catalogue()
        except Unreachable as error:
            self._say(f"Keystone cannot be followed: {error}")
        else:
            self._say("")

    async def _look_at_revocations(self) -> None:
        started = time.monotonic()
        # Keystone's clock counts, as it was at the account's log-in: a step of this host's own must not hide any.
        ahead = await self._in_thread(self._client.clock)
        since = (started - self._remembered if self._read_until is None else self._read_until - MARGIN_SECONDS) + ahead
        try:
            events: list[Event] = await self._in_thread(self._client.revocations, since)
        except Denied as error:
            if not self.blind:
                log.warning("revocations are noticed late, tokens count for a minute at most: %s", error)
            self.blind = True
            return
        self.blind = False
        self._read_until = started
        if self._sharing:
            self._remember(events, started)
        found = Revocations(events)
        if found and (gone := self._purge(found)):
            log.debug("%d tokens are validated again after revocations", gone)

    def _remember(self, events: list[Event], moment: float) -> None:
        new = [each for each in events if each not in self._seen]
        old = [each for each, seen in self._seen.items() if moment - seen > self._remembered]
        for each in new:
            self._seen[each] = moment
        for each in old:
            del self._seen[each]
        if new or old:
            self.recent = Revocations(self._seen)

    async def _look_at_catalogue(self) -> None:
        found = await self._in_thread(self._client.image_endpoint)
        if not found:
            log.warning("Keystone's catalogue has no such image endpoint: links name this service's own")
        self.image_endpoint = found
        self._catalogue_at = time.monotonic()

    def _say(self, trouble: str) -> None:
        """Tell trouble once, and its end."""
        if trouble and not self._trouble:
            log.warning(trouble)
        elif self._trouble and not trouble:
            log.info("Keystone can be followed again")
        self._trouble = trouble

    async def _in_thread(self, work: Callable[..., Any], *arguments: object) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
