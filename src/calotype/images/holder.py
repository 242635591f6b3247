"""Which worker holds which data being written, and whether that worker still lives.

A worker of this host lives as long as it holds the lock on its file in DIR/run, which the kernel takes away at any
death. A worker of another host lives as long as it has been heard of: it renews its rows every HEARTBEAT seconds.
"""

import asyncio
import fcntl
import logging
import os
import uuid
from contextlib import suppress
from pathlib import Path

from calotype.database import loose
from calotype.database.engine import Database
from calotype.images.errors import StorageUnavailable
from calotype.images.model import now

HEARTBEAT = 15.0
LEASE = 90.0

log = logging.getLogger("calotype.holder")


class Holder:
    """This worker, as the holder of the uploads in `active`."""

    def __init__(self, database: Database, directory: Path) -> None:
        self._database = database
        self._directory = directory
        self.id = uuid.uuid4().hex
        self.active: set[str] = set()
        self._lock: int | None = None
        self._beat: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Take the lock and begin to give signs of life."""
        self._directory.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self._directory / self.id, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._beat = asyncio.create_task(self._heartbeat())

    async def close(self) -> None:
        """Give everything up."""
        if self._beat is not None:
            self._beat.cancel()
        if self._lock is not None:
            (self._directory / self.id).unlink(missing_ok=True)
            os.close(self._lock)

    def lives(self, location: str, holder: str, seen_at: int) -> bool:
        """Whether `holder` may still be writing to `location`; `seen_at` as in `model.now`."""
        if holder == self.id:
            return location in self.active
        if not holder:
            return False
        try:
            return _locked(self._directory / holder)
        except FileNotFoundError:
            return now() - seen_at < LEASE * 1_000_000

    def dead(self) -> list[str]:
        """The holders of this host that died and are not buried."""
        found = []
        for path in self._directory.iterdir():
            with suppress(FileNotFoundError):
                if path.name != self.id and not _locked(path):
                    found.append(path.name)
        return found

    def bury(self, dead: list[str]) -> None:
        """Remove the lock files of the dead, once nothing is left that they held."""
        for name in dead:
            (self._directory / name).unlink(missing_ok=True)

    async def _heartbeat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT)
            if self.active:
                try:
                    await self._database.write(loose.renew, self.id)
                except StorageUnavailable as error:
                    log.warning("no sign of life given: %s", error)


def _locked(path: Path) -> bool:
    """Whether some process holds the lock; FileNotFoundError."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        # Shared, so that two who look at the same time do not take each other for the holder.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
