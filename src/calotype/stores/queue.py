"""Images that wait to be fetched into the cache of this host: a file for each, named by the image's id.

Any worker may take one up. It holds the lock of the file meanwhile, so none is fetched twice at a time, and who dies
leaves it to the others.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from calotype.stores.local import worded
from calotype.stores.locks import claimed, same


class Queue:
    """The queue in one directory. Every method raises StorageUnavailable."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def open(self) -> None:
        """Make the directory."""
        with worded("image cache"):
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o750)

    def add(self, image_id: str) -> None:
        """Put the image at the end, or leave it where it is."""
        with worded("image cache"), suppress(FileExistsError):
            os.close(os.open(self._directory / image_id, os.O_CREAT | os.O_EXCL, 0o640))

    def all(self) -> dict[str, float]:
        """The images in order, with the times since when they wait, in seconds since 1970."""
        found = {}
        with worded("image cache"):
            for name in os.listdir(self._directory):
                with suppress(FileNotFoundError):
                    found[name] = (self._directory / name).stat().st_mtime
        return dict(sorted(found.items(), key=lambda each: each[::-1]))

    def remove(self, image_id: str) -> bool:
        """Take the image out; whether it was there."""
        with worded("image cache"):
            if image_id not in os.listdir(self._directory):
                return False
            (self._directory / image_id).unlink(missing_ok=True)
            return True

    def clear(self) -> None:
        """Take all out."""
        with worded("image cache"):
            for name in os.listdir(self._directory):
                (self._directory / name).unlink(missing_ok=True)

    @contextmanager
    def taken(self, image_id: str) -> Iterator["Turn | None"]:
        """The image's turn, for one worker at a time; None if another has it, or nobody wants it any more."""
        path = self._directory / image_id
        with worded("image cache"):
            descriptor = claimed(path)
        try:
            yield None if descriptor is None else Turn(descriptor, path)
        finally:
            if descriptor is not None:
                os.close(descriptor)


class Turn:
    """An image that this worker takes care of."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self._descriptor = descriptor
        self._path = path

    def done(self) -> None:
        """Take it out, unless it was put in again meanwhile."""
        with worded("image cache"):
            if same(self._descriptor, self._path):
                self._path.unlink(missing_ok=True)
