"""Data that no image refers to: being written, or left over. Nothing else in a store may be removed."""

from collections.abc import Iterable

from sqlalchemy import bindparam, delete, select

from calotype.database.statements import Statement, Work, inserted, updated
from calotype.database.tables import loose_data
from calotype.images.errors import StorageUnavailable
from calotype.images.model import Location, now

LIST = Statement(select(*loose_data.c))
_KEY = (loose_data.c.store == bindparam("store"), loose_data.c.name == bindparam("name"))
_INSERT = inserted(loose_data)
_LOCK = Statement(select(*loose_data.c).where(*_KEY).with_for_update())
_HOLDER = loose_data.c.keys().index("holder")
_DELETE = Statement(delete(loose_data).where(*_KEY))
_RENEW = Statement(
    loose_data.update().where(loose_data.c.holder == bindparam("of_holder")).values(seen_at=bindparam("seen_at"))
)


def renew(holder: str) -> Work:
    """A sign of life for everything that `holder` holds."""
    yield _RENEW, {"of_holder": holder, "seen_at": now()}


def add(image_id: str, data: Iterable[Location], holder: str = "") -> Work:
    """Note data of the image as loose: held by a worker that writes it, or by nobody and to be removed.

    Data that is not this service's own is never removed, and so never loose.
    """
    yield (
        _INSERT,
        [
            {"store": each.store, "name": each.name, "image_id": image_id, "holder": holder, "seen_at": now()}
            for each in {(each.store, each.name): each for each in data if each.owned}.values()
        ],
    )


def let_go(location: Location) -> Work:
    """Nobody writes the data any more: it waits for its removal.

    Answers False, and does nothing, if the data is no longer loose: then it belongs to an image.
    """
    if not (yield _LOCK, _key(location)):
        return False
    yield (
        updated(loose_data, frozenset({"holder"})),
        {
            "key_store": location.store,
            "key_name": location.name,
            "holder": "",
        },
    )
    return True


def claim(location: Location) -> Work:
    """The data is an image's own from now on. Raises StorageUnavailable if its writer was given up meanwhile."""
    rows = yield _LOCK, _key(location)
    if not rows or not rows[0][_HOLDER]:
        raise StorageUnavailable(f"The data {location.name} was given up because its worker stopped answering.")
    yield from take(location)


def take(location: Location) -> Work:
    """The data is an image's own, or it is removed."""
    yield _DELETE, _key(location)


def _key(location: Location) -> dict[str, str]:
    return {"store": location.store, "name": location.name}
