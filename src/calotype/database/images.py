"""Images as rows: point reads and the transactions that change one image.

A transaction locks the image's row first, so that changes to one image happen one after the other.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import Select, bindparam, delete, select, true

from calotype.database import loose
from calotype.database.quotas import Admit, admit_all
from calotype.database.statements import Row, Statement, Work, inserted, updated
from calotype.database.tables import image_members, image_properties, image_tags, images, tasks, tombstones
from calotype.images.errors import Conflict, ImageNotFound
from calotype.images.model import Image, Location, keepable, now

_decode_properties = msgspec.json.Decoder(dict[str, str | None]).decode
_decode_tags = msgspec.json.Decoder(list[str]).decode
decode_locations = msgspec.json.Decoder(list[Location]).decode
_decode_location = msgspec.json.Decoder(Location).decode
_encode = msgspec.json.Encoder().encode

Change = Callable[[Image], Image]
"""What a transaction does to an image: a pure function that answers the new state, the same object, or raises."""


def columns() -> Select[Any]:
    """All of an image, and the status of its share with the project `:project` (null when there is none)."""
    share = (
        select(image_members.c.status)
        .where(image_members.c.image_id == images.c.id, image_members.c.member_id == bindparam("project"))
        .scalar_subquery()
    )
    return select(*(images.c[name] for name in _COLUMNS), share)


def image(row: Row) -> Image:
    """The image in a row of `columns()`."""
    fields: list[Any] = [*row]
    fields[_PROTECTED] = bool(fields[_PROTECTED])
    fields[_HIDDEN] = bool(fields[_HIDDEN])
    fields[_PROPERTIES] = _decode_properties(fields[_PROPERTIES])
    fields[_TAGS] = _decode_tags(fields[_TAGS])
    fields[_LOCATIONS] = decode_locations(fields[_LOCATIONS])
    if fields[_STAGED] is not None:
        fields[_STAGED] = _decode_location(fields[_STAGED])
    return Image(*fields)


_COLUMNS = tuple(name for name in Image.__struct_fields__ if name in images.c)
_PROTECTED, _HIDDEN, _PROPERTIES, _TAGS, _LOCATIONS, _STAGED = map(
    _COLUMNS.index, ("protected", "os_hidden", "properties", "tags", "locations", "staged")
)

GET = Statement(columns().where(images.c.id == bindparam("id")))
LOCATED = Statement(select(images.c.id, images.c.locations, images.c.size).where(images.c.locations != "[]"))
_LOCK = Statement(columns().where(images.c.id == bindparam("id")).with_for_update(of=images))
_INSERT = inserted(images)
_INSERT_PROPERTY = inserted(image_properties)
_INSERT_TAG = inserted(image_tags)
_INSERT_TOMBSTONE = inserted(tombstones)
_TAKEN = Statement(
    select(images.c.id)
    .where(images.c.id == bindparam("id"))
    .union_all(select(tombstones.c.image_id).where(tombstones.c.image_id == bindparam("id")))
)
_CANCEL = Statement(
    tasks.update()
    .where(tasks.c.image_id == bindparam("of_image"), tasks.c.expires_at.is_(None))
    .values(cancelled=true())
)
_DELETE = Statement(delete(images).where(images.c.id == bindparam("id")))
_DELETE_PROPERTIES = Statement(delete(image_properties).where(image_properties.c.image_id == bindparam("id")))
_DELETE_TAGS = Statement(delete(image_tags).where(image_tags.c.image_id == bindparam("id")))


def create(new: Image, admit: Admit = admit_all) -> Work:
    """Insert an image; Conflict if its id is or was in use, and whatever `admit` raises."""
    yield from admit(new)
    if (yield _TAKEN, {"id": new.id}):
        raise Conflict(f"Image ID {new.id} already exists!")
    yield _INSERT, _row(new)
    yield from _search_tables(new)
    return new


def lock(image_id: str, project: str) -> Work:
    """The image, locked for the rest of the transaction; ImageNotFound."""
    rows = (yield _LOCK, {"id": image_id, "project": project}) if keepable(image_id) else []
    if not rows:
        raise ImageNotFound(image_id)
    return image(rows[0])


def change(image_id: str, project: str, mutate: Change) -> Work:
    """Apply `mutate` to the image and write the columns that differ; answers the new state."""
    old = yield from lock(image_id, project)
    new = mutate(old)
    yield from write(old, new)
    return new


def remove(image_id: str, project: str, check: Change) -> Work:
    """Delete the image unless `check` raises; its data becomes loose. Answers the image that was."""
    old = yield from lock(image_id, project)
    check(old)
    yield _DELETE, {"id": image_id}
    yield _INSERT_TOMBSTONE, {"image_id": image_id, "deleted_at": now()}
    yield _CANCEL, {"of_image": image_id}
    yield from loose.add(image_id, data_of(old))
    return old


def data_of(image: Image) -> list[Location]:
    """All data that belongs to the image and to nothing else."""
    return [*image.locations, image.staged] if image.staged else image.locations


def _row(new: Image) -> dict[str, Any]:
    row = {name: getattr(new, name) for name in _COLUMNS}
    for name in ("properties", "tags", "locations"):
        row[name] = _encode(row[name]).decode()
    if new.staged is not None:
        row["staged"] = _encode(new.staged).decode()
    row["charged"] = new.charged
    return row


def write(old: Image, new: Image) -> Work:
    """Write the columns that differ; `old` is locked."""
    before, after = _row(old), _row(new)
    changed = {name: value for name, value in after.items() if value != before[name]}
    if changed:
        yield updated(images, frozenset(changed)), {"key_id": new.id, **changed}
    if "properties" in changed:
        yield _DELETE_PROPERTIES, {"id": new.id}
        yield from _search_properties(new)
    if "tags" in changed:
        yield _DELETE_TAGS, {"id": new.id}
        yield from _search_tags(new)


def _search_tables(new: Image) -> Work:
    yield from _search_properties(new)
    yield from _search_tags(new)


def _search_properties(new: Image) -> Work:
    yield (
        _INSERT_PROPERTY,
        [
            {"image_id": new.id, "name": name, "value": value}
            for name, value in new.properties.items()
            if value is not None
        ],
    )


def _search_tags(new: Image) -> Work:
    yield _INSERT_TAG, [{"image_id": new.id, "tag": tag} for tag in new.tags]
