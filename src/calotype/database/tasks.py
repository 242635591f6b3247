"""Tasks as rows: their leases, their ends, and the lists of them.

A lease is the right to run a task: the holder's name, and the number of the attempt. Whoever takes an expired lease
raises the number, so that everything a late holder still tries fails. A transaction that locks an image as well locks
the image first.
"""

from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Select, and_, bindparam, delete, func, or_, select
from sqlalchemy.sql import ClauseElement

from calotype.database.statements import Row, Statement, Work, inserted, shaped, updated
from calotype.database.tables import tasks
from calotype.images.errors import Conflict
from calotype.images.model import Task, now

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_JSON = ("input", "result", "state", "secret")
_LIVE = ("pending", "processing")
_TO_DO = or_(*(tasks.c.status == status for status in _LIVE))


class Lease(NamedTuple):
    """The right to run a task."""

    task_id: str
    holder: str
    attempt: int


class LeaseLost(Exception):
    """Somebody else runs the task by now, or it is over."""


def of(task: Task) -> Lease:
    """The lease under which the task was taken."""
    return Lease(task.id, task.holder, task.attempts)


def task(row: Row) -> Task:
    """The task in a row of `tasks`."""
    fields = dict(zip(tasks.c.keys(), row, strict=True))
    for name in _JSON:
        if fields[name] is not None:
            fields[name] = _decode(fields[name])
    return Task(**{**fields, "cancelled": bool(fields["cancelled"])})


GET = Statement(select(*tasks.c).where(tasks.c.id == bindparam("id")))
OF_IMAGE = Statement(
    select(*tasks.c)
    .where(tasks.c.image_id == bindparam("image_id"), or_(bindparam("all"), tasks.c.owner == bindparam("owner")))
    .order_by(tasks.c.created_at.desc(), tasks.c.id.desc())
    .limit(bindparam("limit"))
)
_others = tasks.alias("others")
_running = (
    select(func.count())
    .select_from(_others)
    .where(
        _others.c.owner == tasks.c.owner,
        _others.c.status == "processing",
        _others.c.lease_until > bindparam("now"),
    )
    .scalar_subquery()
)


def _due(*columns: Any) -> Select[Any]:
    """The oldest task that nobody runs, of a project that has fewer than `:most` running."""
    query: Select[Any] = select(*columns).where(_TO_DO, tasks.c.lease_until <= bindparam("now"))
    return query.where(_running < bindparam("most")).order_by(tasks.c.created_at, tasks.c.id).limit(1)


DUE = Statement(_due(tasks.c.id))
_NEXT = Statement(_due(*tasks.c).with_for_update(of=tasks, skip_locked=True))
_INSERT = inserted(tasks)
_LOCK = Statement(select(*tasks.c).where(tasks.c.id == bindparam("id")).with_for_update())
_PURGE = Statement(delete(tasks).where(tasks.c.expires_at <= bindparam("now")))


def create(new: Task) -> Work:
    """Insert a task."""
    row = {name: getattr(new, name) for name in Task.__struct_fields__}
    for name in _JSON:
        if row[name] is not None:
            row[name] = _encode(row[name]).decode()
    yield _INSERT, row


def live(task_id: str) -> Work:
    """Whether the task is still to be done."""
    rows = yield GET, {"id": task_id}
    return bool(rows) and task(rows[0]).status in _LIVE


def claim(holder: str, moment: int, until: int, most: int) -> Work:
    """Take the next task that is due, for `holder` and until `until`; None if there is none.

    Projects with `most` tasks running wait. Workers that look at the same moment may take one more between them.
    """
    rows = yield _NEXT, {"now": moment, "most": most}
    if not rows:
        return None
    found = task(rows[0])
    found.status, found.holder, found.lease_until = "processing", holder, until
    found.attempts += 1
    yield _set(
        found.id, status="processing", holder=holder, lease_until=until, attempts=found.attempts, updated_at=now()
    )
    return found


