"""What a store offers: bytes under names. A name is written once, ever; nothing is readable before its commit."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Protocol


class Writer(Protocol):
    """Data on its way in. Its methods block: call them in a thread, one at a time."""

    def write(self, block: bytes) -> None:
        """Append; raises StorageFull, StorageUnavailable."""

    def commit(self) -> None:
        """Make the data durable, then readable: it survives power loss once this returns."""

    def cancel(self) -> None:
        """Leave nothing behind; harmless after a commit that failed."""


class Store(Protocol):
    """One store. Every method raises StorageUnavailable when the medium cannot be used."""

    kind: str
    """The word for it in `info/stores/detail`."""
    read_only: bool
    """Whether clients, not images, put the data there."""

    async def open(self) -> None:
        """Make ready."""

    async def close(self) -> None:
        """Let everything go."""

    def writer(self, name: str) -> Writer:
        """A way to write under `name`; it blocks, and raises StorageUnavailable in a read-only store."""

    async def size(self, name: str) -> int | None:
        """Bytes of the committed data, None if there is none."""

    def path(self, name: str) -> Path | None:
        """The file with the data, where there is one on this host."""

    def read(self, name: str, start: int, stop: int) -> AsyncGenerator[bytes]:
        """The bytes from `start` to before `stop`, piece by piece."""

    async def remove(self, name: str) -> None:
        """Remove the data, committed or partial; what is not there is removed already."""

    async def partials(self) -> list[str]:
        """The names under which data is being written, or was when its writer died."""

    async def discard(self, name: str) -> None:
        """Remove what was written of data that was never committed; committed data stays."""

    def url(self, name: str) -> str:
        """The URL of the data, as locations show it."""

    def properties(self) -> dict[str, Any]:
        """What `info/stores/detail` tells of it."""
