"""A local directory: one file per image, named by the image's id, as Glance's filesystem store lays it out.

    images/
      5f0d3c52-8d7e-4f0b-9a63-1d1f4a6b2c10      the data of that image
      5f0d3c52-8d7e-4f0b-9a63-1d1f4a6b2c10.1    the data of an image whose first upload failed
      .partial/                                 data being written

A name is used for one upload only, ever, so whatever is done to a name can harm no later upload.
"""

import asyncio
import errno
import logging
import os
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from calotype.images.errors import StorageFull, StorageUnavailable

log = logging.getLogger("calotype.stores")

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)
_PIECE = 256 * 1024


class LocalStore:
    """The data of images under one directory."""

    kind = "file"
    read_only = False

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._partial = directory / ".partial"

    async def open(self) -> None:
        """Make the directories; raises StorageUnavailable."""
        with worded(place=self._directory):
            for directory in (self._directory, self._partial):
                directory.mkdir(parents=True, exist_ok=True, mode=0o750)
                _sync_directory(directory.parent)

    async def close(self) -> None:
        """Nothing is held."""

    def writer(self, name: str) -> "Writer":
        """A file that becomes readable under `name` at its commit and not before."""
        return Writer(self._partial / name, self._directory / name)

    def path(self, name: str) -> Path:
        """Where the committed data of `name` lies."""
        return self._directory / name

    async def size(self, name: str) -> int | None:
        """Bytes of the committed data, None if there is none; raises StorageUnavailable."""
        with worded(place=self._directory):
            try:
                return self.path(name).stat().st_size
            except FileNotFoundError:
                return None

    async def read(self, name: str, start: int, stop: int) -> AsyncGenerator[bytes]:
        """The bytes from `start` to before `stop`; raises StorageUnavailable, also when there are fewer."""
        with worded(place=self._directory):
            file = await asyncio.to_thread(open, self.path(name), "rb", buffering=0)
        with file, worded(place=self._directory):
            file.seek(start)
            while start < stop:
                piece = await asyncio.to_thread(file.read, min(_PIECE, stop - start))
                if not piece:
                    raise StorageUnavailable(f"The data {name} ends before its end.")
                start += len(piece)
                yield piece

    def url(self, name: str) -> str:
        """`file:///…`"""
        return self.path(name).absolute().as_uri()

    def properties(self) -> dict[str, Any]:
        """Where it is, and the size of the pieces in which it is read."""
        return {"data_dir": str(self._directory.absolute()), "chunk_size": _PIECE, "thin_provisioning": False}

    async def partials(self) -> list[str]:
        """The names under which data is being written, or was when its writer died."""
        with worded(place=self._directory):
            return [path.name for path in self._partial.iterdir()]

    async def discard(self, name: str) -> None:
        """Remove what was written of data that was never committed; committed data stays."""
        with worded(place=self._directory):
            (self._partial / name).unlink(missing_ok=True)

    async def remove(self, name: str) -> None:
        """Remove the data, committed or partial; what is not there is removed already."""
        await asyncio.to_thread(self._remove, name)

    def _remove(self, name: str) -> None:
        with worded(place=self._directory):
            for path in (self._partial / name, self._directory / name):
                path.unlink(missing_ok=True)


class Writer:
    """Data on its way in. Its methods block: call them in a thread, one at a time."""

    def __init__(self, partial: Path, final: Path) -> None:
        self._partial = partial
        self._final = final
        with worded(place=self._final):
            self._file = open(partial, "xb", buffering=0, opener=private)  # noqa: SIM115 - closed by commit or cancel

    def write(self, block: bytes) -> None:
        """Append; raises StorageFull, StorageUnavailable."""
        view = memoryview(block)
        with worded(place=self._final):
            while view:
                view = view[self._file.write(view) :]

    def commit(self) -> None:
        """Make the data durable, then readable: it survives power loss once this returns."""
        with worded(place=self._final):
            os.fsync(self._file.fileno())
            self._file.close()
            os.rename(self._partial, self._final)
            _sync_directory(self._final.parent)

    def cancel(self) -> None:
        """Leave nothing behind; harmless after a commit that failed."""
        self._file.close()
        with worded(place=self._final):
            self._partial.unlink(missing_ok=True)


def private(path: str, flags: int) -> int:
    """Images may be secret: whatever the umask, others cannot read them."""
    return os.open(path, flags, 0o640)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def worded(what: str = "image storage", place: Path | None = None) -> Iterator[None]:
    """Turn the operating system's errors into the domain's; only the log tells the place."""
    try:
        yield
    except OSError as error:
        log.error("%s %s: %s", what, place or "", error)
        if error.errno in _FULL:
            raise StorageFull(f"{what.capitalize()} media is full: {error.strerror}") from error
        if error.errno in _REFUSED:
            raise StorageUnavailable(f"Insufficient permissions on {what} media: {error.strerror}") from error
        raise StorageUnavailable(f"The {what} cannot be used at the moment: {error.strerror}") from error
