"""Who stands behind a signed request.

Whoever signs has what a token of the user has. So that this stays true whatever decides about tokens, it is a token:
each process issues one for each access key and project, tells nobody, and asks it who the caller is.
"""

import asyncio
import hashlib
import hmac
import time
from collections.abc import Callable
from typing import NamedTuple

from calotype.access import signing
from calotype.access.caller import Caller
from calotype.access.errors import Unauthorized
from calotype.access.lookups import keep
from calotype.access.model import UNSCOPED, Filter, Login, Query, Scope
from calotype.access.signing import Claim, Message
from calotype.access.tokens import Tokens
from calotype.access.vault import Vault
from calotype.database import access_keys as rows
from calotype.database import projects
from calotype.database.engine import Database
from calotype.settings import Identity

CACHED = 10_000
"""How many access keys, and how many pairs of one and a project, a process keeps in mind."""
MARGIN = 60
"""How many seconds a used signature is remembered beyond its time: the clock of another host may be ahead."""
AT_ONCE = 2
"""For how many seconds a signature takes other documents that it does not sign: it has no fraction of a second."""
_USED = "This signed request was made before; sign it anew, with the time of now."
_ENABLED = (Filter("enabled", True),)


class Signer(NamedTuple):
    """Who a request claims to come from, and what verifying takes."""

    access: str
    user_id: str
    secret: bytes

    def __repr__(self) -> str:
        """Without the secret."""
        return f"Signer(access={self.access!r}, user_id={self.user_id!r})"


class Signers:
    """Verifies what is signed with access keys."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        tokens: Tokens,
        settings: Identity,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._vault = vault
        self._tokens = tokens
        self._skew = settings.signature_seconds
        self._clock = clock
        self._generation = tokens.generation
        self._signers: dict[str, Signer] = {}
        self._only: dict[str, str | None] = {}
        self._issued: dict[tuple[str, str | None], str] = {}
        self._issuing = asyncio.Lock()

    def timely(self, claim: Claim) -> None:
        """Raise Unauthorized, with both times, when a request was signed too long ago, or too far ahead."""
        here = self._clock()
        if abs(here - claim.moment) > self._skew:
            told = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(here))
            raise Unauthorized(
                f"The signature expired: the request was signed at {claim.date.decode()}, here it is {told}; "
                f"at most {self._skew:g} seconds may lie between."
            )

    async def signer(self, claim: Claim) -> Signer:
        """Who would have to have signed; raises Unauthorized unless the access key is there and enabled.

        No statement if the access key is known.
        """
        generation = self._current()
        signer = self._signers.get(claim.access)
        if signer is not None:
            return signer
        row = await self._database.one(rows.SECRET, {"id": claim.access})
        if row is None or not row[2]:
            raise Unauthorized
        signer = Signer(claim.access, row[0], self._vault.read(claim.access, row[1]))
        if generation == self._tokens.generation:
            keep(self._signers, claim.access, signer, CACHED)
        return signer

    async def caller(self, signer: Signer, claim: Claim, message: Message, project_id: str | None) -> Caller:
        """The signer, acting in the project, or in the user's only one; raises Unauthorized unless it did sign this.

        No statement if signer and project are known; else one for the user's projects and those of a token.
        """
        expected = signing.signature(signer.secret, message, claim.names)
        if not hmac.compare_digest(expected, claim.signature):
            raise Unauthorized
        if project_id is None:
            project_id = await self._only_project(signer.user_id)
        return await self._as_token(signer, project_id)

    async def use_once(self, claim: Claim) -> None:
        """Remember the signature as long as it would be accepted; raises Unauthorized if it was used before."""
        await self._use(claim.signature)

    async def use_now(self, claim: Claim) -> bool:
        """Remember the signature of a document that is not signed: it may have been used a moment ago, for another.
        Answers whether it was not.
        """
        moment = self._clock()
        since = _microseconds(moment - AT_ONCE)
        new = await self._database.write(rows.use_since, claim.signature, _microseconds(moment), since)
        if new is None:
            raise Unauthorized(_USED)
        return bool(new)

    async def use_for(self, claim: Claim, document: bytes) -> None:
        """Remember the signature with the document; raises Unauthorized if both were used before."""
        await self._use(hashlib.sha256(claim.signature.encode() + document).hexdigest())

    async def purge(self) -> int:
        """Forget the signatures that are too old to be accepted; answers how many."""
        until = self._clock() - 2 * self._skew - MARGIN  # one may be used before the time at which it says it was made
        gone: int = await self._database.write(rows.purge, _microseconds(until))
        return gone

    async def _use(self, signature: str) -> None:
        if not await self._database.write(rows.use, signature, _microseconds(self._clock())):
            raise Unauthorized(_USED)

    async def _only_project(self, user_id: str) -> str | None:
        """The user's project if there is exactly one that is enabled."""
        generation = self._current()
        if user_id in self._only:
            return self._only[user_id]
        found = await self._database.all(*projects.listing(Query(_ENABLED, assigned_to=user_id, limit=2)))
        only: str | None = found[0][0] if len(found) == 1 else None
        if generation == self._tokens.generation:
            keep(self._only, user_id, only, CACHED)
        return only

    async def _as_token(self, signer: Signer, project_id: str | None) -> Caller:
        key = signer.access, project_id
        caller = await self._tokens.caller(self._issued.get(key))
        if caller is not None:
            return caller
        scope = UNSCOPED if project_id is None else Scope("project", project_id)
        login = Login(user_id=signer.user_id, domain_id="", methods=("access_key",))
        async with self._issuing:
            # Whoever waited here may find what the one before has issued.
            caller = await self._tokens.caller(self._issued.get(key))
            if caller is None:
                token, _ = await self._tokens.issue(login, [scope])
                keep(self._issued, key, token, CACHED)
                caller = await self._tokens.caller(token)
        if caller is None:
            raise Unauthorized
        return caller

    def _current(self) -> int:
        """The generation of what is known, after forgetting what belongs to an older one."""
        if self._generation != self._tokens.generation:
            self._generation = self._tokens.generation
            self._signers.clear()
            self._only.clear()
        return self._generation


def _microseconds(moment: float) -> int:
    return int(moment * 1_000_000)
