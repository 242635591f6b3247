"""Who has which role where: what the API asks and what the operator commands."""

from collections.abc import Callable
from itertools import groupby
from typing import Any

from calotype.access.errors import NotFound, missing
from calotype.access.implications import Implications, following
from calotype.access.model import SYSTEM, Assignment, AssignmentQuery, Implication, Named, Query, Role, Scope
from calotype.access.records import made
from calotype.database import assignments, roles
from calotype.database.engine import Database

EVERYTHING = AssignmentQuery()


class Assignments:
    """Roles given to users. `changed` is called after a change that tokens must heed."""

    def __init__(self, database: Database, changed: Callable[[], None] = lambda: None) -> None:
        self._database = database
        self._changed = changed

    async def held(self, user_id: str, scope: Scope) -> list[Role]:
        """The roles that a user was given in a scope, without the implied ones."""
        given = {each.role.id for each in await self.listed(_in(scope, user_id=user_id))}
        return [role for role in await self._roles() if role.id in given]

    async def has(self, user_id: str, role_id: str, scope: Scope) -> bool:
        """Whether a user was given a role in a scope."""
        return await self._database.one(assignments.GET, _row(user_id, role_id, scope)) is not None

    async def listed(self, query: AssignmentQuery = EVERYTHING, effective: bool = False) -> list[Assignment]:
        """The assignments that a query asks for; `effective` adds the roles that follow from those given."""
        asked = query._replace(role_id=None) if effective else query
        found = [_assignment(row) for row in await self._database.all(*assignments.listing(asked))]
        if not effective:
            return found
        known = await Implications(self._database).all()
        every = [each for given in _together(found) for each in (*given, *_following(given, known))]
        return [each for each in every if query.role_id in (None, each.role.id)]

    async def grant(self, user_id: str, role_id: str, scope: Scope = SYSTEM) -> None:
        """Give a role in a scope; raises NotFound."""
        lacking = await self._database.write(assignments.grant, _row(user_id, role_id, scope))
        if lacking:
            raise missing(lacking, {"user": user_id, "role": role_id}.get(lacking, scope.id))
        self._changed()

    async def revoke(self, user_id: str, role_id: str, scope: Scope = SYSTEM) -> None:
        """Take a role in a scope; raises NotFound."""
        if not await self._database.write(assignments.revoke, _row(user_id, role_id, scope)):
            raise not_assigned(user_id, role_id, scope)
        self._changed()

    async def _roles(self) -> list[Role]:
        return [made(Role, row) for row in await self._database.all(*roles.listing(Query()))]


def not_assigned(user_id: str, role_id: str, scope: Scope) -> NotFound:
    """Keystone's sentence for a role that a user does not have."""
    place = "system" if scope == SYSTEM else scope.id
    return NotFound(
        f"Could not find role assignment with role: {role_id}, user or group: {user_id}, "
        f"project, domain, or system: {place}."
    )


def _row(user_id: str, role_id: str, scope: Scope) -> dict[str, str]:
    return {"user_id": user_id, "role_id": role_id, "scope": scope.kind, "scope_id": scope.id}


def _in(scope: Scope, user_id: str) -> AssignmentQuery:
    return AssignmentQuery(user_id=user_id, scope=scope.kind, scope_id=scope.id)


def _assignment(row: Any) -> Assignment:
    """The assignment in a row of `database.assignments.listing`."""
    user_id, role_id, scope, scope_id, user, domain_id, domain, role, project, home_id, home, scope_domain = row
    place = {"project": project, "domain": scope_domain}.get(scope)
    return Assignment(
        user=Named(user_id, user),
        user_domain=Named(domain_id, domain),
        role=Named(role_id, role),
        scope=Scope(scope, scope_id),
        place=None if place is None else Named(scope_id, place),
        place_domain=None if home is None else Named(home_id, home),
    )


def _together(found: list[Assignment]) -> list[list[Assignment]]:
    """Split by user and scope, which the order of the list keeps together."""
    return [list(group) for _, group in groupby(found, lambda each: (each.scope, each.user.id))]


def _following(given: list[Assignment], known: list[Implication]) -> list[Assignment]:
    """What follows from the roles that one user was given in one scope."""
    found = []
    origin = {each.role.id: each.role for each in given}
    for role, prior in following(list(origin), known):
        origin[role.id] = origin[prior.id]
        found.append(given[0]._replace(role=role, prior=prior, given=origin[role.id]))
    return found
