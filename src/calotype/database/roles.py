"""Roles, and who has which of them where."""

from typing import Any

from sqlalchemy import and_, bindparam, delete, select

from calotype.database.filters import Query, listed, shown
from calotype.database.revision import bump
from calotype.database.statements import Statement, Work, inserted
from calotype.database.tables import assignments, projects, roles, users

GET = Statement(shown(roles).where(roles.c.id == bindparam("id")))
BY_NAME = Statement(shown(roles).where(roles.c.name == bindparam("name")))
_INSERT = inserted(roles)
_DELETE = Statement(delete(roles).where(roles.c.id == bindparam("id")))

_of_scope = and_(
    assignments.c.user_id == bindparam("user_id"),
    assignments.c.scope == bindparam("scope"),
    assignments.c.scope_id == bindparam("scope_id"),
)
# Every role with whether the user has it in the scope: the roles are few, and implied ones need their ids.
HELD = Statement(
    select(roles.c.id, roles.c.name, assignments.c.user_id.is_not(None))
    .join_from(roles, assignments, and_(assignments.c.role_id == roles.c.id, _of_scope), isouter=True)
    .order_by(roles.c.id)
)
# What a user was given: role, kind and id of the scope, and the name of the project if it is one.
OF_USER = Statement(
    select(roles.c.name, assignments.c.scope, assignments.c.scope_id, projects.c.name)
    .join_from(assignments, roles)
    .outerjoin(projects, and_(assignments.c.scope == "project", projects.c.id == assignments.c.scope_id))
    .where(assignments.c.user_id == bindparam("user_id"))
    .order_by(assignments.c.scope, projects.c.name, assignments.c.scope_id, roles.c.name)
)
_ASSIGNED = Statement(select(assignments.c.role_id).where(_of_scope, assignments.c.role_id == bindparam("role_id")))
_USER = Statement(select(users.c.id).where(users.c.id == bindparam("user_id")))
_ASSIGN = inserted(assignments)
_UNASSIGN = Statement(delete(assignments).where(_of_scope, assignments.c.role_id == bindparam("role_id")))


def listing(query: Query) -> tuple[Statement, dict[str, Any]]:
    """The statement that lists roles, and its parameters."""
    return listed(roles, frozenset(), query)


def create(row: dict[str, Any]) -> Work:
    """Insert a role; answers whether the name was free."""
    if (yield BY_NAME, row):
        return False
    yield _INSERT, row
    return True


def remove(role_id: str) -> Work:
    """Delete a role and take it from everybody; answers whether it existed."""
    found = yield GET, {"id": role_id}
    if found:
        yield _DELETE, {"id": role_id}
        yield from bump()
    return bool(found)


def grant(user_id: str, role_id: str, scope: str, scope_id: str) -> Work:
    """Give a role; giving it again changes nothing. Answers whether user and role exist.

    Live tokens learn of it because the revision moves.
    """
    row = {"user_id": user_id, "role_id": role_id, "scope": scope, "scope_id": scope_id}
    if not (yield _USER, row) or not (yield GET, {"id": role_id}):
        return False
    if not (yield _ASSIGNED, row):
        yield _ASSIGN, row
        yield from bump()
    return True


def revoke(user_id: str, role_id: str, scope: str, scope_id: str) -> Work:
    """Take a role; answers whether the user had it."""
    row = {"user_id": user_id, "role_id": role_id, "scope": scope, "scope_id": scope_id}
    found = yield _ASSIGNED, row
    if found:
        yield _UNASSIGN, row
        yield from bump()
    return bool(found)
