"""Domains as rows."""

from typing import Any

from sqlalchemy import bindparam

from calotype.database.filters import Query, listed, shown
from calotype.database.revision import bump
from calotype.database.statements import Statement, Work, inserted, updated
from calotype.database.tables import domains

GET = Statement(shown(domains).where(domains.c.id == bindparam("id")))
BY_NAME = Statement(shown(domains).where(domains.c.name == bindparam("name")))
_INSERT = inserted(domains)


def listing(query: Query) -> tuple[Statement, dict[str, Any]]:
    """The statement that lists domains, and its parameters."""
    return listed(domains, frozenset(), query)


def create(row: dict[str, Any]) -> Work:
    """Insert a domain; answers whether its id and name were free."""
    if (yield GET, row) or (yield BY_NAME, row):
        return False
    yield _INSERT, row
    return True


def enable(domain_id: str, enabled: bool) -> Work:
    """Switch a domain on or off; answers whether it exists."""
    found = yield GET, {"id": domain_id}
    if found:
        yield updated(domains, frozenset({"enabled"})), {"key_id": domain_id, "enabled": enabled}
        yield from bump()
    return bool(found)
