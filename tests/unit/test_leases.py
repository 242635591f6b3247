"""Leases, in any order of events: several workers on one database, with a clock of their own.

The model knows for each task who may write to it. It is told what the queue answers, and compares.
"""

import asyncio
import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import delete, select

from calotype.database import schema, tables, tasks
from calotype.database.connect import connect
from calotype.database.engine import Database
from calotype.database.statements import Statement, Work
from calotype.database.tasks import LeaseLost
from calotype.images.errors import Conflict
from calotype.images.model import Task
from calotype.jobs.queue import SECOND, Queue
from calotype.settings import Jobs, Settings
from tests.support.catalogue import Run

JOBS = Jobs(lease_seconds=10.0, keep_hours=1.0, attempts=3, per_project=1000)
LEASE = 10 * SECOND
KEEP = 3600 * SECOND
WORKERS = 3
ALL = Statement(select(*tables.tasks.c))
_CLEAR = Statement(delete(tables.tasks))


def a_task(number: int) -> Task:
    """A task as a request makes it."""
    return Task(
        id=f"task-{number}", type="api_image_import", status="pending", owner="p", user_id="u", request_id="r",
        image_id=None, input={}, result=None, message="", created_at=number, updated_at=number, expires_at=None,
        state={}, holder="", lease_until=0, attempts=0, cancelled=False, secret={"token": "secret"},
    )  # fmt: skip


@dataclasses.dataclass
class Known:
    """What the model knows of a task. `holder` is who took it last, and whose it is until somebody else takes it."""

    free_at: int = 0
    attempts: int = 0
    taken: int = 0
    holder: int | None = None
    ended_at: int | None = None
    cancelled: bool = False
    state: int = 0


def nothing(_: tasks.Lease) -> Work:
    """An end that settles nothing."""
    return
    yield


class Leases(RuleBasedStateMachine):
    """Workers take, renew, die, come back late, end, put off, give back; operators cancel; time passes."""

    url = ""
    held = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.database = connect(Settings(database=self.url))
        self.run(self.database.open())
        self.moment = 1_000_000 * SECOND
        self.queues: list[Queue] = []
        self.known: dict[str, Known] = {}
        self.made = 0

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    def teardown(self) -> None:
        self.everything_ends()
        self.run(self.database.close())
        self.runner.close()

    @initialize()
    def begin(self) -> None:
        self.run(self.database.write(clear))
        self.queues = [Queue(self.database, f"w{number}", JOBS, lambda: self.moment) for number in range(WORKERS)]

    @precondition(lambda self: sum(each.ended_at is None for each in self.known.values()) < 3)
    @rule()
    def ask(self) -> None:
        task = a_task(self.made)
        self.made += 1
        self.run(self.database.write(tasks.create, task))
        self.known[task.id] = Known()

    @rule(seconds=st.sampled_from([2.5, 9.9, 10.0, 11.0, 3590.0, 3600.0]))
    def wait(self, seconds: float) -> None:
        self.moment += int(seconds * SECOND)

    def due(self) -> list[str]:
        """What nobody may hold on to any more, oldest first; a lease ends at the very moment that it names."""
        free = [name for name, each in self.known.items() if each.ended_at is None and each.free_at <= self.moment]
        return sorted(free, key=lambda name: int(name.removeprefix("task-")))

    @precondition(lambda self: not self.due())
    @rule(worker=st.integers(0, WORKERS - 1))
    def find_nothing(self, worker: int) -> None:
        assert self.run(self.queues[worker].take()) is None

    @precondition(lambda self: self.due())
    @rule(target=held, worker=st.integers(0, WORKERS - 1))
    def take(self, worker: int) -> Any:
        due = self.due()
        task = self.run(self.queues[worker].take())
        assert task is not None
        assert task.id == due[0]
        known = self.known[task.id]
        known.attempts += 1
        known.taken += 1
        known.holder = known.taken
        known.free_at = self.moment + LEASE
        assert (task.status, task.attempts, task.cancelled) == ("processing", known.attempts, known.cancelled)
        assert task.state == ({"n": known.state} if known.state else {})
        assert task.secret == {"token": "secret"}
        return worker, task, known.taken

    def attempt(self, held: Any, work: Callable[[Queue, Task], Any]) -> tuple[Any, Known] | None:
        """The answer, if the worker still holds the task; otherwise it must be refused, and None is answered."""
        worker, task, turn = held
        known = self.known.get(task.id)
        good = known is not None and known.holder == turn and known.ended_at is None
        try:
            answer = self.run(work(self.queues[worker], task))
        except LeaseLost:
            assert not good, "The holder was refused."
            return None
        assert good, "Somebody who is late was let."
        assert known is not None
        return answer, known

    @rule(held=held)
    def renew(self, held: Any) -> None:
        done = self.attempt(held, lambda queue, task: queue.renew(task, "under way"))
        if done is not None:
            cancelled, known = done
            known.free_at = self.moment + LEASE
            assert cancelled == known.cancelled

    @rule(held=held)
    def keep(self, held: Any) -> None:
        """A step of the work: it is written with the lease."""
        number = held[2]
        done = self.attempt(held, lambda _, task: self.database.write(tasks.keep, tasks.of(task), {"n": number}))
        if done is not None:
            done[1].state = number

    @rule(held=held, seconds=st.sampled_from([0.0, 2.0, 8.0]))
    def put_off(self, held: Any, seconds: float) -> None:
        done = self.attempt(held, lambda queue, task: queue.put_off(task, seconds, "later"))
        if done is not None:
            done[1].holder, done[1].free_at = None, self.moment + int(seconds * SECOND)

    @rule(held=consumes(held))
    def give_back(self, held: Any) -> None:
        done = self.attempt(held, lambda queue, task: queue.release(task))
        if done is not None:
            done[1].holder, done[1].free_at = None, self.moment
            done[1].attempts -= 1

    @rule(held=held, well=st.booleans())
    def end(self, held: Any, well: bool) -> None:
        done = self.attempt(held, lambda queue, task: queue.end(task, nothing, {} if well else None, "so"))
        if done is not None:
            done[1].ended_at = self.moment

    @rule(held=held)
    def fail_to_settle(self, held: Any) -> None:
        """What the end means for the image is refused: then the task is not over either."""

        def refused(lease: tasks.Lease) -> Work:
            yield from tasks.hold(lease)
            raise Conflict("no")

        with pytest.raises((Conflict, LeaseLost)):
            self.run(self.queues[held[0]].end(held[1], refused, {}))

    @rule(held=held)
    def cancel(self, held: Any) -> None:
        known = self.known.get(held[1].id)
        try:
            self.run(self.database.write(tasks.cancel, held[1].id))
        except Conflict:
            assert known is None or known.ended_at is not None
        else:
            assert known is not None
            known.cancelled = True

    @rule(worker=st.integers(0, WORKERS - 1))
    def purge(self, worker: int) -> None:
        self.run(self.queues[worker].purge())
        for name, known in [*self.known.items()]:
            if known.ended_at is not None and known.ended_at + KEEP <= self.moment:
                del self.known[name]

    @invariant()
    def the_rows_are_as_known(self) -> None:
        if not self.queues:
            return
        found = {task.id: task for task in map(tasks.task, self.run(self.database.all(ALL, {})))}
        assert found.keys() == self.known.keys()
        for name, known in self.known.items():
            task = found[name]
            assert (task.attempts, task.cancelled) == (known.attempts, known.cancelled)
            if known.ended_at is None:
                assert task.status == ("pending" if known.holder is None else "processing")
                assert (task.expires_at, task.secret) == (None, {"token": "secret"})
                assert task.lease_until == known.free_at
            else:
                assert task.status in ("success", "failure")
                assert (task.expires_at, task.secret, task.holder) == (known.ended_at + KEEP, None, "")

    def everything_ends(self) -> None:
        """If one worker lives, every task ends, and none is begun more often than once and what was begun before."""
        for _ in range(2 * len(self.known) + 1):
            self.moment += LEASE
            while (task := self.run(self.queues[0].take())) is not None:
                self.run(self.queues[0].end(task, nothing, {}))
        assert all(tasks.task(row).status in ("success", "failure") for row in self.run(self.database.all(ALL, {})))


