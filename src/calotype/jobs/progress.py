"""How far a task is."""

from collections.abc import AsyncGenerator
from contextlib import aclosing


class Progress:
    """In words for people: step, bytes, last error."""

    def __init__(self) -> None:
        self._step = ""
        self._done = 0
        self._total: int | None = None
        self._trouble = ""

    def begin(self, step: str, total: int | None = None) -> None:
        """The next step, of `total` bytes."""
        self._step, self._done, self._total = step, 0, total

    async def counted(self, chunks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
        """The same pieces, each counted as it passes."""
        async with aclosing(chunks) as pieces:
            async for piece in pieces:
                self._done += len(piece)
                yield piece

    def trouble(self, text: str) -> None:
        """What went wrong last, although the task goes on."""
        self._trouble = text

    def __str__(self) -> str:
        step = ""
        if self._step:
            of = "" if self._total is None else f" of {self._total}"
            step = f"{self._step}: {self._done}{of} bytes"
        return "; last error: ".join(part for part in (step, self._trouble) if part)
