"""Lists of namespaces: one statement whose shape follows the request, one more for what they are associated with.

Order is total and pages continue strictly after the marker's place in it; what is missing sorts as
empty.
"""

from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, exists, func, or_, select, tuple_
from sqlalchemy.sql import ClauseElement

from calotype.database.metadef_tables import namespaces, parts
from calotype.database.metadefs import COLUMNS, OLDEST
from calotype.database.statements import Statement, shaped
from calotype.metadefs.model import RESOURCE_TYPE, Listing, Namespace


def statements(listing: Listing) -> tuple[Statement, Statement, dict[str, Any]]:
    """The statement of a list, the one of the associations of its namespaces, and the parameters of both."""
    shape = (
        listing.admin,
        listing.visibility is not None,
        len(listing.resource_types),
        listing.sort_key,
        listing.sort_dir,
        listing.marker is not None,
        listing.limit is not None,
    )
    return shaped(_build, *shape), shaped(_build_associations, *shape), _params(listing)


def _params(listing: Listing) -> dict[str, Any]:
    params: dict[str, Any] = {}
    if not listing.admin:
        params["project"] = listing.project or ""
    if listing.visibility is not None:
        params["visibility"] = listing.visibility
    if listing.limit is not None:
        params["limit"] = listing.limit
    params.update({f"type{number}": name for number, name in enumerate(listing.resource_types)})
    if listing.marker is not None:
        params.update({f"after_{key}": _place(listing.marker, key) for key in _keys(listing.sort_key)})
    return params


def _place(marker: Namespace, key: str) -> Any:
    value = getattr(marker, key)
    return "" if value is None else value


def _keys(sort_key: str) -> list[str]:
    """The key, and the tie-breakers behind it."""
    return list(dict.fromkeys((sort_key, "created_at", "id")))


def _build(*shape: Any) -> ClauseElement:
    return _query(select(*namespaces.c), *shape)


def _build_associations(*shape: Any) -> ClauseElement:
    listed = _query(select(namespaces.c.id), *shape)
    of_listed = parts.c.namespace_id.in_(listed.scalar_subquery())
    return select(*COLUMNS).where(parts.c.kind == RESOURCE_TYPE.id, of_listed).order_by(*OLDEST)


def _query(
    query: Select[Any], admin: bool, visible: bool, types: int, sort_key: str, sort_dir: str, after: bool, limited: bool
) -> Select[Any]:
    if not admin:
        own = namespaces.c.owner == bindparam("project")
        query = query.where(or_(own, namespaces.c.visibility == "public"))
    if visible:
        query = query.where(namespaces.c.visibility == bindparam("visibility"))
    if types:
        names: list[ColumnElement[str]] = [bindparam(f"type{number}") for number in range(types)]
        associated = (parts.c.namespace_id == namespaces.c.id, parts.c.kind == RESOURCE_TYPE.id, parts.c.key.in_(names))
        query = query.where(exists().where(*associated))
    columns = [_column(key) for key in _keys(sort_key)]
    if after:
        places = [bindparam(f"after_{key}", type_=namespaces.c[key].type) for key in _keys(sort_key)]
        query = query.where(
            tuple_(*columns) < tuple_(*places) if sort_dir == "desc" else tuple_(*columns) > tuple_(*places)
        )
    query = query.order_by(*(getattr(column, sort_dir)() for column in columns))
    return query.limit(bindparam("limit")) if limited else query


def _column(key: str) -> ColumnElement[Any]:
    column = namespaces.c[key]
    return func.coalesce(column, "") if column.nullable else column
