"""What is looked up once for all who ask at the same time, and memories that do not grow."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

Key = TypeVar("Key")
Found = TypeVar("Found")


class Lookups(Generic[Key, Found]):
    """Look-ups under way, by what is looked up."""

    def __init__(self) -> None:
        self._under_way: dict[Key, asyncio.Task[Found]] = {}

    def __len__(self) -> int:
        return len(self._under_way)

    def __contains__(self, key: Key) -> bool:
        return key in self._under_way

    def begun(self, key: Key, look_up: Callable[[], Coroutine[Any, Any, Found]]) -> "asyncio.Task[Found]":
        """The look-up under way, or a new one; who waits for it shields it from his own going away."""
        task = self._under_way.get(key)
        if task is None or task.done():  # one that is over is there until the loop comes round
            task = self._under_way[key] = asyncio.create_task(look_up())
            task.add_done_callback(lambda done: self._settle(key, done))
        return task

    def forget(self) -> None:
        """Let those under way come to their end; who asks from now on begins another."""
        self._under_way.clear()

    def cancel(self) -> None:
        """End those under way."""
        for task in [*self._under_way.values()]:
            task.cancel()

    def _settle(self, key: Key, done: "asyncio.Task[Found]") -> None:
        if self._under_way.get(key) is done:
            del self._under_way[key]
        if not done.cancelled():
            done.exception()  # those who wait get it; when nobody does, it is no matter


def keep(memory: dict[Key, Found], key: Key, value: Found, most: int) -> None:
    """Put in, as the newest of `most` things; the oldest goes."""
    memory.pop(key, None)
    while len(memory) >= most:
        del memory[next(iter(memory))]
    memory[key] = value
