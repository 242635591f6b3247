"""The projects that images are shared with."""

from collections.abc import Callable

from sqlalchemy import bindparam, delete, func, select

from calotype.database.images import lock
from calotype.database.statements import Row, Statement, Work, inserted, updated
from calotype.database.tables import image_members
from calotype.images.model import Image, Membership

_of_image = image_members.c.image_id == bindparam("image_id")
_of_member = image_members.c.member_id == bindparam("member_id")

LIST = Statement(
    select(*image_members.c).where(_of_image).order_by(image_members.c.created_at, image_members.c.member_id)
)
GET = Statement(select(*image_members.c).where(_of_image, _of_member))
_COUNT = Statement(select(func.count()).select_from(image_members).where(_of_image))
_INSERT = inserted(image_members)
_UPDATE = updated(image_members, frozenset({"status", "updated_at"}))
_DELETE = Statement(delete(image_members).where(_of_image, _of_member))

Mutation = Callable[[Image, Membership | None], Membership]
"""What a transaction does to a membership, which may not exist: answers the new state or raises."""

See = Callable[[Image], None]
"""Raises for an image that the caller may not see: before more is looked up than for one that does not exist."""


def membership(row: Row) -> Membership:
    """The membership in a row of LIST or GET."""
    return Membership(*row)


def add(new: Membership, project: str, see: See, check: Callable[[Image, int, bool], None]) -> Work:
    """Insert a membership unless `check(image, members so far, already one)` raises."""
    image = yield from _seen(new.image_id, project, see)
    counted = yield _COUNT, {"image_id": new.image_id}
    present = yield GET, {"image_id": new.image_id, "member_id": new.member_id}
    check(image, counted[0][0], bool(present))
    yield _INSERT, {name: getattr(new, name) for name in Membership.__struct_fields__}
    return new


def change(image_id: str, member_id: str, project: str, see: See, mutate: Mutation) -> Work:
    """Write what `mutate` makes of the membership; answers it."""
    image = yield from _seen(image_id, project, see)
    rows = yield GET, {"image_id": image_id, "member_id": member_id}
    new = mutate(image, membership(rows[0]) if rows else None)
    yield (
        _UPDATE,
        {"key_image_id": image_id, "key_member_id": member_id, "status": new.status, "updated_at": new.updated_at},
    )
    return new


def remove(image_id: str, member_id: str, project: str, see: See, check: Mutation) -> Work:
    """Delete the membership unless `check` raises."""
    image = yield from _seen(image_id, project, see)
    rows = yield GET, {"image_id": image_id, "member_id": member_id}
    check(image, membership(rows[0]) if rows else None)
    yield _DELETE, {"image_id": image_id, "member_id": member_id}


def _seen(image_id: str, project: str, see: See) -> Work:
    image = yield from lock(image_id, project)
    see(image)
    return image