def hold(lease: Lease) -> Work:
    """The task, locked; LeaseLost unless the lease is good. Being late does no harm as long as nobody took over."""
    rows = yield _LOCK, {"id": lease.task_id}
    found = task(rows[0]) if rows else None
    if found is None or found.status != "processing" or (found.holder, found.attempts) != lease[1:]:
        raise LeaseLost(f"another worker runs task {lease.task_id}")
    return found


def renew(lease: Lease, until: int, message: str) -> Work:
    """Keep the lease; answers the task. Raises LeaseLost."""
    found = yield from hold(lease)
    yield _set(lease.task_id, lease_until=until, message=message, updated_at=now())
    return found


def keep(lease: Lease, state: dict[str, Any]) -> Work:
    """Note how far the work came. Raises LeaseLost."""
    yield from hold(lease)
    yield _set(lease.task_id, state=_encode(state).decode())


def put_back(lease: Lease, due: int, message: str, attempts: int) -> Work:
    """Let anybody go on from `due` on. Raises LeaseLost."""
    yield from hold(lease)
    changes = {"holder": "", "lease_until": due, "message": message, "attempts": attempts, "updated_at": now()}
    yield _set(lease.task_id, status="pending", **changes)


def end(lease: Lease, status: str, result: dict[str, Any] | None, message: str, expires_at: int) -> Work:
    """The task is over. Raises LeaseLost."""
    yield from hold(lease)
    text = None if result is None else _encode(result).decode()
    yield _set(
        lease.task_id,
        status=status,
        result=text,
        message=message,
        expires_at=expires_at,
        holder="",
        secret=None,
        updated_at=now(),
    )


def cancel(task_id: str) -> Work:
    """Ask whoever runs the task to stop; Conflict if it is over or unknown."""
    if not (yield from live(task_id)):
        raise Conflict(f"There is no task {task_id} that could be stopped: it is over, or was never there.")
    yield _set(task_id, cancelled=True)


def purge(moment: int) -> Work:
    """Forget ended tasks whose time is over."""
    yield _PURGE, {"now": moment}


def _set(task_id: str, **values: Any) -> tuple[Statement, dict[str, Any]]:
    return updated(tasks, frozenset(values)), {"key_id": task_id, **values}


def listing(
    filters: dict[str, str], sort: tuple[str, str], marker: Task | None, limit: int
) -> tuple[Statement, dict[str, Any]]:
    """A page of tasks: those with these column values, after `marker`, by `sort` (a column and asc or desc)."""
    params: dict[str, Any] = {**{f"is_{name}": value for name, value in filters.items()}, "limit": limit}
    if marker is not None:
        value = getattr(marker, sort[0])
        params.update(after_id=marker.id, after=_null(sort[0]) if value is None else value)
    return shaped(_page, tuple(sorted(filters)), sort, marker is not None), params


def _null(key: str) -> int | str:
    """What a null sorts as."""
    return -1 if key == "expires_at" else ""


def _page(filters: tuple[str, ...], sort: tuple[str, str], after: bool) -> ClauseElement:
    key, direction = sort
    column = tasks.c[key]
    # Only where it is needed: an index serves the column itself and no expression.
    place = func.coalesce(column, _null(key)) if column.nullable else column
    query: Select[Any] = select(*tasks.c).where(*(tasks.c[name] == bindparam(f"is_{name}") for name in filters))
    down = direction == "desc"
    if after:
        value: ColumnElement[Any] = bindparam("after")
        last: ColumnElement[Any] = bindparam("after_id")
        beyond = place < value if down else place > value
        tie = tasks.c.id < last if down else tasks.c.id > last
        query = query.where(or_(beyond, and_(place == value, tie)))
    order = (place.desc(), tasks.c.id.desc()) if down else (place.asc(), tasks.c.id.asc())
    return query.order_by(*order).limit(bindparam("limit"))
