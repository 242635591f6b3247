"""Which role implies which: what the API asks, and what follows from a set of roles (identity-and-huawei A.2, A.5)."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from calotype.access.errors import Conflict, NotFound, Refused, missing
from calotype.access.model import Implication, Named, Role
from calotype.database import roles
from calotype.database.engine import Database

PROHIBITED = "admin"
"""The name of the role that none may imply."""


class Implications:
    """Roles that imply others. `changed` is called after a change that tokens must heed."""

    def __init__(self, database: Database, changed: Callable[[], None] = lambda: None) -> None:
        self._database = database
        self._changed = changed

    async def all(self) -> list[Implication]:
        """Every one of them, by the names of the roles."""
        return [_implication(row) for row in await self._database.all(roles.IMPLICATIONS, {})]

    async def add(self, prior: Role, implied: Role) -> None:
        """Let a role imply another; raises NotFound, Refused and Conflict."""
        if implied.name.lower() == PROHIBITED:
            raise Refused(f"{implied.id} cannot be an implied roles.")

        def allow(rows: list[Sequence[Any]]) -> None:
            known = [_implication(row) for row in rows]
            if any((each.prior.id, each.implied.id) == (prior.id, implied.id) for each in known):
                raise Conflict("Conflict occurred attempting to store implied_role - Duplicate entry.")
            if prior.id == implied.id or any(role.id == prior.id for role, _ in following([implied.id], known)):
                raise Conflict(
                    f"Conflict occurred attempting to store implied_role - {implied.id} implies {prior.id} already, "
                    "and roles do not imply each other in a circle."
                )

        lacking = await self._database.write(roles.imply, prior.id, implied.id, allow)
        if lacking:
            raise missing("role", lacking)
        self._changed()

    async def remove(self, prior_id: str, implied_id: str) -> None:
        """Take an implication back; raises NotFound."""
        if not await self._database.write(roles.no_longer_imply, prior_id, implied_id):
            raise not_implied(prior_id, implied_id)
        self._changed()


def following(role_ids: Iterable[str], known: Sequence[Implication]) -> list[tuple[Named, Named]]:
    """What follows from roles: each role that is not among them, once, with one that implies it; the nearest first."""
    seen, found, new = set(role_ids), [], list(role_ids)
    while new:
        next_ = [each for each in known if each.prior.id in new]
        new = []
        for each in next_:
            if each.implied.id not in seen:
                seen.add(each.implied.id)
                new.append(each.implied.id)
                found.append((each.implied, each.prior))
    return found


def not_implied(prior_id: str, implied_id: str) -> NotFound:
    """Keystone's sentence for an implication that is not there."""
    return NotFound(f"{prior_id} does not imply {implied_id}.")


def _implication(row: Sequence[Any]) -> Implication:
    prior_id, prior, implied_id, implied = row
    return Implication(Named(prior_id, prior), Named(implied_id, implied))
