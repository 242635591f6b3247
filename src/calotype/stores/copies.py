"""Whole copies of images on a disk of this host, shared by its workers; what is known of them is in the file system.

    cache/
      data/ID.KEY.SIZE      a whole copy; KEY stands for the content, so other content has another name
      hits/ID.KEY.SIZE      a byte for each time the copy was used; its time is that of the last use
      partial/ID.KEY.SIZE   a copy being filled, locked by the worker that fills it
      lock                  locked while room is made
      swept                 its time is that of the last sweep

Together `data` and the announced sizes in `partial` stay within a bound: who begins a copy makes room for it first.
Methods that are not asynchronous block, for as long as a few calls of the file system take.
"""

import asyncio
import fcntl
import logging
import os
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from calotype.images.errors import StorageUnavailable
from calotype.stores.local import worded
from calotype.stores.locks import claimed, held, same

log = logging.getLogger("calotype.cache")

GRACE = 2.0
"""Seconds after its last use in which a copy is not evicted: its file may have been named and not yet be open."""
_POLL = 0.05
_PIECE = 256 * 1024


class Name(NamedTuple):
    """What a copy is called: the image, what stands for the content, and the bytes of it."""

    image_id: str
    key: str
    size: int

    def __str__(self) -> str:
        return f"{self.image_id}.{self.key}.{self.size}"


class Copy(NamedTuple):
    """A whole copy; times in seconds since 1970."""

    name: Name
    hits: int
    accessed: float
    modified: float


class Pruned(NamedTuple):
    """What was removed to make room."""

    files: int
    bytes: int


