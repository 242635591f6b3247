"""Who runs which task: leases that a live worker renews and that anybody takes over from a dead one."""

from collections.abc import Callable
from typing import Any

from calotype.database import tasks
from calotype.database.engine import Database
from calotype.database.statements import Work
from calotype.database.tasks import Lease
from calotype.images.model import Task, now
from calotype.settings import Jobs

SECOND = 1_000_000
LONGEST_MESSAGE = 2000


class Queue:
    """The tasks as one worker, `holder`, sees them. `clock` tells microseconds since 1970."""

    def __init__(self, database: Database, holder: str, settings: Jobs, clock: Callable[[], int] = now) -> None:
        self._database = database
        self._holder = holder
        self._lease = int(settings.lease_seconds * SECOND)
        self._most = settings.per_project
        self._keep = int(settings.keep_hours * 3600 * SECOND)
        self._clock = clock

    async def take(self) -> Task | None:
        """The oldest task that nobody runs, now this worker's; None if there is none that its project may run."""
        # Looked for first: idle workers then never wait for the database's one writer.
        if await self._database.one(tasks.DUE, {"now": self._clock(), "most": self._most}) is None:
            return None
        moment = self._clock()
        found: Task | None = await self._database.write(
            tasks.claim, self._holder, moment, moment + self._lease, self._most
        )
        return found

    async def renew(self, task: Task, message: str) -> bool:
        """Keep the task; answers whether somebody wants it cancelled. Raises LeaseLost."""
        until = self._clock() + self._lease
        found: Task = await self._database.write(tasks.renew, tasks.of(task), until, _told(message))
        return found.cancelled

    async def put_off(self, task: Task, seconds: float, message: str) -> None:
        """Let it be tried again after a while. Raises LeaseLost."""
        due = self._clock() + int(seconds * SECOND)
        await self._database.write(tasks.put_back, tasks.of(task), due, _told(message), task.attempts)

    async def release(self, task: Task) -> None:
        """Give it back untried: this worker stops. Raises LeaseLost."""
        await self._database.write(tasks.put_back, tasks.of(task), self._clock(), task.message, task.attempts - 1)

    async def end(
        self, task: Task, settle: Callable[[Lease], Work], result: dict[str, Any] | None, message: str = ""
    ) -> Any:
        """End the task, well if there is a result, in one transaction with what `settle` does; answers what it does.

        Raises LeaseLost.
        """
        expires_at = self._clock() + self._keep
        status = "failure" if result is None else "success"
        return await self._database.write(_end, tasks.of(task), settle, status, result, _told(message), expires_at)

    async def purge(self) -> None:
        """Forget what ended long ago."""
        await self._database.write(tasks.purge, self._clock())


def _told(message: str) -> str:
    """A message as it can be kept: others wrote parts of it."""
    return message[:LONGEST_MESSAGE].replace("\0", "?").encode("utf-8", "replace").decode()


def _end(
    lease: Lease,
    settle: Callable[[Lease], Work],
    status: str,
    result: dict[str, Any] | None,
    message: str,
    expires_at: int,
) -> Work:
    settled = yield from settle(lease)
    yield from tasks.end(lease, status, result, message, expires_at)
    return settled
