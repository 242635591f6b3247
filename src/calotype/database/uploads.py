"""The transactions of data on its way to an image: an upload and a staging begin, end well, or are given up.

Until its end the data is loose and held by the worker that writes it.
"""

import msgspec
from sqlalchemy import bindparam, select

from calotype.database import loose
from calotype.database.images import Change, change, lock, write
from calotype.database.quotas import Admit, admitted
from calotype.database.statements import Statement, Work, updated
from calotype.database.tables import images
from calotype.images.errors import Conflict
from calotype.images.model import Image, Location, Received, now

THERE = Statement(select(images.c.id).where(images.c.id == bindparam("id")))
_WAITING = Statement(
    select(images.c.id)
    .where(images.c.id == bindparam("id"), images.c.upload == bindparam("upload"))
    .with_for_update(of=images)
)


def begin(image_id: str, project: str, holder: str, store: str, mutate: Change, admit: Admit) -> Work:
    """`mutate` names the data in `upload` and reserves what is announced; answers the image and what `admit` does."""
    new: Image = yield from change(image_id, project, mutate)
    rest: int | None = yield from admit(new)
    yield from loose.add(image_id, [Location(store, new.upload or "")], holder)
    return new, rest


def finish(image_id: str, location: Location, received: Received, admit: Admit) -> Work:
    """Make the written data the image's own; ImageNotFound if the image is gone, Conflict if the upload lost its place.

    `admit` is asked if more came than was reserved: what was reserved was admitted.
    Only the columns that an upload owns are written, so that changes made meanwhile stay.
    """
    old = yield from _uploading(image_id, location)
    new = msgspec.structs.replace(
        old,
        status="active",
        locations=[location],
        upload=None,
        reserved=0,
        updated_at=now(),
        **msgspec.structs.asdict(received),
    )
    yield from write(old, new)
    yield from admitted(old, new, admit)
    yield from loose.take(location)


def finish_staging(image_id: str, location: Location, size: int, admit: Admit) -> Work:
    """Keep the written data for an import to come; raises as `finish`."""
    old = yield from _uploading(image_id, location)
    new = msgspec.structs.replace(old, size=size, staged=location, upload=None, reserved=size, updated_at=now())
    yield from write(old, new)
    yield from admitted(old, new, admit)
    yield from loose.take(location)


def give_up(image_id: str, location: Location) -> Work:
    """End an upload without success: the image can be uploaded to again, the data waits for its removal.

    Answers False if the data is not loose: then it belongs to an image.
    """
    if (yield _WAITING, {"id": image_id, "upload": location.name}):
        yield _REQUEUED, {"key_id": image_id, "status": "queued", "upload": None, "reserved": 0, "charged": 0}
    return (yield from loose.let_go(location))


_REQUEUED = updated(images, frozenset({"status", "upload", "reserved", "charged"}))


def _uploading(image_id: str, location: Location) -> Work:
    old: Image = yield from lock(image_id, "")
    if old.upload != location.name:
        raise Conflict(f"The upload of image {image_id} was given up because its server stopped answering.")
    return old
