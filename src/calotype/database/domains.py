"""Domains as rows."""

from typing import Any

from sqlalchemy import bindparam, delete, null, or_, select, update

from calotype.database.accounts import Allow, Amend, Taken, found, locked
from calotype.database.accounts import change as change_row
from calotype.database.filters import Query, listed, shown
from calotype.database.revision import bump
from calotype.database.statements import Statement, Work, inserted
from calotype.database.tables import assignments, domains, login_failures, projects, users

GET = Statement(shown(domains).where(domains.c.id == bindparam("id")))
BY_NAME = Statement(shown(domains).where(domains.c.name == bindparam("name")))
_LOCK = locked(domains)
_INSERT = inserted(domains)
_projects = select(projects.c.id).where(projects.c.domain_id == bindparam("id"))
# In this order, since the later ones find what to delete through the earlier ones.
_EMPTY = (
    Statement(
        delete(assignments).where(
            or_(
                (assignments.c.scope == "project") & assignments.c.scope_id.in_(_projects),
                (assignments.c.scope == "domain") & (assignments.c.scope_id == bindparam("id")),
            )
        )
    ),
    Statement(update(users).where(users.c.default_project_id.in_(_projects)).values(default_project_id=null())),
    Statement(delete(projects).where(projects.c.domain_id == bindparam("id"))),
    Statement(
        delete(login_failures).where(
            login_failures.c.user_id.in_(select(users.c.id).where(users.c.domain_id == bindparam("id")))
        )
    ),
    Statement(delete(users).where(users.c.domain_id == bindparam("id"))),
    Statement(delete(domains).where(domains.c.id == bindparam("id"))),
)


def listing(query: Query) -> tuple[Statement, dict[str, Any]]:
    """The statement that lists domains, and its parameters."""
    return listed(domains, frozenset(), query)


def create(row: dict[str, Any]) -> Work:
    """Insert a domain; answers whether its id and name were free."""
    if (yield GET, row) or (yield BY_NAME, row):
        return False
    yield _INSERT, row
    return True


def change(domain_id: str, amend: Amend, taken: Taken) -> Work:
    """Change a domain; answers as `accounts.change` does."""
    return (yield from change_row(domains, _LOCK, BY_NAME, domain_id, amend, taken))


def remove(domain_id: str, allow: Allow) -> Work:
    """Delete a domain with its projects, its users and the roles on them; answers whether it existed."""
    row = yield from found(domains, _LOCK, domain_id)
    if row is None:
        return False
    allow(row)
    for statement in _EMPTY:
        yield statement, {"id": domain_id}
    yield from bump()
    return True
