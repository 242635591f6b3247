"""Projects as rows."""

from typing import Any

from sqlalchemy import bindparam, delete, null, update

from calotype.database.accounts import Allow, Amend, Taken, found, kept, locked
from calotype.database.accounts import change as change_row
from calotype.database.filters import Query, listed, shown
from calotype.database.revision import bump
from calotype.database.statements import Statement, Work, inserted
from calotype.database.tables import assignments, domains, projects, users

GET = Statement(shown(projects).where(projects.c.id == bindparam("id")))
BY_NAME = Statement(
    shown(projects).where(projects.c.domain_id == bindparam("domain_id"), projects.c.name == bindparam("name"))
)
_DOMAIN = kept(domains, "domain_id")
_LOCK = locked(projects)
_INSERT = inserted(projects)
_DELETE = Statement(delete(projects).where(projects.c.id == bindparam("id")))
_DELETE_ASSIGNMENTS = Statement(
    delete(assignments).where(assignments.c.scope == "project", assignments.c.scope_id == bindparam("id"))
)
_FORGET_DEFAULT = Statement(
    update(users).where(users.c.default_project_id == bindparam("id")).values(default_project_id=null())
)


def listing(query: Query) -> tuple[Statement, dict[str, Any]]:
    """The statement that lists projects, and its parameters."""
    return listed(projects, frozenset(), query)


def create(row: dict[str, Any]) -> Work:
    """Insert a project; answers whether its name was free in its domain, None if there is no such domain."""
    if not (yield _DOMAIN, row):
        return None
    if (yield BY_NAME, row):
        return False
    yield _INSERT, row
    return True


def change(project_id: str, amend: Amend, taken: Taken) -> Work:
    """Change a project; answers as `accounts.change` does."""
    return (yield from change_row(projects, _LOCK, BY_NAME, project_id, amend, taken))


def remove(project_id: str, allow: Allow) -> Work:
    """Delete a project with the roles on it; answers whether it existed. Its images stay."""
    row = yield from found(projects, _LOCK, project_id)
    if row is None:
        return False
    allow(row)
    for statement in (_DELETE_ASSIGNMENTS, _FORGET_DEFAULT, _DELETE):
        yield statement, {"id": project_id}
    yield from bump()
    return True
