"""PostgreSQL through asyncpg: a pool of connections, prepared statements kept by the driver."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, cast

import asyncpg

from calotype.database.engine import count
from calotype.database.statements import Params, Row, Statement, Work
from calotype.images.errors import StorageUnavailable

POOL = 10
CONNECT_SECONDS = 5.0
STATEMENT_SECONDS = 60.0
ATTEMPTS = 5

_LOST = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what the driver trips over when a connection breaks at the wrong moment
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,  # a full disk, no memory, too many connections
    asyncpg.OperatorInterventionError,  # shutting down, starting up, a cancelled statement, a dropped database
    asyncpg.PostgresSystemError,
    asyncpg.InternalServerError,
    asyncpg.ReadOnlySQLTransactionError,  # a standby
    asyncpg.LockNotAvailableError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
)
# A row that appeared since the work looked for it: begun again, the work sees it and words the refusal itself.
_AGAIN = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.UniqueViolationError,
    asyncpg.ForeignKeyViolationError,
)

log = logging.getLogger("calotype.database")


class PostgreSQL:
    """A database on a server."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._pool: asyncpg.Pool | None = None

    async def open(self) -> None:
        """Connect the pool; raises StorageUnavailable."""
        try:
            self._pool = await asyncpg.create_pool(
                self.url, min_size=1, max_size=POOL, timeout=CONNECT_SECONDS, command_timeout=STATEMENT_SECONDS,
                server_settings={"application_name": "calotype", "jit": "off"},
            )  # fmt: skip
        except _LOST as error:
            raise _unavailable(error) from error

    async def close(self) -> None:
        """Close the pool once the statements under way have ended."""
        if self._pool is not None:
            await self._pool.close()
            self._pool = None

    @property
    def _connected(self) -> asyncpg.Pool:
        if self._pool is None:
            raise StorageUnavailable("The database is not open.")
        return self._pool

    async def one(self, statement: Statement, params: Params) -> Row | None:
        """The first row."""
        count()
        text, values = statement.postgresql(params)  # type: ignore[arg-type]
        try:
            row = await self._connected.fetchrow(text, *values)
        except _LOST as error:
            raise _unavailable(error) from error
        return cast("Row | None", row)

    async def all(self, statement: Statement, params: Params) -> list[Row]:
        """All rows."""
        count()
        text, values = statement.postgresql(params)  # type: ignore[arg-type]
        try:
            rows = await self._connected.fetch(text, *values)
        except _LOST as error:
            raise _unavailable(error) from error
        return cast("list[Row]", rows)

    async def write(self, work: Callable[..., Work], *arguments: Any) -> Any:
        """One transaction, begun again after a deadlock or a lost race; it ends even if the caller goes away."""
        return await asyncio.shield(self._transact(work, arguments))

    async def maintain(self) -> None:
        """Nothing: the server's autovacuum does it."""

    async def _transact(self, work: Callable[..., Work], arguments: tuple[Any, ...]) -> Any:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async with self._connected.acquire() as connection, connection.transaction():
                    return await _drive(connection, work(*arguments))
            except _AGAIN as error:
                if attempt == ATTEMPTS:
                    raise _unavailable(error) from error
            except _LOST as error:
                raise _unavailable(error) from error


async def _drive(connection: Any, steps: Work) -> Any:
    """Run the steps; returns their result."""
    rows: list[Row] | None = None
    while True:
        try:
            statement, params = steps.send(rows)  # type: ignore[arg-type]
        except StopIteration as end:
            return end.value
        if isinstance(params, list):
            texts = [statement.postgresql(each) for each in params]
            if texts:
                await connection.executemany(texts[0][0], [values for _, values in texts])
            rows = []
            count(len(params))
        else:
            text, values = statement.postgresql(params)  # type: ignore[arg-type]
            rows = await connection.fetch(text, *values)
            count()


def _unavailable(error: BaseException) -> StorageUnavailable:
    log.warning("database: %s", str(error) or type(error).__name__)  # not for callers: it may name hosts and users
    return StorageUnavailable("The database cannot be reached at the moment.")
