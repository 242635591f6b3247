"""Data of an image, ready to be sent."""

from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import NamedTuple

Read = Callable[[int, int], AsyncGenerator[bytes]]
"""The bytes from the first number to before the second, piece by piece."""


class Data(NamedTuple):
    """Data to send: `size` bytes, as a file of this host if there is one, and piece by piece. `store` has it."""

    size: int
    path: Path | None
    read: Read
    store: str
