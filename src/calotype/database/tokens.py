"""Tokens as rows, found by the SHA-256 of the token."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import and_, bindparam, delete, or_, select

from calotype.database import roles
from calotype.database.revision import bump
from calotype.database.statements import Row, Statement, Work, inserted
from calotype.database.tables import application_credentials as credentials
from calotype.database.tables import domains, projects, tokens
from calotype.database.tables import users as users_table

_project_domain = domains.alias("project_domain")
_domain = domains.alias("scope_domain")

# One row tells all of a token but its roles: the token, its user and the user's domain, its project and the project's
# domain, the domain of a domain scope, its application credential. Those that it lacks are null.
_whole = (
    select(
        *(column for column in tokens.c if column.name != "hash"),
        *(users_table.c[name] for name in ("name", "enabled", "tokens_valid_from")),
        *(domains.c[name] for name in ("id", "name", "enabled")),
        *(projects.c[name] for name in ("id", "name", "enabled")),
        *(table.c[name] for table in (_project_domain, _domain) for name in ("id", "name", "enabled")),
        *(credentials.c[name] for name in ("name", "unrestricted", "roles", "access_rules")),
    )
    .join_from(tokens, users_table)
    .join(domains, domains.c.id == users_table.c.domain_id)
    .outerjoin(projects, and_(tokens.c.scope == "project", projects.c.id == tokens.c.scope_id))
    .outerjoin(_project_domain, _project_domain.c.id == projects.c.domain_id)
    .outerjoin(_domain, and_(tokens.c.scope == "domain", _domain.c.id == tokens.c.scope_id))
    .outerjoin(credentials, credentials.c.id == tokens.c.credential_id)
)
GET = Statement(_whole.where(tokens.c.hash == bindparam("hash")))
_INSERT = inserted(tokens)
_PARENT = Statement(select(tokens.c.issued_at).where(tokens.c.hash == bindparam("hash")))
_USER = Statement(
    select(users_table.c.password_hash, users_table.c.tokens_valid_from)
    .where(users_table.c.id == bindparam("user_id"))
    .with_for_update(read=True)
)
# A token falls with the first one of its line.
_REVOKE = Statement(
    delete(tokens)
    .where(or_(tokens.c.hash == bindparam("hash"), tokens.c.chain_id == bindparam("audit_id")))
    .returning(tokens.c.hash)
)
_REVOKE_OF_USER = Statement(delete(tokens).where(tokens.c.user_id == bindparam("user_id")).returning(tokens.c.hash))
_PURGE = Statement(delete(tokens).where(tokens.c.expires_at < bindparam("moment")).returning(tokens.c.hash))

Check = Callable[[Row, list[Row]], Any]
"""Judges a row of GET with rows of `roles.HELD`: answers what the token grants, or raises."""


def issue(row: dict[str, Any], verified: str | None, parent: str | None, check: Check) -> Work:
    """Insert a token unless `check` raises; answers what `check` answers, or None when what proved the user is void.

    `verified` is the password hash that was compared, None when no password was; `parent` the hash of the token that
    was shown, None when none was. Both are looked at again here, so that a change meanwhile is not outrun.
    """
    found = yield _USER, row
    if not found or (verified is not None and found[0][0] != verified):
        return None
    valid_from = found[0][1]
    if parent is not None:
        shown = yield _PARENT, {"hash": parent}
        if not shown or shown[0][0] < valid_from:
            return None
    # Another host's clock may be ahead of this one's.
    row = {**row, "issued_at": max(row["issued_at"], valid_from)}
    yield _INSERT, row
    whole = yield GET, row
    held = yield roles.HELD, row
    return check(whole[0], held)


def revoke(token_hash: str, audit_id: str) -> Work:
    """Delete a token and those made from it; answers how many."""
    gone = yield _REVOKE, {"hash": token_hash, "audit_id": audit_id}
    if gone:
        yield from bump()
    return len(gone)


def revoke_user(user_id: str) -> Work:
    """Delete all tokens of a user; answers how many."""
    gone = yield _REVOKE_OF_USER, {"user_id": user_id}
    if gone:
        yield from bump()
    return len(gone)


def purge(moment: int) -> Work:
    """Delete the tokens that expired before `moment`; answers how many."""
    gone = yield _PURGE, {"moment": moment}
    return len(gone)
