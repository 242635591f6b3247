"""Projects as rows."""

from typing import Any

from sqlalchemy import bindparam, delete, null, update

from calotype.database.filters import Query, listed, shown
from calotype.database.revision import bump
from calotype.database.statements import Statement, Work, inserted, updated
from calotype.database.tables import assignments, projects, users

GET = Statement(shown(projects).where(projects.c.id == bindparam("id")))
BY_NAME = Statement(
    shown(projects).where(projects.c.domain_id == bindparam("domain_id"), projects.c.name == bindparam("name"))
)
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
    """Insert a project; answers whether its name was free in its domain."""
    if (yield BY_NAME, row):
        return False
    yield _INSERT, row
    return True


def enable(project_id: str, enabled: bool) -> Work:
    """Switch a project on or off; answers whether it exists."""
    found = yield GET, {"id": project_id}
    if found:
        yield updated(projects, frozenset({"enabled"})), {"key_id": project_id, "enabled": enabled}
        yield from bump()
    return bool(found)


def remove(project_id: str) -> Work:
    """Delete a project with the roles on it; answers whether it existed. Its images stay."""
    found = yield GET, {"id": project_id}
    if found:
        yield _DELETE_ASSIGNMENTS, {"id": project_id}
        yield _FORGET_DEFAULT, {"id": project_id}
        yield _DELETE, {"id": project_id}
        yield from bump()
    return bool(found)
