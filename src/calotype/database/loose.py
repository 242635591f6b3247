"""Data that no image refers to: being written, or left over. Nothing else in a store may be removed."""

from sqlalchemy import bindparam, delete, select

from calotype.database.images import forget_upload
from calotype.database.statements import Statement, Work, updated
from calotype.database.tables import loose_data
from calotype.images.model import now

LIST = Statement(select(*loose_data.c))
_LOCK = Statement(select(*loose_data.c).where(loose_data.c.location == bindparam("location")).with_for_update())
_DELETE = Statement(delete(loose_data).where(loose_data.c.location == bindparam("location")))
_RENEW = Statement(
    loose_data.update().where(loose_data.c.holder == bindparam("of_holder")).values(seen_at=bindparam("seen_at"))
)


def renew(holder: str) -> Work:
    """A sign of life for everything that `holder` holds."""
    yield _RENEW, {"of_holder": holder, "seen_at": now()}


def give_up(location: str, image_id: str) -> Work:
    """End an upload without success: the image can be uploaded to again, the data waits for its removal.

    Answers False, and does nothing, if the data is no longer loose: then it belongs to an image.
    """
    yield from forget_upload(image_id, location)
    if not (yield _LOCK, {"location": location}):
        return False
    yield updated(loose_data, frozenset({"holder"})), {"key_location": location, "holder": ""}
    return True


def forget(location: str) -> Work:
    """The data is removed."""
    yield _DELETE, {"location": location}
