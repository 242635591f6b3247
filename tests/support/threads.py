"""Things done at the same time."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

Result = TypeVar("Result")


def together(tasks: Iterable[Callable[[], Result]]) -> list[Result]:
    """What each of the tasks answers, all begun at the same moment."""
    wanted = list(tasks)
    gate = Barrier(len(wanted))

    def run(task: Callable[[], Result]) -> Result:
        gate.wait(30)
        return task()

    with ThreadPoolExecutor(len(wanted)) as threads:
        return list(threads.map(run, wanted))
