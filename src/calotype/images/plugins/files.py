"""A file that a plugin makes: whole, or not there."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from calotype.stores.local import private, worded

SCRATCH = "import scratch"
"""What errors call the place of these files."""


@contextmanager
def making(target: Path) -> Iterator[BinaryIO]:
    """A new file to write; whatever is raised meanwhile removes it. Raises StorageFull, StorageUnavailable."""
    with worded(SCRATCH):
        file = open(target, "xb", buffering=0, opener=private)  # noqa: SIM115 - closed below
    try:
        with file:
            yield file
    except BaseException:
        discard(target)
        raise


def discard(target: Path) -> None:
    """Remove what was made."""
    target.unlink(missing_ok=True)
