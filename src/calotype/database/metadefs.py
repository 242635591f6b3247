"""Metadata definitions as rows: point reads and the transactions that change one namespace.

A transaction locks the namespace's row first, so that changes inside one namespace happen one after the other.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from sqlalchemy import bindparam, delete, select

from calotype.database.metadef_tables import namespaces, parts, resource_types
from calotype.database.statements import Row, Statement, Work, inserted, updated
from calotype.images.errors import Conflict, NotFound
from calotype.images.model import now
from calotype.metadefs.model import KINDS, NOT_THERE, RESOURCE_TYPE, Kind, Namespace, Part, ResourceType

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode

Check = Callable[[Namespace], None]
"""Raises what speaks against a change."""
Change = Callable[[Namespace], Namespace]
"""What a transaction does to a namespace: a pure function that answers the new state or raises."""
Decision = Callable[[Namespace, Part | None], Part | None]
"""What a transaction does to a part, which may not exist: answers the new state, None to remove it, or raises."""

COLUMNS = (parts.c.namespace_id, parts.c.kind, parts.c.name, parts.c.body, parts.c.created_at, parts.c.updated_at)
_of_namespace = parts.c.namespace_id == bindparam("namespace_id")
_of_kind = parts.c.kind == bindparam("kind")
_of_key = parts.c.key == bindparam("key")
OLDEST = (parts.c.created_at, parts.c.kind, parts.c.key)

GET = Statement(select(*namespaces.c).where(namespaces.c.name == bindparam("name")))
PARTS = Statement(select(*COLUMNS).where(_of_namespace).order_by(*OLDEST))
PARTS_OF_KIND = Statement(select(*COLUMNS).where(_of_namespace, _of_kind).order_by(*OLDEST))
PART = Statement(select(*COLUMNS).where(_of_namespace, _of_kind, _of_key))
TYPES = Statement(
    select(resource_types.c.name, resource_types.c.created_at, resource_types.c.updated_at).order_by(
        resource_types.c.name
    )
)
_LOCK = Statement(select(*namespaces.c).where(namespaces.c.name == bindparam("name")).with_for_update())
_INSERT = inserted(namespaces)
_INSERT_PART = inserted(parts)
_INSERT_TYPE = inserted(resource_types)
_DELETE = Statement(delete(namespaces).where(namespaces.c.id == bindparam("id")))
_DELETE_PART = Statement(delete(parts).where(_of_namespace, _of_kind, _of_key))
_DELETE_KIND = Statement(delete(parts).where(_of_namespace, _of_kind))
_RENAMED = "Invalid update. It would result in a duplicate metadata definition namespace with the same name of "
_WRITTEN = frozenset(Namespace.__struct_fields__) - {"id", "created_at"}
_UPDATE_PART = updated(parts, frozenset({"key", "name", "body", "updated_at"}))


def namespace(row: Row) -> Namespace:
    """The namespace in a row of GET."""
    found = Namespace(*row)
    found.protected = bool(found.protected)
    return found


def part(row: Row) -> Part:
    """The part in a row of PARTS, PARTS_OF_KIND or PART."""
    _, kind, name, body, created_at, updated_at = row
    return Part(KINDS[kind], name, _decode(body), created_at, updated_at)


def resource_type(row: Row) -> ResourceType:
    """The resource type in a row of TYPES."""
    return ResourceType(*row)


def lock(name: str, absent: str = NOT_THERE) -> Work:
    """The namespace, locked for the rest of the transaction; NotFound, worded by `absent`."""
    rows = yield _LOCK, {"name": name}
    if not rows:
        raise NotFound(absent.format(namespace=name))
    return namespace(rows[0])


def create(new: Namespace, inside: Sequence[Part]) -> Work:
    """Insert a namespace with everything in it; Conflict if its name is in use or two parts have one name."""
    yield from _refuse_taken(new.name, f"The metadata definition namespace={new.name} already exists.")
    yield _INSERT, msgspec.structs.asdict(new)
    yield from _insert(new, inside, set())
    return new


def change(name: str, mutate: Change) -> Work:
    """Write what `mutate` makes of the namespace; Conflict if its new name is in use. Answers the new state."""
    old = yield from lock(name)
    new = mutate(old)
    if new.name != old.name:
        yield from _refuse_taken(new.name, _RENAMED + new.name)
    values = {each: getattr(new, each) for each in _WRITTEN}
    yield updated(namespaces, _WRITTEN), {"key_id": old.id, **values}
    return new


def remove(name: str, check: Check) -> Work:
    """Delete the namespace and everything in it unless `check` raises; answers what it was."""
    old = yield from lock(name)
    check(old)
    yield _DELETE, {"id": old.id}
    return old


def load(new: Namespace, inside: Sequence[Part], replace: bool) -> Work:
    """Insert a namespace with everything in it; one of that name stays, or makes way if `replace` is set.

    Answers "created", "replaced" or "kept".
    """
    rows = yield _LOCK, {"name": new.name}
    if rows and not replace:
        return "kept"
    if rows:
        yield _DELETE, {"id": namespace(rows[0]).id}
    yield from create(new, inside)
    return "replaced" if rows else "created"


def add_parts(name: str, kind: Kind, new: Sequence[Part], check: Check, replace: bool) -> Work:
    """Insert parts of one kind unless `check` raises, instead of all others of the kind if `replace` is set.

    No parts at all replace nothing.
    """
    found = yield from lock(name, kind.nowhere)
    check(found)
    if replace and new:
        yield _DELETE_KIND, {"namespace_id": found.id, "kind": kind.id}
    rows = yield PARTS_OF_KIND, {"namespace_id": found.id, "kind": kind.id}
    yield from _insert(found, new, {(kind.id, part(row).key) for row in rows})
    return found


def change_part(name: str, kind: Kind, part_name: str, decide: Decision) -> Work:
    """Write what `decide` makes of the part; Conflict if its new name is in use. Answers the new state."""
    found = yield from lock(name, kind.nowhere)
    at = {"namespace_id": found.id, "kind": kind.id, "key": kind.key(part_name)}
    rows = yield PART, at
    new = decide(found, part(rows[0]) if rows else None)
    if new is None:
        yield _DELETE_PART, at
        return None
    if new.key != at["key"] and (yield PART, {**at, "key": new.key}):
        raise Conflict(kind.renamed.format(name=new.name, namespace=name))
    values = {"key": new.key, "name": new.name, "body": _encode(new.body).decode(), "updated_at": new.updated_at}
    yield _UPDATE_PART, {**{f"key_{column}": value for column, value in at.items()}, **values}
    return new


def remove_parts(name: str, kind: Kind, check: Check) -> Work:
    """Delete all parts of one kind unless `check` raises."""
    found = yield from lock(name)
    check(found)
    yield _DELETE_KIND, {"namespace_id": found.id, "kind": kind.id}


def _refuse_taken(name: str, text: str) -> Work:
    if (yield GET, {"name": name}):
        raise Conflict(text)


def _insert(into: Namespace, new: Sequence[Part], taken: set[tuple[str, str]]) -> Work:
    """Insert parts; Conflict if one is among `taken` or among the new ones twice."""
    for each in new:
        if (each.kind.id, each.key) in taken:
            raise Conflict(each.kind.duplicate.format(name=each.name, namespace=into.name))
        taken.add((each.kind.id, each.key))
    yield from _register({each.name for each in new if each.kind is RESOURCE_TYPE})
    yield (
        _INSERT_PART,
        [
            {
                "namespace_id": into.id,
                "kind": each.kind.id,
                "key": each.key,
                "name": each.name,
                "body": _encode(each.body).decode(),
                "created_at": each.created_at,
                "updated_at": each.updated_at,
            }
            for each in new
        ],
    )


def _register(names: set[str]) -> Work:
    """Make the resource types that are new; in one order, so that two transactions cannot wait for each other."""
    if names:
        known = {row[0] for row in (yield TYPES, {})}
        moment = now()
        yield (
            _INSERT_TYPE,
            [
                {"name": name, "protected": False, "created_at": moment, "updated_at": moment}
                for name in sorted(names - known)
            ],
        )
