"""Users as rows. The password's hash leaves the database only through `LOGIN_BY_ID` and `LOGIN_BY_NAME`."""

from typing import Any

from sqlalchemy import bindparam, delete, update

from calotype.database.accounts import Amend, Taken, found, kept, locked
from calotype.database.accounts import change as change_row
from calotype.database.filters import Query, listed, shown
from calotype.database.login_failures import forget
from calotype.database.revision import bump
from calotype.database.statements import Statement, Work, inserted
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

_DOMAIN = kept(domains, "domain_id")
_LOCK = locked(users)
_INSERT = inserted(users)
_DELETE = Statement(delete(users).where(_of_id))
_REHASH = Statement(
    update(users).where(_of_id, users.c.password_hash == bindparam("old")).values(password_hash=bindparam("new"))
)


def listing(query: Query) -> tuple[Statement, dict[str, Any]]:
    """The statement that lists users, and its parameters."""
    return listed(users, _HIDDEN, query)


def create(row: dict[str, Any]) -> Work:
    """Insert a user; answers whether the name was free in its domain, None if there is no such domain."""
    if not (yield _DOMAIN, row):
        return None
    if (yield BY_NAME, row):
        return False
    yield _INSERT, row
    return True


def change(user_id: str, amend: Amend, taken: Taken) -> Work:
    """Change a user; answers as `accounts.change` does. The rows hold the secret columns, too.

    Tokens issued before `tokens_valid_from` are void, so a new password brings a new moment.
    """
    return (yield from change_row(users, _LOCK, BY_NAME, user_id, amend, taken))


def rehash(user_id: str, old: str, new: str) -> Work:
    """Store the same password hashed anew, unless it was changed meanwhile."""
    yield _REHASH, {"id": user_id, "old": old, "new": new}


def remove(user_id: str) -> Work:
    """Delete a user with its roles and tokens; answers whether there was one."""
    row = yield from found(users, _LOCK, user_id)
    if row is None:
        return False
    yield _DELETE, {"id": user_id}
    yield from forget(user_id)
    yield from bump()
    return True
