"""SQLite: point reads in the event loop, long reads in threads, all writes on one writer thread.

A point read takes some 13 µs, less than a hop to a thread. WAL lets readers go on while the writer commits, and
`synchronous=FULL` makes a commit survive power loss before the answer is sent.
"""

import asyncio
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import Any

from calotype.database.engine import count
from calotype.database.statements import Params, Row, Statement, Work
from calotype.images.errors import StorageUnavailable

BUSY_SECONDS = 15.0
"""How long a write waits for another process's, and for its turn on the writer thread."""
LOOP_BUSY_MILLISECONDS = 1000
"""How long the event loop waits for a lock that keeps readers out; only a damaged or foreign use takes one."""
READERS = 2

log = logging.getLogger("calotype.database")


class SQLite:
    """A database in one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._loop_connection: sqlite3.Connection | None = None
        self._file = (0, 0)
        self._of_thread = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="sqlite-writer")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="sqlite-reader")

    async def open(self) -> None:
        """Open the file, which must exist with its tables (`calotype db upgrade`)."""
        self._loop_connection = self._connect()
        self._loop_connection.execute(f"PRAGMA busy_timeout={LOOP_BUSY_MILLISECONDS}")
        self._file = self._found()

    async def close(self) -> None:
        """Finish the writes under way and close every connection."""
        self._writer.shutdown(wait=True)
        self._readers.shutdown(wait=True)
        for connection in self._opened:
            connection.close()
        self._opened.clear()
        self._loop_connection = None

    async def one(self, statement: Statement, params: Params) -> Row | None:
        """The first row; runs in the event loop."""
        count()
        try:
            row: Row | None = self._loop_connection.execute(*statement.sqlite(params)).fetchone()  # type: ignore[union-attr, arg-type]
        except sqlite3.DatabaseError as error:
            raise _unavailable(error) from error
        return row

    async def all(self, statement: Statement, params: Params) -> list[Row]:
        """All rows; runs in a reader thread."""
        count()
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._fetch, statement, params)

    async def write(self, work: Callable[..., Work], *arguments: Any) -> Any:
        """One transaction on the writer thread; it ends by commit or rollback even if the caller goes away."""
        future = asyncio.get_running_loop().run_in_executor(
            self._writer, copy_context().run, self._transact, time.monotonic(), work, arguments
        )
        return await asyncio.shield(future)

    async def maintain(self) -> None:
        """Renew the statistics that plans are made by, as far as they have aged: without them SQLite sorts all that a
        caller may see instead of walking the index of the newest."""
        await asyncio.get_running_loop().run_in_executor(self._writer, self._optimize)

    def _optimize(self) -> None:
        try:
            self._own().execute("PRAGMA optimize=0x10002")
        except sqlite3.OperationalError as error:
            raise _unavailable(error) from error

    def _fetch(self, statement: Statement, params: Params) -> list[Row]:
        try:
            return self._own().execute(*statement.sqlite(params)).fetchall()  # type: ignore[arg-type]
        except sqlite3.DatabaseError as error:
            raise _unavailable(error) from error

    def _transact(self, asked: float, work: Callable[..., Work], arguments: tuple[Any, ...]) -> Any:
        if time.monotonic() - asked > BUSY_SECONDS:
            raise StorageUnavailable("The database cannot be used at the moment: too many writes wait.")
        if self._found() != self._file:
            # SQLite would go on with the file that it has open and lose what it writes when the process ends.
            raise _unavailable(OSError(f"{self.path} was replaced; put it back, or restart the service"))
        try:
            connection = self._own()
            connection.execute("BEGIN IMMEDIATE")
            try:
                result = _drive(connection, work(*arguments))
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
        except sqlite3.DatabaseError as error:
            raise _unavailable(error) from error
        return result

    def _found(self) -> tuple[int, int]:
        """Device and inode of the file that is there now."""
        try:
            found = os.stat(self.path)
        except OSError as error:
            raise _unavailable(error) from error
        return found.st_dev, found.st_ino

    def _own(self) -> sqlite3.Connection:
        """The connection of this thread."""
        connection = getattr(self._of_thread, "connection", None)
        if connection is None:
            connection = self._of_thread.connection = self._connect()
        return connection

    def _connect(self) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?mode=rw",
                uri=True,
                timeout=BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
            for pragma in (
                "journal_mode=WAL",
                "synchronous=FULL",
                "foreign_keys=ON",
                "cache_size=-16384",
                "temp_store=MEMORY",
            ):
                connection.execute(f"PRAGMA {pragma}")
        except sqlite3.Error as error:
            raise _unavailable(error) from error
        self._opened.append(connection)
        return connection


def _drive(connection: sqlite3.Connection, steps: Work) -> Any:
    """Run the steps; returns their result."""
    rows: list[Row] | None = None
    while True:
        try:
            statement, params = steps.send(rows)  # type: ignore[arg-type]
        except StopIteration as end:
            return end.value
        if isinstance(params, list):
            rows = []
            for each in params:
                connection.execute(*statement.sqlite(each))
            count(len(params))
        else:
            rows = connection.execute(*statement.sqlite(params)).fetchall()  # type: ignore[arg-type]
            count()


def _unavailable(error: Exception) -> Exception:
    """What to raise for an error of the driver; an error in a statement stays what it is."""
    if isinstance(error, (sqlite3.IntegrityError, sqlite3.ProgrammingError)):
        return error
    log.warning("database: %s", error)  # not for callers: it may name files
    return StorageUnavailable("The database cannot be used at the moment.")
