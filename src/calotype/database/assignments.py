"""Who has which role where, as rows."""

from typing import Any, NamedTuple

from sqlalchemy import BindParameter, Select, and_, bindparam, delete, or_, select

from calotype.database.accounts import kept
from calotype.database.revision import bump
from calotype.database.statements import Statement, Work, inserted, shaped
from calotype.database.tables import assignments, domains, projects, roles, users

_this = and_(*(column == bindparam(column.name) for column in assignments.c))
GET = Statement(select(assignments.c.role_id).where(_this))
_INSERT = inserted(assignments)
_DELETE = Statement(delete(assignments).where(_this))
_USER = kept(users, "user_id")
_ROLE = kept(roles, "role_id")
_PLACES = {"project": kept(projects, "scope_id"), "domain": kept(domains, "scope_id")}

_user_domain = domains.alias("user_domain")
_project_domain = domains.alias("project_domain")
_scope_domain = domains.alias("scope_domain")


class AssignmentQuery(NamedTuple):
    """Which assignments: all conditions hold, None is no condition.

    `domain_id` keeps those on a domain and on the projects in it.
    """

    user_id: str | None = None
    role_id: str | None = None
    scope: str | None = None
    scope_id: str | None = None
    domain_id: str | None = None


def listing(query: AssignmentQuery) -> tuple[Statement, dict[str, Any]]:
    """The statement that lists assignments, and its parameters. A row is the assignment, then names:

    of the user, its domain's id and name, of the role, of the project, its domain's id and name, of the scope's domain.
    """
    asked = {name: value for name, value in query._asdict().items() if value is not None}
    return shaped(_build, tuple(asked)), asked


def grant(row: dict[str, str]) -> Work:
    """Give a role; giving it again changes nothing. Answers the kind of what does not exist, "" if everything does.

    Live tokens learn of it because the revision moves. Places are locked before users, as everywhere.
    """
    for kind, statement in ((row["scope"], _PLACES.get(row["scope"])), ("user", _USER), ("role", _ROLE)):
        if statement is not None and not (yield statement, row):
            return kind
    if not (yield GET, row):
        yield _INSERT, row
        yield from bump()
    return ""


def revoke(row: dict[str, str]) -> Work:
    """Take a role; answers whether the user had it."""
    held = yield GET, row
    if held:
        yield _DELETE, row
        yield from bump()
    return bool(held)


def _build(asked: tuple[str, ...]) -> Select[Any]:
    names = (
        users.c.name, _user_domain.c.id, _user_domain.c.name, roles.c.name,
        projects.c.name, _project_domain.c.id, _project_domain.c.name, _scope_domain.c.name,
    )  # fmt: skip
    query = (
        select(*assignments.c, *names)
        .join_from(assignments, users, users.c.id == assignments.c.user_id)
        .join(roles, roles.c.id == assignments.c.role_id)
        .join(_user_domain, _user_domain.c.id == users.c.domain_id)
        .outerjoin(projects, and_(assignments.c.scope == "project", projects.c.id == assignments.c.scope_id))
        .outerjoin(_project_domain, _project_domain.c.id == projects.c.domain_id)
        .outerjoin(_scope_domain, and_(assignments.c.scope == "domain", _scope_domain.c.id == assignments.c.scope_id))
        .order_by(assignments.c.scope, projects.c.name, assignments.c.scope_id, users.c.name, users.c.id, roles.c.name)
    )
    for name in asked:
        value: BindParameter[str] = bindparam(name)
        if name == "domain_id":
            query = query.where(or_(_project_domain.c.id == value, _scope_domain.c.id == value))
        else:
            query = query.where(assignments.c[name] == value)
    return query
