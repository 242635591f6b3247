"""What a database offers to the rest of the service, and how its statements are counted."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Protocol

from calotype.database.statements import Params, Row, Statement, Work


class Tally:
    """How many statements the current request has run."""

    __slots__ = ("statements",)

    def __init__(self) -> None:
        self.statements = 0


tally: ContextVar[Tally | None] = ContextVar("tally", default=None)


def count(statements: int = 1) -> None:
    """Charge statements to the request in whose context this runs."""
    current = tally.get()
    if current is not None:
        current.statements += statements


class Database(Protocol):
    """A catalogue on SQLite or PostgreSQL. Every method raises StorageUnavailable when it cannot be reached."""

    async def one(self, statement: Statement, params: Params) -> Row | None:
        """The first row of a cheap point read, or None."""

    async def all(self, statement: Statement, params: Params) -> list[Row]:
        """All rows of a read that may be long."""

    async def write(self, work: Callable[..., Work], *arguments: Any) -> Any:
        """Run `work(*arguments)` as one transaction, durable when this returns; what it raises rolls back.

        The work may be begun again when the database asks for it, so it keeps its effects inside the database.
        """

    async def maintain(self) -> None:
        """Look after the database now and then."""

    async def open(self) -> None:
        """Connect; raises StorageUnavailable."""

    async def close(self) -> None:
        """Let everything go."""