class Copies:
    """The copies under one directory; `bound` is how many bytes they may take."""

    def __init__(self, directory: Path, bound: int) -> None:
        self._directory = directory
        self.bound = bound
        self._data = directory / "data"
        self._hits = directory / "hits"
        self._partial = directory / "partial"

    def open(self) -> None:
        """Make the directories; raises StorageUnavailable."""
        with worded("image cache"):
            for directory in (self._directory, self._data, self._hits, self._partial):
                directory.mkdir(parents=True, exist_ok=True, mode=0o750)

    def find(self, name: Name) -> Path | None:
        """The file of a whole copy, whose use is counted; None if there is none."""
        path = self._data / str(name)
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            return None
        except OSError as error:
            log.error("image cache: %s", error)
            return None
        if size != name.size:
            log.error("the copy %s has %s bytes, and is removed", name, size)
            self._drop(name)
            return None
        self._count(name)
        return path

    def _count(self, name: Name) -> None:
        """One byte more: nothing that is read and written back, so that no use is lost between workers."""
        try:
            descriptor = os.open(self._hits / str(name), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        except OSError:
            return
        try:
            os.write(descriptor, b".")
        except OSError:  # a full disk: the use counts for the order all the same
            with suppress(OSError):
                os.utime(descriptor)
        finally:
            os.close(descriptor)

    def begin(self, name: Name) -> "Filling | None":
        """A way to fill a copy; None if somebody fills it already, it is there, or there is no room."""
        if name.size > self.bound:
            return None
        with worded("image cache"):
            descriptor = claimed(self._partial / str(name), create=True)
            if descriptor is None:
                return None
            filling = Filling(descriptor, self._partial / str(name), self._data / str(name))
            try:
                if not self.has(name) and self._make_room(only_if_enough=True) is not None:
                    os.ftruncate(descriptor, 0)  # what one who died has left
                    return filling
            except BaseException:
                filling.cancel()
                raise
            filling.cancel()
            return None

    async def follow(self, name: Name, start: int, stop: int) -> AsyncGenerator[bytes]:
        """The bytes from `start` to before `stop`, as they come in; it ends early if the filling does.

        What is read here may not be verified yet; it is what the store sent.
        """
        file = await asyncio.to_thread(self._reader, name)
        if file is None:
            return
        with file:
            file.seek(start)
            while start < stop:
                wanted = min(_PIECE, stop - start)
                piece = await asyncio.to_thread(file.read, wanted)
                if not piece and not held(file.fileno()):
                    piece = await asyncio.to_thread(file.read, wanted)
                    if not piece:
                        return
                if piece:
                    start += len(piece)
                    yield piece
                else:
                    await asyncio.sleep(_POLL)

    def _reader(self, name: Name) -> BinaryIO | None:
        # A copy goes from one to the other, so this order finds it.
        for directory in (self._partial, self._data):
            with suppress(OSError):
                return open(directory / str(name), "rb", buffering=0)
        return None

    def has(self, name: Name) -> bool:
        """Whether there is a whole copy."""
        return (self._data / str(name)).exists()

    def started(self, name: Name) -> bool:
        """Whether there is a copy, whole or being filled."""
        return (self._partial / str(name)).exists() or self.has(name)

    def all(self) -> list[Copy]:
        """The whole copies, by image; raises StorageUnavailable."""
        with worded("image cache"):
            return sorted(copy for name in _names(self._data) if (copy := self._look(name)) is not None)

    def _look(self, name: Name) -> Copy | None:
        try:
            modified = (self._data / str(name)).stat().st_mtime
        except FileNotFoundError:
            return None
        try:
            hits = (self._hits / str(name)).stat()
        except FileNotFoundError:
            return Copy(name, 0, modified, modified)
        return Copy(name, hits.st_size, max(hits.st_mtime, modified), modified)

    def remove(self, image_id: str) -> bool:
        """Remove the copies of an image; whether there were any. Raises StorageUnavailable."""
        with worded("image cache"):
            names = [name for name in _names(self._data) if name.image_id == image_id]
            for name in names:
                self._drop(name)
            return bool(names)

    def drop(self, name: Name) -> None:
        """Remove one whole copy; raises StorageUnavailable."""
        with worded("image cache"):
            self._drop(name)

    def clear(self) -> None:
        """Remove every whole copy; raises StorageUnavailable."""
        with worded("image cache"):
            for name in _names(self._data):
                self._drop(name)

    def prune(self) -> Pruned:
        """Remove the copies used longest ago until the rest is within the bound; raises StorageUnavailable."""
        with worded("image cache"):
            return self._make_room(only_if_enough=False) or Pruned(0, 0)

    def clean(self) -> None:
        """Remove what is no copy: leftovers of fillings that died, and files of a wrong size.

        Raises StorageUnavailable.
        """
        with worded("image cache"):
            self._filling()
            for name in _names(self._data):
                with suppress(FileNotFoundError):
                    if (self._data / str(name)).stat().st_size != name.size:
                        self._drop(name)
            for name in _names(self._hits):
                if not self.has(name):
                    (self._hits / str(name)).unlink(missing_ok=True)

    @contextmanager
    def sweeping(self, pause: float) -> Iterator[bool]:
        """Whether this worker should sweep now: none other does, or did in the last `pause` seconds.

        Raises StorageUnavailable.
        """
        with worded("image cache"):
            descriptor = claimed(self._directory / "swept", create=True)
        if descriptor is None:
            yield False
            return
        try:
            last = os.fstat(descriptor)
            due = last.st_size == 0 or last.st_mtime < time.time() - pause
            if due:
                os.pwrite(descriptor, b".", 0)
            yield due
        finally:
            os.close(descriptor)

    def _make_room(self, only_if_enough: bool) -> Pruned | None:
        """Evict by last use; None if that is not enough, and then, if so wished, nothing was evicted."""
        with self._locked():
            copies = sorted(self.all(), key=lambda copy: copy.accessed)
            excess = sum(copy.name.size for copy in copies) + self._filling() - self.bound
            victims = []
            for copy in copies:
                if excess <= 0 or copy.accessed > time.time() - GRACE:
                    break
                victims.append(copy.name)
                excess -= copy.name.size
            if excess > 0 and only_if_enough:
                return None
            for name in victims:
                self._drop(name)
            return Pruned(len(victims), sum(name.size for name in victims))

    def _filling(self) -> int:
        """Bytes promised to copies being filled; what the dead left of theirs is removed."""
        promised = 0
        for name in _names(self._partial):
            path = self._partial / str(name)
            descriptor = claimed(path)
            if descriptor is not None:
                path.unlink(missing_ok=True)
                os.close(descriptor)
            elif path.exists():
                promised += name.size
        return promised

    @contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(self._directory / "lock", os.O_RDWR | os.O_CREAT, 0o640)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _drop(self, name: Name) -> None:
        """Who reads the file goes on reading it."""
        with suppress(FileNotFoundError):
            (self._data / str(name)).unlink()
        with suppress(FileNotFoundError):
            (self._hits / str(name)).unlink()


class Filling:
    """A copy on its way in, as a `stores.base.Writer`; while it lives, the lock says so."""

    def __init__(self, descriptor: int, partial: Path, final: Path) -> None:
        self._file: BinaryIO = os.fdopen(descriptor, "wb", buffering=0)
        self._partial = partial
        self._final = final

    def write(self, block: bytes) -> None:
        """Append; raises StorageFull, StorageUnavailable."""
        view = memoryview(block)
        with worded("image cache"):
            while view:
                view = view[self._file.write(view) :]

    def commit(self) -> None:
        """Make it a whole copy: its bytes are on the disk before its name is, so power loss leaves no holes."""
        with worded("image cache"):
            os.fsync(self._file.fileno())
            if not same(self._file.fileno(), self._partial):
                raise StorageUnavailable(f"The partial copy {self._partial.name} was taken away.")
            os.rename(self._partial, self._final)
            self._file.close()

    def cancel(self) -> None:
        """Leave nothing behind; harmless after a commit, also one that failed."""
        if self._file.closed:
            return
        with worded("image cache"), self._file:
            if same(self._file.fileno(), self._partial):
                self._partial.unlink(missing_ok=True)


def _names(directory: Path) -> list[Name]:
    """The names in a directory; what is called otherwise is not ours."""
    found = []
    for entry in os.listdir(directory):
        image_id, _, rest = entry.partition(".")
        key, _, size = rest.partition(".")
        if key and size.isdecimal():
            found.append(Name(image_id, key, int(size)))
    return found
