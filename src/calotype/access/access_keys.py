"""Access keys of users: made and ended by the operator, and who stands behind a signed request.

Whoever signs has what a token of the user has. So that this stays true whatever decides about tokens, it is a token:
each process issues one for each access key and project, tells nobody, and asks it who the caller is.
"""

import asyncio
import hmac
import secrets
import string
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from calotype.access import signing
from calotype.access.caller import Caller
from calotype.access.errors import Invalid, Unauthorized, missing
from calotype.access.lookups import keep
from calotype.access.model import UNSCOPED, Filter, Login, Query, Scope
from calotype.access.signing import Claim, Message
from calotype.access.tokens import Tokens
from calotype.access.vault import Vault
from calotype.database import access_keys as rows
from calotype.database import projects
from calotype.database.engine import Database
from calotype.images.model import keepable, now
from calotype.settings import Identity

CACHED = 10_000
"""How many access keys, and how many pairs of one and a project, a process keeps in mind."""
DESCRIPTION_LENGTH = 255
MARGIN = 60
"""How many seconds a used signature is remembered beyond its time: the clock of another host may be ahead."""
_NOBODY = secrets.token_bytes(40)
"""Stands for the secret of an access key that is not there, so that nobody can tell by the time."""
_ENABLED = (Filter("enabled", True),)


class AccessKey(NamedTuple):
    """An access key without its secret."""

    id: str
    user_id: str
    description: str
    enabled: bool
    created_at: int
    user_name: str


class Owner(NamedTuple):
    """What verifying takes: the user and the secret."""

    user_id: str
    secret: bytes

    def __repr__(self) -> str:
        """Without the secret."""
        return f"Owner(user_id={self.user_id!r})"


class AccessKeys:
    """Issues, looks up and ends access keys, and verifies what is signed with them."""

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
        self._owners: dict[str, Owner] = {}
        self._only: dict[str, str | None] = {}
        self._issued: dict[tuple[str, str | None], str] = {}
        self._issuing = asyncio.Lock()

    # For the operator.

    async def create(self, user_id: str, description: str = "") -> tuple[AccessKey, str]:
        """A new access key and its secret, which nobody is told again; raises NotFound, Invalid and SettingsError."""
        if len(description) > DESCRIPTION_LENGTH or not keepable(description):
            raise Invalid(f"A description has at most {DESCRIPTION_LENGTH} characters.")
        if not await self.check():
            self._vault.make()
        id_, secret = _letters(string.ascii_uppercase + string.digits, 20), _letters(string.ascii_letters, 40)
        row = {
            "id": id_,
            "user_id": user_id,
            "secret": self._vault.lock(id_, secret.encode()),
            "description": description,
            "enabled": True,
            "created_at": now(),
        }
        if not await self._database.write(rows.create, row):
            raise missing("user", user_id)
        return await self.get(id_), secret

    async def listed(self, user_id: str | None = None) -> list[AccessKey]:
        """All access keys, or those of one user."""
        found = [_key(row) for row in await self._database.all(rows.LIST, {})]
        return [each for each in found if user_id in (None, each.user_id)]

    async def get(self, id_: str) -> AccessKey:
        """The access key; raises NotFound."""
        row = await self._database.one(rows.GET, {"id": id_})
        if row is None:
            raise missing("access key", id_)
        return _key(row)

    async def enable(self, id_: str, enabled: bool) -> None:
        """Switch an access key on or off; raises NotFound."""
        if not await self._database.write(rows.enable, id_, enabled):
            raise missing("access key", id_)
        self._tokens.forget()

    async def delete(self, id_: str) -> None:
        """Delete an access key; raises NotFound."""
        if not await self._database.write(rows.remove, id_):
            raise missing("access key", id_)
        self._tokens.forget()

    async def check(self) -> bool:
        """Whether there are access keys; raises SettingsError when their secrets cannot be read."""
        row = await self._database.one(rows.ANY, {})
        if row is not None:
            self._vault.unlock(row[0], row[1])
        return row is not None

    # For requests.

    def timely(self, claim: Claim) -> None:
        """Raise Unauthorized, with both times, when a request was signed too long ago, or too far ahead."""
        here = self._clock()
        if abs(here - claim.moment) > self._skew:
            told = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(here))
            raise Unauthorized(
                f"The signature expired: the request was signed at {claim.date.decode()}, here it is {told}; "
                f"at most {self._skew:g} seconds may lie between."
            )

    async def caller(self, claim: Claim, message: Message, project_id: str | None) -> Caller:
        """Who signed the message, acting in the project, or in the user's only one; raises Unauthorized.

        No statement if the access key is known; else one for it, one for the user's projects and those of a token.
        """
        owner = await self._owner(claim.access)
        expected = signing.signature(owner.secret if owner else _NOBODY, message, claim.names)
        if not hmac.compare_digest(expected, claim.signature) or owner is None:
            raise Unauthorized
        if project_id is None:
            project_id = await self._only_project(owner.user_id)
        return await self._as_token(claim.access, owner.user_id, project_id)

    async def use_once(self, claim: Claim) -> None:
        """Remember the signature as long as it would be accepted; raises Unauthorized if it was used before."""
        expires_at = int((claim.moment + self._skew + MARGIN) * 1_000_000)
        if not await self._database.write(rows.use, claim.signature, expires_at):
            raise Unauthorized("This signed request was made before; sign it anew, with the time of now.")

    async def purge(self) -> int:
        """Forget the signatures that are too old to be accepted; answers how many."""
        gone: int = await self._database.write(rows.purge, int(self._clock() * 1_000_000))
        return gone

    async def _owner(self, access: str) -> Owner | None:
        """The owner of an access key that is enabled."""
        generation = self._current()
        owner = self._owners.get(access)
        if owner is not None:
            return owner
        row = await self._database.one(rows.SECRET, {"id": access})
        if row is None or not row[2]:
            return None
        owner = Owner(row[0], self._vault.read(access, row[1]))
        if generation == self._tokens.generation:
            keep(self._owners, access, owner, CACHED)
        return owner

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

    async def _as_token(self, access: str, user_id: str, project_id: str | None) -> Caller:
        key = access, project_id
        caller = await self._tokens.caller(self._issued.get(key))
        if caller is not None:
            return caller
        scope = UNSCOPED if project_id is None else Scope("project", project_id)
        login = Login(user_id=user_id, domain_id="", methods=("access_key",))
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
            self._owners.clear()
            self._only.clear()
        return self._generation


def _key(row: Sequence[Any]) -> AccessKey:
    id_, user_id, description, enabled, created_at, user_name = row
    return AccessKey(id_, user_id, description, bool(enabled), created_at, user_name)


def _letters(alphabet: str, length: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))
