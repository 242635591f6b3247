"""SQL shapes: written with SQLAlchemy Core, compiled once for each dialect, run by the drivers themselves.

Compiling a statement costs hundreds of times what running a point read costs, so a shape is compiled at its first
use and kept. A statement whose shape depends on the request (a list with filters) is kept under its shape.
"""

from collections.abc import Callable, Generator, Hashable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Table, bindparam
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.sql import ClauseElement, and_

Row = Sequence[Any]
Params = Mapping[str, Any] | Sequence[Mapping[str, Any]]

Work = Generator[tuple["Statement", Params], list[Row], Any]
"""The steps of a transaction, told once for every database: yields a statement with its parameters, is sent the rows.

A list of parameter mappings runs the statement once for each of them and sends back no rows.
"""

_DIALECTS = {"sqlite": sqlite.dialect(paramstyle="named"), "postgresql": asyncpg.dialect()}  # type: ignore[no-untyped-call]


class Statement:
    """One shape of SQL with named parameters."""

    def __init__(self, clause: ClauseElement) -> None:
        self._clause = clause
        self._compiled: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {}

    def sqlite(self, params: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
        """Text and parameters as `sqlite3` takes them."""
        text, _, constants = self._compiled.get("sqlite") or self._compile("sqlite")
        return text, {**constants, **params} if constants else params

    def postgresql(self, params: Mapping[str, Any]) -> tuple[str, list[Any]]:
        """Text and parameters as `asyncpg` takes them."""
        text, order, constants = self._compiled.get("postgresql") or self._compile("postgresql")
        return text, [params[name] if name in params else constants[name] for name in order]

    def _compile(self, dialect: str) -> tuple[str, tuple[str, ...], dict[str, Any]]:
        compiled: Any = self._clause.compile(dialect=_DIALECTS[dialect])
        constants = {name: value for name, value in compiled.params.items() if value is not None}
        self._compiled[dialect] = compiled.string, tuple(compiled.positiontup or ()), constants
        return self._compiled[dialect]


@lru_cache(maxsize=512)
def shaped(build: Callable[..., ClauseElement], *shape: Hashable) -> Statement:
    """The statement that `build(*shape)` describes, compiled at the first use of that shape."""
    return Statement(build(*shape))


def inserted(table: Table) -> Statement:
    """Insert one row; parameters are all the column names."""
    return Statement(table.insert().values({column.name: bindparam(column.name) for column in table.c}))


def updated(table: Table, columns: frozenset[str]) -> Statement:
    """Set `columns` of the row whose primary key is given as `key_<column>`."""
    return shaped(_update, table, columns)


def _update(table: Table, columns: frozenset[str]) -> ClauseElement:
    key = and_(*(column == bindparam(f"key_{column.name}") for column in table.primary_key))
    return table.update().where(key).values({name: bindparam(name) for name in sorted(columns)})
