"""Lists of images: one statement whose shape follows the request.

Order is total and pages continue strictly after the marker's place in it. A null sorts as the empty string or,
for a size, as less than zero, on both databases.
"""

from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, exists, false, func, literal, or_, tuple_
from sqlalchemy.sql import ClauseElement

from calotype.database.images import columns
from calotype.database.statements import Statement, shaped
from calotype.database.tables import image_members, image_properties, image_tags, images, value_head
from calotype.images.model import Image, Listing

_NULLABLE: dict[str, str | int] = {"name": "", "container_format": "", "disk_format": "", "size": -1}


def statement(listing: Listing) -> tuple[Statement, dict[str, Any]]:
    """The statement of a list and its parameters."""
    shape = (
        listing.admin,
        listing.member_status is not None,
        listing.visibility,
        listing.hidden,
        tuple(each.shape for each in listing.filters),
        listing.sort,
        listing.marker is not None,
        listing.limit is not None,
    )
    return shaped(_build, *shape), _params(listing)


def _params(listing: Listing) -> dict[str, Any]:
    params: dict[str, Any] = {"project": listing.project or ""}
    if listing.member_status is not None:
        params["member_status"] = listing.member_status
    if listing.limit is not None:
        params["limit"] = listing.limit
    for number, each in enumerate(listing.filters):
        params.update({f"f{number}_{index}": value for index, value in enumerate(each.values)})
    if listing.marker is not None:
        params.update({f"after_{key}": _place(listing.marker, key) for key, _ in listing.sort})
    return params


def _place(marker: Image, key: str) -> Any:
    value = getattr(marker, key)
    return _NULLABLE[key] if value is None else value


def _build(
    admin: bool,
    by_status: bool,
    visibility: str | None,
    hidden: bool,
    filters: tuple[tuple[str, str, int], ...],
    sort: tuple[tuple[str, str], ...],
    after: bool,
    limited: bool,
) -> ClauseElement:
    query = columns().where(images.c.status != "killed", images.c.os_hidden == hidden)
    query = query.where(_audience(admin, by_status, visibility))
    for number, (kind, name, count) in enumerate(filters):
        query = query.where(_FILTERS[kind](name, [bindparam(f"f{number}_{index}") for index in range(count)]))
    if after:
        query = query.where(_after(sort))
    query = query.order_by(*(getattr(_key(key), direction)() for key, direction in sort))
    return query.limit(bindparam("limit")) if limited else query


def _audience(admin: bool, by_status: bool, visibility: str | None) -> ColumnElement[bool]:
    """Who may see what in a list (spec: image-v2 8.2)."""
    own = images.c.owner == bindparam("project")
    if admin:
        scope: ColumnElement[bool] = literal(True)
    else:
        member = [image_members.c.image_id == images.c.id, image_members.c.member_id == bindparam("project")]
        if by_status:
            member.append(image_members.c.status == bindparam("member_status"))
        shared = and_(images.c.visibility == "shared", exists().where(*member))
        scope = or_(own, images.c.visibility == "public", images.c.visibility == "community", shared)
    if visibility is None:
        return and_(scope, or_(images.c.visibility != "community", own))
    return scope if visibility == "all" else and_(scope, images.c.visibility == visibility)


def _key(name: str) -> ColumnElement[Any]:
    column = images.c[name]
    return func.coalesce(column, _NULLABLE[name]) if name in _NULLABLE else column


def _after(sort: tuple[tuple[str, str], ...]) -> ColumnElement[bool]:
    keys = [_key(name) for name, _ in sort]
    places = [bindparam(f"after_{name}", type_=images.c[name].type) for name, _ in sort]
    directions = {direction for _, direction in sort}
    if directions == {"desc"}:
        return tuple_(*keys) < tuple_(*places)
    if directions == {"asc"}:
        return tuple_(*keys) > tuple_(*places)
    rungs = []
    for index, (_, direction) in enumerate(sort):
        beyond = keys[index] > places[index] if direction == "asc" else keys[index] < places[index]
        rungs.append(and_(*(keys[i] == places[i] for i in range(index)), beyond))
    return or_(*rungs)


def _one_of(name: str, values: list[ColumnElement[Any]]) -> ColumnElement[bool]:
    return images.c[name].in_(values) if values else false()


def _compared(operator: str) -> Any:
    return lambda name, values: getattr(images.c[name], operator)(values[0])


def _property(_: str, values: list[ColumnElement[Any]]) -> ColumnElement[bool]:
    name, value, head = values
    table = image_properties.c
    return exists().where(
        table.image_id == images.c.id, table.name == name, value_head(table.value) == head, table.value == value
    )


def _tag(_: str, values: list[ColumnElement[Any]]) -> ColumnElement[bool]:
    return exists().where(image_tags.c.image_id == images.c.id, image_tags.c.tag == values[0])


_FILTERS = {
    "in": _one_of,
    "eq": _compared("__eq__"),
    "neq": _compared("__ne__"),
    "gt": _compared("__gt__"),
    "gte": _compared("__ge__"),
    "lt": _compared("__lt__"),
    "lte": _compared("__le__"),
    "property": _property,
    "tag": _tag,
}
