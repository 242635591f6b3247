"""Images as rows: point reads and the transactions that change one image.

A transaction locks the image's row first, so that changes to one image happen one after the other.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import Select, bindparam, delete, select

from calotype.database.statements import Row, Statement, Work, inserted, updated
from calotype.database.tables import image_members, image_properties, image_tags, images, loose_data, tombstones
from calotype.images.errors import Conflict, ImageNotFound
from calotype.images.model import Image, Received, now

_decode_properties = msgspec.json.Decoder(dict[str, str]).decode
_decode_tags = msgspec.json.Decoder(list[str]).decode
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
    return select(*images.c, share)


def image(row: Row) -> Image:
    """The image in a row of `columns()`."""
    fields: list[Any] = [*row]
    fields[_PROTECTED] = bool(fields[_PROTECTED])
    fields[_HIDDEN] = bool(fields[_HIDDEN])
    fields[_PROPERTIES] = _decode_properties(fields[_PROPERTIES])
    fields[_TAGS] = _decode_tags(fields[_TAGS])
    return Image(*fields)


_PROTECTED, _HIDDEN, _PROPERTIES, _TAGS = (
    Image.__struct_fields__.index(name) for name in ("protected", "os_hidden", "properties", "tags")
)

GET = Statement(columns().where(images.c.id == bindparam("id")))
LOCATED = Statement(select(images.c.id, images.c.location, images.c.size).where(images.c.location.is_not(None)))
_LOCK = Statement(columns().where(images.c.id == bindparam("id")).with_for_update(of=images))
_INSERT = inserted(images)
_INSERT_PROPERTY = inserted(image_properties)
_INSERT_TAG = inserted(image_tags)
_INSERT_TOMBSTONE = inserted(tombstones)
_INSERT_LOOSE = inserted(loose_data)
_TAKEN = Statement(
    select(images.c.id)
    .where(images.c.id == bindparam("id"))
    .union_all(select(tombstones.c.image_id).where(tombstones.c.image_id == bindparam("id")))
)
_DELETE = Statement(delete(images).where(images.c.id == bindparam("id")))
_DELETE_PROPERTIES = Statement(delete(image_properties).where(image_properties.c.image_id == bindparam("id")))
_DELETE_TAGS = Statement(delete(image_tags).where(image_tags.c.image_id == bindparam("id")))
_DELETE_LOOSE = Statement(delete(loose_data).where(loose_data.c.location == bindparam("location")))


def create(new: Image) -> Work:
    """Insert an image; Conflict if its id is or was in use."""
    if (yield _TAKEN, {"id": new.id}):
        raise Conflict(f"Image ID {new.id} already exists!")
    yield _INSERT, _row(new)
    yield from _search_tables(new)
    return new


def lock(image_id: str, project: str) -> Work:
    """The image, locked for the rest of the transaction; ImageNotFound."""
    rows = yield _LOCK, {"id": image_id, "project": project}
    if not rows:
        raise ImageNotFound(image_id)
    return image(rows[0])


def change(image_id: str, project: str, mutate: Change) -> Work:
    """Apply `mutate` to the image and write the columns that differ; answers the new state."""
    old = yield from lock(image_id, project)
    new = mutate(old)
    yield from _write(old, new)
    return new


def remove(image_id: str, project: str, check: Change) -> Work:
    """Delete the image unless `check` raises; its data becomes loose. Answers the image that was."""
    old = yield from lock(image_id, project)
    check(old)
    yield _DELETE, {"id": image_id}
    yield _INSERT_TOMBSTONE, {"image_id": image_id, "deleted_at": now()}
    if old.location:
        yield _INSERT_LOOSE, {"location": old.location, "image_id": image_id, "holder": "", "seen_at": now()}
    return old


def begin_upload(image_id: str, project: str, holder: str, mutate: Change) -> Work:
    """`mutate` names the data in `upload`; until the upload ends that data is loose and held by `holder`."""
    new = yield from change(image_id, project, mutate)
    yield _INSERT_LOOSE, {"location": new.upload, "image_id": image_id, "holder": holder, "seen_at": now()}
    return new


def finish_upload(image_id: str, upload: str, received: Received) -> Work:
    """Make the written data the image's own; ImageNotFound if the image is gone, Conflict if the upload lost its place.

    Only the columns that an upload owns are written, so that changes made meanwhile stay.
    """
    old = yield from lock(image_id, "")
    if old.upload != upload:
        raise Conflict(f"The upload of image {image_id} was given up because its server stopped answering.")
    new = msgspec.structs.replace(
        old, status="active", location=upload, upload=None, updated_at=now(), **msgspec.structs.asdict(received)
    )
    yield from _write(old, new)
    yield _DELETE_LOOSE, {"location": upload}
    return new


def forget_upload(image_id: str, upload: str) -> Work:
    """Let the image be uploaded to again, if it still waits for this upload."""
    rows = yield _LOCK, {"id": image_id, "project": ""}
    if rows and image(rows[0]).upload == upload:
        yield updated(images, frozenset({"status", "upload"})), {"key_id": image_id, "status": "queued", "upload": None}


def _row(new: Image) -> dict[str, Any]:
    row = {name: getattr(new, name) for name in images.c.keys()}  # noqa: SIM118 - a column collection iterates columns
    row["properties"] = _encode(new.properties).decode()
    row["tags"] = _encode(new.tags).decode()
    return row


def _write(old: Image, new: Image) -> Work:
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
        [{"image_id": new.id, "name": name, "value": value} for name, value in new.properties.items()],
    )


def _search_tags(new: Image) -> Work:
    yield _INSERT_TAG, [{"image_id": new.id, "tag": tag} for tag in new.tags]
