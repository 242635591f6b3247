"""Roles as rows, and which of them somebody holds."""

from typing import Any

from sqlalchemy import and_, bindparam, delete, select

from calotype.database.accounts import Allow, Amend, Taken, found, locked
from calotype.database.accounts import change as change_row
from calotype.database.filters import Query, listed, shown
from calotype.database.revision import bump
from calotype.database.statements import Statement, Work, inserted
from calotype.database.tables import assignments, roles

GET = Statement(shown(roles).where(roles.c.id == bindparam("id")))
BY_NAME = Statement(shown(roles).where(roles.c.name == bindparam("name")))
_LOCK = locked(roles)
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


def listing(query: Query) -> tuple[Statement, dict[str, Any]]:
    """The statement that lists roles, and its parameters."""
    return listed(roles, frozenset(), query)


def create(row: dict[str, Any]) -> Work:
    """Insert a role; answers whether the name was free."""
    if (yield BY_NAME, row):
        return False
    yield _INSERT, row
    return True


def change(role_id: str, amend: Amend, taken: Taken) -> Work:
    """Change a role; answers as `accounts.change` does."""
    return (yield from change_row(roles, _LOCK, BY_NAME, role_id, amend, taken))


def remove(role_id: str, allow: Allow) -> Work:
    """Delete a role and take it from everybody; answers whether it existed."""
    row = yield from found(roles, _LOCK, role_id)
    if row is None:
        return False
    allow(row)
    yield _DELETE, {"id": role_id}
    yield from bump()
    return True
