"""Tokens of the built-in identity: opaque, remembered by their SHA-256, and never believed beyond their rights.

A token is 32 random bytes. What it grants is worked out from the accounts as they are, and kept in this process until
something that could take a right away changes: `identity_revision` moves in the same transaction, every process looks
at it once a second, and the process that made the change forgets at once.
"""

import asyncio
import contextlib
import hashlib
import re
import secrets
from collections.abc import Callable, Sequence

from calotype.access.caller import Caller
from calotype.access.errors import Unauthorized
from calotype.access.grants import as_caller, grant_of
from calotype.access.lookups import Lookups, keep
from calotype.access.model import Grant, Login, Scope
from calotype.access.records import random_text
from calotype.database import revision, roles
from calotype.database import tokens as rows
from calotype.database.engine import Database
from calotype.images.model import now
from calotype.settings import Identity
from calotype.telemetry.background import every

POLL_SECONDS = 1.0
CACHED = 10_000
"""How many tokens a process keeps in mind."""
EXPIRED_WINDOW = 172_800 * 1_000_000
"""How long after its expiry `allow_expired` still knows a token, in microseconds; Keystone's default."""

_SHAPE = re.compile(r"[A-Za-z0-9_-]{43}").fullmatch


class Tokens:
    """Issues, checks and revokes tokens."""

    image_endpoint = ""

    def __init__(self, database: Database, settings: Identity, clock: Callable[[], int] = now) -> None:
        self._database = database
        self._lifetime = int(settings.token_hours * 3600 * 1_000_000)
        self._clock = clock
        self._callers: dict[bytes, Caller] = {}
        self._lookups: Lookups[bytes, Caller | None] = Lookups()
        self._generation = 0
        self._revision: int | None = None
        self._poll: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begin to watch for changes made by other processes."""
        await self._look()
        self._poll = asyncio.create_task(every(POLL_SECONDS, self._look, "the look at the identity revision"))

    async def close(self) -> None:
        """Stop watching."""
        if self._poll is not None:
            self._poll.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._poll
            self._poll = None

    @property
    def generation(self) -> int:
        """A number that moves whenever what was read of the accounts must not be believed any longer."""
        return self._generation

    def cached(self, token: str) -> Caller | None:
        """The caller, when this process knows the token and it has not expired."""
        key = _digest(token)
        caller = self._callers.get(key)
        if caller is not None and caller.expires_at <= self._clock():
            del self._callers[key]
            return None
        return caller

    async def service(self, token: str) -> Caller | None:
        """The service behind a token, if it has the role of services."""
        found = await self.caller(token)
        return found if found is not None and found.speaks_for_a_service else None

    async def caller(self, token: str | None, helper: Caller | None = None) -> Caller | None:
        """The caller behind a token, None when it grants nothing: two statements, or none if it is cached.

        `helper` is the service whose own token came along: with it a token is good for EXPIRED_WINDOW after its end.
        """
        if not token or not _SHAPE(token):
            return None
        caller = self.cached(token)
        if caller is not None:
            return caller
        key = _digest(token)
        caller = await asyncio.shield(self._lookups.begun(key, lambda: self._find(key)))
        if caller is None or (helper is None and caller.expires_at <= self._clock()):
            return None
        return caller

    async def issue(self, login: Login, scopes: Sequence[Scope]) -> tuple[str, Grant]:
        """A new token for the first of the scopes in which the user may act; raises Unauthorized when there is none."""
        for scope in scopes:
            token = random_text(32)
            row = self._row(token, login, scope)
            try:
                grant: Grant | None = await self._database.write(
                    rows.issue, row, login.verified, login.parent, lambda *found: self._judge(*found)
                )
            except Unauthorized:
                continue
            if grant is not None:
                return token, grant
        raise Unauthorized

    async def validate(self, token: str, allow_expired: bool = False) -> Grant | None:
        """What the token grants at this moment, asked of the database; None when it is unknown or grants nothing.

        `allow_expired` accepts a token for EXPIRED_WINDOW after its end.
        """
        if not _SHAPE(token):
            return None
        return await self._grant(_digest(token), EXPIRED_WINDOW if allow_expired else 0)

    async def revoke(self, token: str) -> bool:
        """End a token and those made from it; answers whether it was alive."""
        grant = await self.validate(token)
        if grant is None:
            return False
        gone: int = await self._database.write(rows.revoke, _digest(token).hex(), grant.audit_ids[0])
        self.forget()
        return gone > 0

    async def revoke_user(self, user_id: str) -> int:
        """End all tokens of a user; answers how many."""
        gone: int = await self._database.write(rows.revoke_user, user_id)
        self.forget()
        return gone

    async def purge(self) -> int:
        """Delete the tokens that not even `allow_expired` would accept; answers how many."""
        gone: int = await self._database.write(rows.purge, self._clock() - EXPIRED_WINDOW)
        return gone

    def forget(self) -> None:
        """Believe no cached token any longer; look-ups under way are not cached either."""
        self._generation += 1
        self._callers.clear()
        self._lookups.forget()

    def _row(self, token: str, login: Login, scope: Scope) -> dict[str, object]:
        moment = self._clock()
        audit_id = secrets.token_urlsafe(16)
        expires_at = moment + self._lifetime if login.expires_at is None else login.expires_at
        return {
            "hash": _digest(token).hex(),
            "user_id": login.user_id,
            "scope": scope.kind,
            "scope_id": scope.id,
            "methods": ",".join(login.methods),
            "audit_id": audit_id,
            "chain_id": login.chain_id or audit_id,
            "issued_at": moment,
            "expires_at": expires_at if login.not_after is None else min(expires_at, login.not_after),
            "credential_id": login.credential_id,
        }

    def _judge(self, whole: Sequence[object], held: Sequence[Sequence[object]]) -> Grant:
        grant = grant_of(whole, held, self._clock())
        if grant is None:
            raise Unauthorized
        return grant

    async def _find(self, key: bytes) -> Caller | None:
        """Who was let in until EXPIRED_WINDOW ago; only who still is is kept."""
        generation = self._generation
        grant = await self._grant(key, EXPIRED_WINDOW)
        if grant is None:
            return None
        caller = as_caller(grant)
        # What was read before a change must not outlive it.
        if generation == self._generation and caller.expires_at > self._clock():
            keep(self._callers, key, caller, CACHED)
        return caller

    async def _grant(self, key: bytes, window: int) -> Grant | None:
        whole = await self._database.one(rows.GET, {"hash": key.hex()})
        if whole is None:
            return None
        user_id, scope, scope_id = whole[:3]
        held = await self._database.all(roles.HELD, {"user_id": user_id, "scope": scope, "scope_id": scope_id})
        return grant_of(whole, held, self._clock() - window)

    async def _look(self) -> None:
        row = await self._database.one(revision.GET, {})
        latest = row[0] if row else None
        if latest != self._revision:
            self._revision = latest
            self.forget()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
