"""What domains, projects, users and roles share as rows: how one is changed, and how it is kept while others look."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Table, bindparam, select

from calotype.database.revision import bump
from calotype.database.statements import Statement, Work, updated

Amend = Callable[[dict[str, Any]], dict[str, Any]]
"""Makes the new row out of the old one; may raise, which leaves the row as it is."""
Taken = Callable[[dict[str, Any]], Exception]
"""Makes the error that a new row meets when its name belongs to another."""
Allow = Callable[[dict[str, Any]], object]
"""Looks at a row that is to be deleted; raises if it must stay."""


def locked(table: Table) -> Statement:
    """The whole row with an id, for whoever is about to change or delete it."""
    return Statement(select(table).where(table.c.id == bindparam("id")).with_for_update())


def kept(table: Table, key: str) -> Statement:
    """The row whose id is the parameter `key`, which stays until the transaction is over."""
    return Statement(select(table.c.id).where(table.c.id == bindparam(key)).with_for_update(read=True))


def found(table: Table, lock: Statement, id_: str) -> Work:
    """Lock a row; answers it by column, None if there is none."""
    rows = yield lock, {"id": id_}
    return dict(zip(table.columns.keys(), rows[0], strict=True)) if rows else None


def change(table: Table, lock: Statement, by_name: Statement, id_: str, amend: Amend, taken: Taken) -> Work:
    """Change a row; answers the new one, None if there is none. Raises what `taken` makes when its name is taken."""
    old = yield from found(table, lock, id_)
    if old is None:
        return None
    new = amend(old)
    if new["name"] != old["name"] and (yield by_name, new):
        raise taken(new)
    columns = frozenset(name for name in new if new[name] != old[name])
    if columns:
        yield updated(table, columns), {"key_id": id_, **{name: new[name] for name in columns}}
        yield from bump()
    return new
