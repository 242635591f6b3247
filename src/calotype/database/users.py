"""Users as rows. The password's hash leaves the database only through `LOGIN_BY_ID` and `LOGIN_BY_NAME`."""

from typing import Any

from sqlalchemy import bindparam, delete, select, update

from calotype.database.filters import Query, listed, shown
from calotype.database.revision import bump
from calotype.database.statements import Statement, Work, inserted, updated
from calotype.database.tables import domains, users

_HIDDEN = frozenset({"password_hash", "tokens_valid_from"})
_of_id = users.c.id == bindparam("id")
_of_name = users.c.name == bindparam("name")

GET = Statement(shown(users, _HIDDEN).where(_of_id))
BY_NAME = Statement(shown(users, _HIDDEN).where(users.c.domain_id == bindparam("domain_id"), _of_name))

# A user's columns, then the domain's switch and the hash.
_login = shown(users, _HIDDEN).add_columns(domains.c.enabled, users.c.password_hash).join_from(users, domains)
LOGIN_BY_ID = Statement(_login.where(_of_id))
LOGIN_BY_NAME = Statement(_login.where(domains.c.id == bindparam("domain_id"), _of_name))
LOGIN_BY_NAMES = Statement(_login.where(domains.c.name == bindparam("domain_name"), _of_name))

_LOCK = Statement(select(users.c.password_hash).where(_of_id).with_for_update())
_INSERT = inserted(users)
_DELETE = Statement(delete(users).where(_of_id))
_REHASH = Statement(
    update(users).where(_of_id, users.c.password_hash == bindparam("old")).values(password_hash=bindparam("new"))
)


def listing(query: Query) -> tuple[Statement, dict[str, Any]]:
    """The statement that lists users, and its parameters."""
    return listed(users, _HIDDEN, query)


def create(row: dict[str, Any]) -> Work:
    """Insert a user; answers whether the name was free in its domain."""
    if (yield BY_NAME, row):
        return False
    yield _INSERT, row
    return True


def enable(user_id: str, enabled: bool) -> Work:
    """Switch a user on or off; answers whether there is one."""
    found = yield _LOCK, {"id": user_id}
    if found:
        yield updated(users, frozenset({"enabled"})), {"key_id": user_id, "enabled": enabled}
        yield from bump()
    return bool(found)


def set_password(user_id: str, password_hash: str, moment: int) -> Work:
    """Change a password and void the tokens issued before `moment`; answers whether there is such a user."""
    found = yield _LOCK, {"id": user_id}
    if found:
        change = {"password_hash": password_hash, "tokens_valid_from": moment}
        yield updated(users, frozenset(change)), {"key_id": user_id, **change}
        yield from bump()
    return bool(found)


def rehash(user_id: str, old: str, new: str) -> Work:
    """Store the same password hashed anew, unless it was changed meanwhile."""
    yield _REHASH, {"id": user_id, "old": old, "new": new}


def remove(user_id: str) -> Work:
    """Delete a user with its roles and tokens; answers whether there was one."""
    found = yield _LOCK, {"id": user_id}
    if found:
        yield _DELETE, {"id": user_id}
        yield from bump()
    return bool(found)
