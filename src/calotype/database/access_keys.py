"""Access keys as rows, and the signatures that were used. Secrets are here as they are kept: encrypted."""

from typing import Any

from sqlalchemy import bindparam, delete, select, text, update

from calotype.database.accounts import kept
from calotype.database.revision import bump
from calotype.database.statements import Statement, Work, inserted
from calotype.database.tables import access_keys, used_signatures, users

_shown = select(*(column for column in access_keys.c if column.name != "secret"), users.c.name).join_from(
    access_keys, users
)
_of_id = access_keys.c.id == bindparam("id")
GET = Statement(_shown.where(_of_id))
LIST = Statement(_shown.order_by(users.c.name, users.c.id, access_keys.c.created_at, access_keys.c.id))
SECRET = Statement(select(access_keys.c.user_id, access_keys.c.secret, access_keys.c.enabled).where(_of_id))
ANY = Statement(select(access_keys.c.id, access_keys.c.secret).limit(1))

_USER = kept(users, "user_id")
_INSERT = inserted(access_keys)
_ENABLE = Statement(update(access_keys).where(_of_id).values(enabled=bindparam("enabled")).returning(access_keys.c.id))
_DELETE = Statement(delete(access_keys).where(_of_id).returning(access_keys.c.id))
_USE = Statement(
    text(
        "INSERT INTO used_signatures (signature, used_at) VALUES (:signature, :used_at) "
        "ON CONFLICT (signature) DO NOTHING RETURNING signature"
    )
)
_SINCE = Statement(
    select(used_signatures.c.signature).where(
        used_signatures.c.signature == bindparam("signature"), used_signatures.c.used_at >= bindparam("since")
    )
)
_PURGE = Statement(
    delete(used_signatures).where(used_signatures.c.used_at < bindparam("until")).returning(used_signatures.c.signature)
)


def create(row: dict[str, Any]) -> Work:
    """Insert an access key; answers whether its user exists."""
    if not (yield _USER, row):
        return False
    yield _INSERT, row
    return True


def enable(id_: str, enabled: bool) -> Work:
    """Switch an access key on or off; answers whether it exists."""
    there = yield _ENABLE, {"id": id_, "enabled": enabled}
    if there:
        yield from bump()
    return bool(there)


def remove(id_: str) -> Work:
    """Delete an access key; answers whether it existed."""
    there = yield _DELETE, {"id": id_}
    if there:
        yield from bump()
    return bool(there)


def use(signature: str, moment: int) -> Work:
    """Note that a signature was used; answers whether it was new."""
    return bool((yield _USE, {"signature": signature, "used_at": moment}))


def use_since(signature: str, moment: int, since: int) -> Work:
    """Note that a signature was used; answers whether it was new, None if it was first used before `since`."""
    if (yield from use(signature, moment)):
        return True
    return False if (yield _SINCE, {"signature": signature, "since": since}) else None


def purge(until: int) -> Work:
    """Forget the signatures that were used before `until`; answers how many."""
    gone = yield _PURGE, {"until": until}
    return len(gone)