def clear() -> Work:
    """Forget every task."""
    yield _CLEAR, {}


def _of(url: str, examples: int) -> None:
    machine = type("LeasesHere", (Leases,), {"url": url})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples, stateful_step_count=60, suppress_health_check=[*HealthCheck], deadline=None
        ),
    )


def test_leases_on_sqlite() -> None:
    with tempfile.TemporaryDirectory() as directory:
        url = f"sqlite:///{Path(directory) / 'calotype.db'}"
        schema.upgrade(url)
        _of(url, 60)


def test_leases_on_postgresql(postgres_url: str) -> None:
    _of(postgres_url, 40)


def test_of_workers_that_take_at_once_one_gets_each_task(database: Database, run: Run) -> None:
    async def taken() -> list[str]:
        for number in range(30):
            await database.write(tasks.create, a_task(number))
        queues = [Queue(database, f"w{number}", JOBS) for number in range(8)]
        found = [task for _ in range(5) for task in await asyncio.gather(*(queue.take() for queue in queues))]
        return [task.id for task in found if task is not None]

    assert sorted(run(taken())) == sorted(f"task-{number}" for number in range(30))


def test_a_project_does_not_keep_the_others_waiting(database: Database, run: Run) -> None:
    settings = msgspec.structs.replace(JOBS, per_project=2)
    moment = [SECOND]
    queue = Queue(database, "w", settings, lambda: moment[0])

    async def taken() -> list[str | None]:
        for number in range(4):
            await database.write(tasks.create, a_task(number))
        await database.write(tasks.create, msgspec.structs.replace(a_task(4), owner="q"))
        found = [await queue.take() for _ in range(4)]
        assert found[0] is not None
        await queue.end(found[0], nothing, {})
        found.append(await queue.take())
        moment[0] += LEASE + 1  # its worker died: what it ran is nobody's
        found.append(await queue.take())
        return [each and each.id for each in found]

    assert run(taken()) == ["task-0", "task-1", "task-4", None, "task-2", "task-1"]


@pytest.mark.parametrize("text", ["x" * 5000, "\0\ud800" * 2000], ids=["long", "what no database keeps"])
def test_messages_are_cut_and_kept(database: Database, run: Run, text: str) -> None:
    queue = Queue(database, "w", JOBS)

    async def written() -> list[str]:
        await database.write(tasks.create, a_task(0))

        async def taken() -> Task:
            task = await queue.take()
            assert task is not None
            return task

        async def told() -> str:
            (row,) = await database.all(ALL, {})
            return tasks.task(row).message

        found = []
        await queue.renew(await taken(), text)
        found.append(await told())
        await database.write(clear)
        await database.write(tasks.create, a_task(1))
        await queue.put_off(await taken(), 0, text)
        found.append(await told())
        await queue.end(await taken(), nothing, None, text)
        return [*found, await told()]

    assert run(written()) == ["x" * 2000 if "x" in text else "?" * 2000] * 3
