"""Users who are locked out after too many wrong passwords (Keystone: lockout_failure_attempts, lockout_duration).

A wrong password costs the same statements whether there is such a user or not, and whether he is locked out or not:
names that nobody has are counted in a few rows that they share.
"""

import hashlib
from collections.abc import Callable

from calotype.database import login_failures
from calotype.database.engine import Database
from calotype.images.model import now
from calotype.settings import Identity

SHARED = 64
"""How many rows the names share that nobody has."""


class Lockout:
    """Counts wrong passwords, unless the settings leave it off."""

    def __init__(self, database: Database, settings: Identity, clock: Callable[[], int] = now) -> None:
        self._database = database
        self._most = settings.lockout_attempts
        self._duration = int(settings.lockout_minutes * 60 * 1_000_000)
        self._clock = clock

    async def passes(self, user_id: str, good: bool, exempt: bool = False) -> bool:
        """Whether somebody may pass who gave a password that is `good` or not; counts it, or forgets those before.

        To be asked after the comparison, so that no more passwords are tried than are compared at the same time.
        """
        if not self._most:
            return good
        since = self._clock() - self._duration
        row = await self._database.one(login_failures.GET, {"user_id": user_id})
        locked = row is not None and row[0] >= self._most and row[1] >= since and not exempt
        if locked or not good:
            await self._database.write(login_failures.count, user_id, self._clock(), since, self._most)
            return False
        if row is not None:
            await self._database.write(login_failures.forget, user_id)
        return True


def nobody(*given: str | None) -> str:
    """In place of the id of a user who does not exist, however he was named: the name of a shared row."""
    digest = hashlib.sha256("\0".join(each or "" for each in given).encode("utf-8", "surrogatepass")).digest()
    return f"nobody/{digest[0] % SHARED}"
