"""Access keys of users, as the operator makes and ends them. Who signs with one: signers.py."""

import secrets
import string
from collections.abc import Sequence
from typing import Any, NamedTuple

from calotype.access.errors import Invalid, missing
from calotype.access.vault import Vault
from calotype.database import access_keys as rows
from calotype.database.engine import Database
from calotype.images.model import keepable, now

DESCRIPTION_LENGTH = 255


class AccessKey(NamedTuple):
    """An access key without its secret."""

    id: str
    user_id: str
    description: str
    enabled: bool
    created_at: int
    user_name: str


class AccessKeys:
    """Issues, lists and ends access keys; every worker notices within a second."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

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

    async def delete(self, id_: str) -> None:
        """Delete an access key; raises NotFound."""
        if not await self._database.write(rows.remove, id_):
            raise missing("access key", id_)

    async def check(self) -> bool:
        """Whether there are access keys; raises SettingsError when their secrets cannot be read."""
        row = await self._database.one(rows.ANY, {})
        if row is not None:
            self._vault.unlock(row[0], row[1])
        return row is not None


def _key(row: Sequence[Any]) -> AccessKey:
    id_, user_id, description, enabled, created_at, user_name = row
    return AccessKey(id_, user_id, description, bool(enabled), created_at, user_name)


def _letters(alphabet: str, length: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))
