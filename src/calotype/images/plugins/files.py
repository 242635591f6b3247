"""A file that a plugin makes: whole, or not there."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from calotype.images.errors import StorageFull, StorageUnavailable

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def making(target: Path) -> Iterator[BinaryIO]:
    """A new file to write; whatever is raised meanwhile removes it. Raises StorageFull, StorageUnavailable."""
    with worded():
        file = open(target, "xb", buffering=0, opener=_private)  # noqa: SIM115 - closed below
    try:
        with file:
            yield file
    except BaseException:
        discard(target)
        raise


def discard(target: Path) -> None:
    """Remove what was made."""
    target.unlink(missing_ok=True)


@contextmanager
def worded() -> Iterator[None]:
    """Turn the operating system's errors into the domain's."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull(f"Image storage media is full: {error.strerror}") from error
        raise StorageUnavailable(f"The image storage cannot be used at the moment: {error.strerror}") from error


def _private(path: str, flags: int) -> int:
    """Images may be secret: whatever the umask, others cannot read them."""
    return os.open(path, flags, 0o640)
