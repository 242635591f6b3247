"""Which tables the database has, and how to bring them to what this version of Calotype needs.

The version is read with the database's own driver; alembic and SQLAlchemy's engines are imported only when there is
something to migrate, so that a start with an up-to-date database pays nothing for them. A migration is one
transaction, and hosts that upgrade at the same time wait for one another.
"""

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from calotype.database.connect import sqlite_path
from calotype.images.errors import StorageUnavailable

if TYPE_CHECKING:
    from sqlalchemy import Connection

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007")
"""Every migration, oldest first; the last is the one that this version needs."""

CONNECT_SECONDS = 5.0
BUSY_SECONDS = 60.0
LOCK = 0x63616C6F74797065
"""Key of the advisory lock that upgrades of one PostgreSQL database share: "calotype" in ASCII."""

_VERSION = "SELECT version_num FROM alembic_version"


class SchemaError(Exception):
    """The tables are not those that this version needs; the text says how to mend that."""


def head() -> str:
    """The revision that this version needs."""
    return REVISIONS[-1]


def current(url: str) -> str | None:
    """The revision of the database, None if it has no tables; raises StorageUnavailable."""
    if url.startswith("sqlite:"):
        return _current_sqlite(sqlite_path(url))
    return asyncio.run(_current_postgresql(url))


def check(url: str) -> None:
    """Raise SchemaError unless the tables are those that this version needs; raises StorageUnavailable."""
    found = current(url)
    if found is None:
        raise SchemaError("The database has no tables yet. Run `calotype db upgrade` to create them.")
    _refuse_newer(found)
    if found != head():
        raise SchemaError(
            f"The database is at revision {found} and this Calotype needs {head()}. "
            "Run `calotype db upgrade` to bring it up to date."
        )


def upgrade(url: str) -> None:
    """Create or migrate the tables; nothing happens if they are up to date. Raises SchemaError, StorageUnavailable."""
    found = current(url)
    if found is not None:
        _refuse_newer(found)
    if found == head():
        return
    if url.startswith("sqlite:"):
        _upgrade_sqlite(sqlite_path(url))
    else:
        asyncio.run(_upgrade_postgresql(url))


def _refuse_newer(found: str) -> None:
    if found not in REVISIONS:
        raise SchemaError(
            f"The database is at revision {found}, which a newer Calotype wrote; this one knows revisions up to "
            f"{head()}. Install the newer Calotype again, or restore the backup taken before its `calotype db upgrade`."
        )


def _current_sqlite(path: Path) -> str | None:
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=BUSY_SECONDS)) as file:
            row = file.execute(_VERSION).fetchone()
    except sqlite3.DatabaseError as error:
        if "no such table" in str(error):
            return None
        raise _unavailable(error) from error
    return row and str(row[0])


async def _current_postgresql(url: str) -> str | None:
    connection = await _connect(url)
    try:
        found: str | None = await connection.fetchval(_VERSION)
    except asyncpg.UndefinedTableError:
        return None
    finally:
        await connection.close()
    return found


async def _connect(url: str) -> asyncpg.Connection:
    try:
        return await asyncpg.connect(url, timeout=CONNECT_SECONDS)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
        raise _unavailable(error) from error


def _upgrade_sqlite(path: Path) -> None:
    from sqlalchemy import NullPool, create_engine
    from sqlalchemy.exc import DBAPIError

    try:
        with _alone(path), closing(_opened(path)) as file:
            engine = create_engine("sqlite://", creator=lambda: file, poolclass=NullPool)
            with engine.connect() as connection:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                _migrate(connection)
                connection.commit()
    except (OSError, sqlite3.Error, DBAPIError) as error:
        raise _unavailable(getattr(error, "orig", None) or error) from error


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait until no other process of this host upgrades a file in the same directory."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)


def _opened(path: Path) -> sqlite3.Connection:
    """The file, created for its owner alone, with the write-ahead log on."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    file = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    file.execute("PRAGMA journal_mode=WAL")
    file.execute("PRAGMA synchronous=FULL")
    return file


async def _upgrade_postgresql(url: str) -> None:
    from sqlalchemy import text
    from sqlalchemy.ext.asyncio import create_async_engine

    engine = create_async_engine("postgresql+asyncpg://", async_creator=lambda: _connect(url))
    try:
        async with engine.begin() as connection:
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
            await connection.run_sync(_migrate)
    finally:
        await engine.dispose()


def _migrate(connection: "Connection") -> None:
    """Run the migrations that are missing, none if another process was first."""
    from alembic import command
    from alembic.config import Config
    from sqlalchemy.exc import DBAPIError

    config = Config()
    config.set_main_option("script_location", "calotype.database:migrations")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except DBAPIError as error:
        raise SchemaError(f"The tables could not be migrated and are as they were: {error.orig}.") from error


def _unavailable(error: BaseException) -> StorageUnavailable:
    return StorageUnavailable(f"The database cannot be opened: {str(error) or type(error).__name__}.")
