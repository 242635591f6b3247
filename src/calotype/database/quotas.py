"""What projects hold: sums over their images, exact for as long as the project is held.

Whoever takes more of what is limited holds the project: such transactions of one project run one after the other, so
that each sees what the one before has taken. The row of the image is locked before, never after, so none waits for
another in a circle.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, bindparam, case, func, literal_column, or_, select, text

from calotype.database.statements import Row, Statement, Work
from calotype.database.tables import image_properties, images, value_head
from calotype.images.model import IMPORTING, Image

Admit = Callable[[Image], Work]
"""What a transaction passes with the new state of an image, before or after it is written.

Raises LimitExceeded if its owner may not hold that much. Answers how many bytes may come when the number is not known
beforehand, None if that is not limited.
"""


def admitted(old: Image, new: Image, admit: Admit) -> Work:
    """Pass `admit` if the image takes more than before: what it had was admitted."""
    if new.charged > old.charged:
        yield from admit(new)


class Usage(NamedTuple):
    """What a project holds. `storage`, `size` and `staged` are bytes; `size` leaves out what waits for its import."""

    storage: int
    size: int
    staged: int
    images: int
    uploading: int


def admit_all(_: Image) -> Work:
    """Nothing is limited."""
    yield from ()


_HOLD = Statement(
    text(
        "INSERT INTO quota_locks (project_id, held) VALUES (:project, 1) "
        "ON CONFLICT (project_id) DO UPDATE SET held = quota_locks.held + 1"
    )
)


def _usage() -> Select[Any]:
    importing_to = select(image_properties.c.image_id).where(
        image_properties.c.name == IMPORTING, value_head(image_properties.c.value) > ""
    )
    importing = or_(images.c.status == "importing", images.c.id.in_(importing_to))
    staged = or_(images.c.status == "uploading", importing)
    return select(
        _sum(images.c.charged),
        _sum(case((images.c.status != "uploading", images.c.charged))),
        _sum(case((staged, func.coalesce(images.c.size, images.c.reserved)))),
        func.count(),
        _sum(case((or_(images.c.status == "saving", staged), literal_column("1")))),
    ).where(
        images.c.owner == bindparam("project"),
        images.c.id != bindparam("without"),
        images.c.status != "killed",
    )


def _sum(amount: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.coalesce(func.sum(amount), literal_column("0"))


USAGE = Statement(_usage())


def usage(row: Row) -> Usage:
    """The usage in the row of USAGE."""
    return Usage(*map(int, row))


def held(project: str, without: str) -> Work:
    """Hold the project until the end of the transaction; answers what it holds beside the image `without`."""
    yield _HOLD, {"project": project}
    rows = yield USAGE, {"project": project, "without": without}
    return usage(rows[0])
