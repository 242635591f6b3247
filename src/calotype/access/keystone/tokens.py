"""Tokens of a Keystone: validated there, and believed here for a while (spec: identity-and-huawei B).

Nobody waits for a validation but who brings a token that is not known: one question for all who bring it at the same
time, in a thread. What is known is validated again in the background while it is in use.
"""

import asyncio
import hashlib
import logging
import re
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec

from calotype.access.caller import Caller
from calotype.access.keystone.client import Away, KeystoneClient
from calotype.access.keystone.errors import Unreachable
from calotype.access.keystone.revocations import Attributes, Revocations
from calotype.access.keystone.shared_tokens import Shared, SharedTokens
from calotype.access.keystone.validated import Validated
from calotype.access.keystone.watch import KeystoneWatch
from calotype.access.lookups import Lookups, keep
from calotype.images.errors import StorageUnavailable
from calotype.images.model import now
from calotype.settings import Keystone

CACHED = 10_000
"""How many tokens a process keeps in mind, and how many that Keystone does not know."""
UNKNOWN_SECONDS = 5.0
"""How long Keystone is not asked again for a token that it does not know."""
UNWATCHED_SECONDS = 60.0
"""How long a token counts at most while revocations may not be read."""
REFRESH = 0.8
"""The part of its time after which a token in use is validated again."""
RETRY_SECONDS = 1.0
"""How long nobody asks again when Keystone was away: each question may take until its time is up."""
TELL_SECONDS = 5.0
"""How often the log is told at most that tokens cannot be validated."""
CLOCKS_SECONDS = 5.0
"""By how much the clock of another worker's host may be ahead."""
WAITING = 1000
"""How many validations may be under way or wait for a thread."""
THREADS = 8
USUAL_LENGTH = 1024
"""A longer token may itself be what broke the connection: it keeps nobody else from asking."""

AWAY = "The Keystone service is temporarily unavailable."

_SHAPE = re.compile(r"[!-~]{1,4096}").fullmatch

log = logging.getLogger("calotype.keystone")


class Known(msgspec.Struct):
    """A validated token. `until` and `refresh_at` are of the monotonic clock, in seconds."""

    caller: Caller
    attributes: Attributes
    issued_at: int
    until: float
    refresh_at: float


