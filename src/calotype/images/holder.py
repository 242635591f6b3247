"""Which worker holds which data being written, and whether that worker still lives.

A worker of this host lives as long as it holds the lock on its file in DIR/run, which the kernel takes away at any
death. A worker of another host lives as long as it has been heard of: it renews its rows every HEARTBEAT seconds.
"""

import asyncio
import fcntl
import os
import shutil
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from calotype.database import loose
from calotype.database.engine import Database
from calotype.images.model import now
from calotype.stores.locks import held
from calotype.telemetry.background import every

HEARTBEAT = 15.0
LEASE = 90.0


class Holder:
    """This worker, as the holder of what it writes. `data` is the data directory of this host."""

    def __init__(self, database: Database, data: Path) -> None:
        self._database = database
        self._directory = data / "run"
        self._scratches = data / "scratch"
        self.id = uuid.uuid4().hex
        self.scratch = self._scratches / self.id
        """A directory for files of this worker alone; whoever wants it makes it, and it goes with the worker."""
        self._uploads: Counter[str] = Counter()
        self._lock: int | None = None
        self._beat: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Take the lock and begin to give signs of life."""
        self._directory.mkdir(parents=True, exist_ok=True)
        # Locked before it has its name, so that nobody ever sees it without its lock.
        unnamed = self._directory.with_name(f".{self.id}")
        self._lock = os.open(unnamed, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        unnamed.rename(self._directory / self.id)
        self._beat = asyncio.create_task(every(HEARTBEAT, self._give_sign, "the sign of life"))

    async def close(self) -> None:
        """Give everything up. The file stays: whoever buries it looks first for uploads that were broken off."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        if self._beat is not None:
            self._beat.cancel()
        if self._lock is not None:
            os.close(self._lock)

    @contextmanager
    def writing(self, image_id: str) -> Iterator[None]:
        """Meanwhile what is written for the image is not left over."""
        self._uploads[image_id] += 1
        try:
            yield
        finally:
            self._uploads[image_id] -= 1
            self._uploads += Counter()  # drops what is zero

    def lives(self, image_id: str, holder: str, seen_at: int) -> bool:
        """Whether `holder` may still be writing for the image; `seen_at` as in `model.now`."""
        if holder == self.id:
            return self._uploads[image_id] > 0
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
        """Remove the lock files of the dead, and their scratch, once nothing is left that they held."""
        for name in dead:
            shutil.rmtree(self._scratches / name, ignore_errors=True)
            (self._directory / name).unlink(missing_ok=True)

    async def _give_sign(self) -> None:
        if self._uploads:
            await self._database.write(loose.renew, self.id)


def _locked(path: Path) -> bool:
    """Whether some process holds the lock; FileNotFoundError."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        return held(descriptor)
    finally:
        os.close(descriptor)
