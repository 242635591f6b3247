"""Workers without a server, each in a process of its own, that die as they are told."""

import asyncio
import functools
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from calotype import app
from calotype.access.tokens import Tokens
from calotype.database.connect import connect
from calotype.database.engine import Database
from calotype.database.statements import Params, Row, Statement, Work
from calotype.images.model import now
from calotype.jobs.queue import Queue
from calotype.jobs.sweeper import Sweeper
from calotype.settings import Settings
from tests.support.waiting import nothing_is_due

DIED = 9
LOST = 255
"""The fork server lost the exit code, as it does now and then."""
SECONDS = 60.0
_starting = threading.Lock()  # the fork server hears one at a time


class Death(NamedTuple):
    """Which transaction of the worker is its last, counted from 1, and whether that one still happens."""

    transaction: int
    committed: bool


class Mortal:
    """A database whose process ends, as by kill -9, at the transaction that `death` names."""

    def __init__(self, database: Database, death: Death | None) -> None:
        self._database = database
        self._death = death
        self._count = 0

    async def one(self, statement: Statement, params: Params) -> Row | None:
        """As the database's own."""
        return await self._database.one(statement, params)

    async def all(self, statement: Statement, params: Params) -> list[Row]:
        """As the database's own."""
        return await self._database.all(statement, params)

    async def write(self, work: Callable[..., Work], *arguments: Any) -> Any:
        """As the database's own, but for the end."""
        self._count += 1
        last = self._death is not None and self._count == self._death.transaction
        if last and not self._death.committed:
            os._exit(DIED)
        try:
            return await self._database.write(work, *arguments)
        finally:
            # Also when it is cancelled: whoever waits for the end of the task may see it before this does.
            if last:
                os._exit(DIED)

    async def maintain(self) -> None:
        """As the database's own."""
        await self._database.maintain()

    async def open(self) -> None:
        """As the database's own."""
        await self._database.open()

    async def close(self) -> None:
        """As the database's own."""
        await self._database.close()


def run(settings: Settings, death: Death | None, later: float = 0.0) -> bool:
    """Whether a worker lived until nothing was to be done; its clock is `later` by so many seconds. Blocks."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    last_words, spoken = context.Pipe(duplex=False)
    process = context.Process(target=_live, args=(settings, death, later, spoken))
    with _starting:
        process.start()
        spoken.close()
    process.join(SECONDS)
    if process.exitcode not in (0, DIED, LOST):
        process.kill()
        raise RuntimeError(f"the worker ended with {process.exitcode}")
    with last_words:
        return process.exitcode == 0 or (process.exitcode == LOST and last_words.poll() and _said(last_words))


def _said(last_words: Connection) -> bool:
    """Whether it came to its end; one that died has said nothing."""
    try:
        return bool(last_words.recv())
    except EOFError:
        return False


def _live(settings: Settings, death: Death | None, later: float, spoken: Connection) -> None:
    asyncio.run(_work(settings, death, later))
    spoken.send(True)
    sys.stdout.flush()
    os._exit(0)


async def _work(settings: Settings, death: Death | None, later: float) -> None:
    app.connect = lambda settings: Mortal(connect(settings), death)  # type: ignore[attr-defined]
    app.Queue = functools.partial(Queue, clock=lambda: now() + int(later * 1_000_000))  # type: ignore[attr-defined, assignment]
    parts = app.assemble(settings)
    for part in [*parts.living, parts.worker]:
        await part.open()
    await nothing_is_due(parts.database)
    if death is None:
        tokens = Tokens(parts.database, settings.identity)
        await Sweeper(parts.database, parts.shelf, parts.intake, parts.holder, parts.queue, tokens).sweep()
    await parts.worker.close()
    for part in reversed(parts.living):
        await part.close()