class KeystoneTokens:
    """The callers behind a Keystone's tokens. `clock` is in microseconds since 1970, `monotonic` in seconds."""

    def __init__(
        self,
        settings: Keystone,
        clock: Callable[[], int] = now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._client = KeystoneClient(settings)
        self._watch = KeystoneWatch(self._client, settings, self.purge)
        self._shared = SharedTokens(settings) if settings.memcached else None
        self._sharing: set[asyncio.Task[None]] = set()
        self._helpers = frozenset(role.lower() for role in settings.service_token_roles)
        self._clock = clock
        self._monotonic = monotonic
        self._secret = secrets.token_bytes(32)
        self._known: dict[bytes, Known] = {}
        self._unknown: dict[tuple[bytes, bool], float] = {}
        self._lookups: Lookups[tuple[bytes, bool], Known | None] = Lookups()
        self._failed_at = -RETRY_SECONDS
        self._told_at = -TELL_SECONDS
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="keystone")

    @property
    def image_endpoint(self) -> str:
        """The image service in Keystone's catalogue; empty if it is not there or not known yet."""
        return self._watch.image_endpoint

    async def open(self) -> None:
        """Log in, and begin to follow revocations and the catalogue; a Keystone that is away may come."""
        await self._watch.open()

    async def close(self) -> None:
        """Stop, without waiting for answers."""
        await self._watch.close()
        self._lookups.cancel()
        if self._shared is not None:
            self._shared.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def caller(self, token: str | None, helper: Caller | None = None) -> Caller | None:
        """The caller behind a token; StorageUnavailable if it is not known and Keystone cannot be asked."""
        if not token:
            return None
        key = self._digest(token)
        known = self._known.get(key)
        if known is not None:
            moment = self._monotonic()
            if moment < known.until:
                if helper is None and known.caller.expires_at <= self._clock():
                    return None
                if moment >= known.refresh_at:
                    self._refresh(key, token, helper is not None)
                return known.caller
            del self._known[key]
        known = await self._found(key, token, helper is not None)
        if known is None or (helper is None and known.caller.expires_at <= self._clock()):
            return None
        return known.caller

    async def service(self, token: str) -> Caller | None:
        """The service behind a token, if it has one of the roles of services."""
        found = await self.caller(token)
        return found if found is not None and found.roles & self._helpers else None

    def purge(self, revocations: Revocations) -> int:
        """Believe the tokens that are hit no longer; answers how many. They are asked for when they come again."""
        hit = [key for key, known in self._known.items() if revocations.hit(known.attributes, known.issued_at)]
        for key in hit:
            del self._known[key]
        return len(hit)

    async def _found(self, key: bytes, token: str, late: bool) -> Known | None:
        if not _SHAPE(token) or self._is_unknown(key, late):
            return None
        return await asyncio.shield(self._lookup(key, token, late))

    def _is_unknown(self, key: bytes, late: bool) -> bool:
        until = self._unknown.get((key, late))
        return until is not None and self._monotonic() < until

    def _lookup(self, key: bytes, token: str, late: bool) -> "asyncio.Task[Known | None]":
        """The validation of a token, under way; `late` accepts an expired one."""
        if len(self._lookups) >= WAITING and (key, late) not in self._lookups:
            raise StorageUnavailable(AWAY)
        return self._lookups.begun((key, late), lambda: self._ask(key, token, late))

    def _refresh(self, key: bytes, token: str, late: bool) -> None:
        """Validate a known token again, behind the back of whoever brought it, unless that failed a moment ago."""
        if (key, late) not in self._lookups and len(self._lookups) < WAITING and not self._failing():
            self._lookup(key, token, late)

    async def _ask(self, key: bytes, token: str, late: bool) -> Known | None:
        if self._shared is not None and not late:
            found = await self._shared.get(token)
            if found is not None and (age := self._usable(found)) is not None:
                return self._keep(
                    key, Validated(found.caller, found.attributes, found.issued_at), self._monotonic() - age
                )
        started, at = self._monotonic(), self._clock()
        try:
            answer = await asyncio.get_running_loop().run_in_executor(self._threads, self._validate, token, late)
        except Unreachable as error:
            self._note(error, key)
            raise StorageUnavailable(AWAY) from None
        if answer is None:
            self._known.pop(key, None)
            keep(self._unknown, (key, late), self._monotonic() + UNKNOWN_SECONDS, CACHED)
            return None
        if self._shared is not None and not late:
            sharing = asyncio.create_task(self._shared.put(token, answer, at, self._lifetime))
            self._sharing.add(sharing)
            sharing.add_done_callback(self._sharing.discard)
        return self._keep(key, answer, started)

    def _usable(self, found: Shared) -> float | None:
        """The age in seconds of what another worker was told, None if Keystone has to be asked itself."""
        if not self._watch.following:
            return None
        age = (self._clock() - found.at) / 1_000_000
        if not -CLOCKS_SECONDS < age < REFRESH * self._lifetime or self._watch.recent.hit(
            found.attributes, found.issued_at
        ):
            return None
        return max(age, 0.0)

    def _note(self, error: Unreachable, key: bytes) -> None:
        """A failure: what is known counts on until its time is up."""
        moment = self._monotonic()
        if moment - self._told_at >= TELL_SECONDS:
            self._told_at = moment
            log.warning("a token cannot be validated: %s", error)
        if (known := self._known.get(key)) is not None:
            known.refresh_at = moment + RETRY_SECONDS

    def _validate(self, token: str, late: bool) -> Validated | None:
        """In a thread. Whoever waited for one while others failed does not try as well."""
        if self._failing():
            raise Unreachable("that failed a moment ago")
        try:
            return self._client.validate(token, late)
        except Away:
            # Here, since this thread takes the next one that waits before the loop hears of it.
            if len(token) <= USUAL_LENGTH:
                self._failed_at = self._monotonic()
            raise

    @property
    def _lifetime(self) -> float:
        """For how long an answer of Keystone counts, in seconds."""
        seconds = self._settings.token_seconds
        return min(seconds, UNWATCHED_SECONDS) if self._watch.blind else seconds

    def _keep(self, key: bytes, answer: Validated, asked: float) -> Known:
        until, refresh_at = asked + self._lifetime, asked + REFRESH * self._lifetime
        known = Known(answer.caller, answer.attributes, answer.issued_at, until, refresh_at)
        keep(self._known, key, known, CACHED)
        return known

    def _failing(self) -> bool:
        return self._monotonic() - self._failed_at < RETRY_SECONDS

    def _digest(self, token: str) -> bytes:
        """Under a key of this process: what is kept gives no token away, and nobody can choose where he is kept."""
        return hashlib.blake2b(token.encode("utf-8", "surrogatepass"), digest_size=16, key=self._secret).digest()
