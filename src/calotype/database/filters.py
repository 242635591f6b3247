"""Lists of accounts: one statement whose shape follows the filters, always in the order of the ids."""

from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, Select, Table, bindparam, func, select

from calotype.database.statements import Statement, shaped
from calotype.database.tables import assignments

Operator = Literal["equals", "contains", "startswith", "endswith", "iequals", "icontains", "istartswith", "iendswith"]
OPERATORS: tuple[Operator, ...] = (
    "equals",
    "contains",
    "startswith",
    "endswith",
    "iequals",
    "icontains",
    "istartswith",
    "iendswith",
)


class Filter(NamedTuple):
    """A condition on a column; the operators other than `equals` are for text, those with `i` ignore ASCII case."""

    column: str
    value: str | bool
    operator: Operator = "equals"


class Query(NamedTuple):
    """Which rows of a list: all filters hold, ids come after `marker`, at most `limit` rows, None is all.

    `assigned_to` keeps the projects or domains on which that user has a role.
    """

    filters: tuple[Filter, ...] = ()
    assigned_to: str | None = None
    marker: str | None = None
    limit: int | None = None


def listed(table: Table, hidden: frozenset[str], query: Query) -> tuple[Statement, dict[str, Any]]:
    """The statement of a list with its parameters; the columns in `hidden` are left out."""
    shape = tuple((each.column, each.operator) for each in query.filters)
    statement = shaped(
        _build, table, hidden, shape, query.assigned_to is not None, query.marker is not None, query.limit is not None
    )
    params: dict[str, Any] = {f"f{number}": each.value for number, each in enumerate(query.filters)}
    named = {"assigned_to": query.assigned_to, "marker": query.marker, "limit": query.limit}
    return statement, params | {name: value for name, value in named.items() if value is not None}


def shown(table: Table, hidden: frozenset[str] = frozenset()) -> Select[Any]:
    """All columns of a table but the hidden ones."""
    return select(*(column for column in table.c if column.name not in hidden))


def _build(
    table: Table,
    hidden: frozenset[str],
    filters: tuple[tuple[str, Operator], ...],
    assigned: bool,
    after: bool,
    limited: bool,
) -> Select[Any]:
    query = shown(table, hidden).order_by(table.c.id)
    for number, (name, operator) in enumerate(filters):
        query = query.where(_condition(table.c[name], operator, bindparam(f"f{number}", type_=table.c[name].type)))
    if assigned:
        scoped = assignments.c.scope == table.name.removesuffix("s")
        owned = select(assignments.c.scope_id).where(assignments.c.user_id == bindparam("assigned_to"), scoped)
        query = query.where(table.c.id.in_(owned))
    if after:
        query = query.where(table.c.id > bindparam("marker"))
    return query.limit(bindparam("limit")) if limited else query


def _condition(column: ColumnElement[Any], operator: Operator, value: ColumnElement[Any]) -> ColumnElement[bool]:
    # Not LIKE: it ignores case on SQLite and heeds it on PostgreSQL.
    if operator.startswith("i"):
        column, value = func.lower(column), func.lower(value)
    match operator.removeprefix("i"):
        case "contains":
            return func.replace(column, value, "") != column
        case "startswith":
            return func.substr(column, 1, func.length(value)) == value
        case "endswith":
            enough = func.length(column) >= func.length(value)
            return enough & (func.substr(column, func.length(column) - func.length(value) + 1) == value)
        case _:
            return column == value
