"""Roles as rows, which of them imply others, and which of them somebody holds."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import bindparam, delete, select

from calotype.database.accounts import Allow, Amend, Taken, found, locked
from calotype.database.accounts import change as change_row
from calotype.database.filters import Query, listed, shown
from calotype.database.revision import bump
from calotype.database.statements import Row, Statement, Work, inserted
from calotype.database.tables import assignments, implied_roles, roles

GET = Statement(shown(roles).where(roles.c.id == bindparam("id")))
BY_NAME = Statement(shown(roles).where(roles.c.name == bindparam("name")))
_LOCK = locked(roles)
_INSERT = inserted(roles)
_DELETE = Statement(delete(roles).where(roles.c.id == bindparam("id")))

# Which role implies which, in the order of the names: the prior one's id and name, then the implied one's.
_prior, _implied = roles.alias("prior"), roles.alias("implied")
IMPLICATIONS = Statement(
    select(_prior.c.id, _prior.c.name, _implied.c.id, _implied.c.name)
    .join_from(implied_roles, _prior, _prior.c.id == implied_roles.c.prior_id)
    .join(_implied, _implied.c.id == implied_roles.c.implied_id)
    .order_by(_prior.c.name, _prior.c.id, _implied.c.name, _implied.c.id)
)
_INSERT_IMPLICATION = inserted(implied_roles)
_DELETE_IMPLICATION = Statement(
    delete(implied_roles)
    .where(implied_roles.c.prior_id == bindparam("prior_id"), implied_roles.c.implied_id == bindparam("implied_id"))
    .returning(implied_roles.c.prior_id)
)

_given = (
    select(assignments.c.role_id.label("id"))
    .where(
        assignments.c.user_id == bindparam("user_id"),
        assignments.c.scope == bindparam("scope"),
        assignments.c.scope_id == bindparam("scope_id"),
    )
    .cte("held", recursive=True)
)
_held = _given.union(
    select(implied_roles.c.implied_id).join_from(implied_roles, _given, _given.c.id == implied_roles.c.prior_id)
)
# The id and name of each role that a user has in a scope, the implied ones included.
HELD = Statement(
    select(roles.c.id, roles.c.name).join_from(roles, _held, _held.c.id == roles.c.id).order_by(roles.c.id)
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


def imply(prior_id: str, implied_id: str, allow: Callable[[list[Row]], object]) -> Work:
    """Let a role imply another, unless `allow` raises, which is given the rows of IMPLICATIONS; answers the id of a
    role that does not exist, "" if both do.

    The revision moves first, which no two transactions do at a time: nobody else closes a circle meanwhile.
    """
    for role_id in sorted({prior_id, implied_id}):
        if not (yield _LOCK, {"id": role_id}):
            return role_id
    yield from bump()
    allow((yield IMPLICATIONS, {}))
    yield _INSERT_IMPLICATION, {"prior_id": prior_id, "implied_id": implied_id}
    return ""


def no_longer_imply(prior_id: str, implied_id: str) -> Work:
    """Take an implication back; answers whether there was one."""
    gone = yield _DELETE_IMPLICATION, {"prior_id": prior_id, "implied_id": implied_id}
    if gone:
        yield from bump()
    return bool(gone)
