"""The count of wrong passwords in a row, as rows."""

from sqlalchemy import BigInteger, and_, bindparam, case, delete, select, update

from calotype.database.statements import Statement, Work, inserted
from calotype.database.tables import login_failures

_of_user = login_failures.c.user_id == bindparam("user_id")
_count, _last = login_failures.c.failures, login_failures.c.failed_at
_old = _last < bindparam("since")
# While the user is locked out nothing changes, so that further attempts do not make it longer.
_locked = and_(_count >= bindparam("most"), _last >= bindparam("since"))

GET = Statement(select(_count, _last).where(_of_user))
_COUNT = Statement(
    update(login_failures)
    .where(_of_user)
    .values(
        failures=case((_locked, _count), (_old, 1), else_=_count + 1),
        failed_at=case((_locked, _last), else_=bindparam("moment", type_=BigInteger)),
    )
    .returning(_count)
)
_INSERT = inserted(login_failures)
_DELETE = Statement(delete(login_failures).where(_of_user))


def count(user_id: str, moment: int, since: int, most: int) -> Work:
    """Count a wrong password at `moment`: anew if the last one was before `since`, not at all beyond `most`."""
    if not (yield _COUNT, {"user_id": user_id, "moment": moment, "since": since, "most": most}):
        yield _INSERT, {"user_id": user_id, "failures": 1, "failed_at": moment}


def forget(user_id: str) -> Work:
    """Forget the wrong passwords of a user."""
    yield _DELETE, {"user_id": user_id}
