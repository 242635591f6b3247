"""Locks on files, by which the workers of a host keep out of each other's way; the kernel lets go at any death."""

import fcntl
import os
from pathlib import Path


def claimed(path: Path, create: bool = False) -> int | None:
    """A descriptor of the file that holds its lock, until it is closed; None if somebody else does, or it is gone.

    Only who holds the lock of a file may rename or remove it: then the name and the lock stay together.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | (os.O_CREAT if create else 0), 0o640)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if same(descriptor, path):
            return descriptor
    except BlockingIOError:
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def same(descriptor: int, path: Path) -> bool:
    """Whether the file of the descriptor is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def held(descriptor: int) -> bool:
    """Whether another descriptor holds the lock of this one's file."""
    try:
        # Shared, so that two who look at the same time do not take each other for the holder.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False
