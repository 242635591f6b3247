"""Runs tasks in this process: takes them, keeps their leases while they run, and ends them whatever happens."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Protocol

from calotype.database.tasks import LeaseLost
from calotype.images.errors import ImageError, StorageUnavailable
from calotype.images.model import Task
from calotype.jobs.progress import Progress
from calotype.jobs.queue import Queue
from calotype.settings import Jobs

POLL_SECONDS = 1.0
RETRY_SECONDS = 2.0
INTERNAL = "Task failed due to Internal Error"

log = logging.getLogger("calotype.jobs")


class Kind(Protocol):
    """What is done for one type of task."""

    async def run(self, task: Task, progress: Progress) -> None:
        """Do it and end it; or go on, when the worker that ran it before died. Raises ImageError, LeaseLost."""

    async def fail(self, task: Task, error: ImageError) -> None:
        """End it without success and leave everything in order. Raises LeaseLost."""


class Worker:
    """Runs at most `settings.concurrency` tasks at a time."""

    def __init__(self, queue: Queue, kinds: Mapping[str, Kind], settings: Jobs) -> None:
        self._queue = queue
        self._kinds = kinds
        self._settings = settings
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._woken = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        self._loop: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """There is something to do."""
        self._woken.set()

    async def open(self) -> None:
        """Begin to look for tasks."""
        self._loop = asyncio.create_task(self._look())

    async def close(self) -> None:
        """Stop, and give back what is running: it goes on elsewhere, or after the next start."""
        running = [task for task in (self._loop, *self._running) if task is not None]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _look(self) -> None:
        while True:
            await self._slots.acquire()
            task = await self._take()
            if task is None:
                self._slots.release()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), POLL_SECONDS)
                self._woken.clear()
                continue
            running = asyncio.create_task(self._run(task))
            self._running.add(running)
            running.add_done_callback(self._done)

    def _done(self, running: asyncio.Task[None]) -> None:
        self._running.discard(running)
        self._slots.release()

    async def _take(self) -> Task | None:
        try:
            return await self._queue.take()
        except ImageError as error:
            log.warning("tasks cannot be looked for: %s", error)
        except Exception:
            log.exception("tasks cannot be looked for")
        return None

    async def _run(self, task: Task) -> None:
        """One attempt, with its lease kept; whatever it ends with."""
        try:
            await self._attempt(task)
        except LeaseLost as error:
            log.warning("gave up: %s", error)
        except asyncio.CancelledError:
            with suppress(LeaseLost, ImageError):
                await self._queue.release(task)
            raise
        except ImageError as error:
            # The database is away: the lease runs out, and whoever comes first takes over.
            log.warning("task %s is left for a later attempt: %s", task.id, error)
        except Exception:
            log.exception("task %s is left for a later attempt", task.id)

    async def _attempt(self, task: Task) -> None:
        log.info("task %s of image %s begins, attempt %d", task.id, task.image_id, task.attempts)
        kind = self._kinds[task.type]
        if task.attempts > self._settings.attempts:
            text = f"Given up after {self._settings.attempts} attempts; the last: {task.message}"
            return await kind.fail(task, ImageError(text))
        progress = Progress()
        job = asyncio.create_task(kind.run(task, progress))
        try:
            cancelled = await self._keep(task, job, progress)
        finally:
            job.cancel()
            await asyncio.gather(job, return_exceptions=True)
        if cancelled:
            return await kind.fail(task, ImageError("The task was cancelled."))
        await self._conclude(task, kind, job, progress)

    async def _keep(self, task: Task, job: asyncio.Task[None], progress: Progress) -> bool:
        """Renew the lease until the job is over; True as soon as it is to be cancelled."""
        while True:
            await asyncio.wait((job,), timeout=self._settings.lease_seconds / 4)
            if job.done():
                return False
            try:
                if await self._queue.renew(task, str(progress)):
                    return True
            except StorageUnavailable as error:
                log.warning("the lease of task %s could not be renewed: %s", task.id, error)

    async def _conclude(self, task: Task, kind: Kind, job: asyncio.Task[None], progress: Progress) -> None:
        error = job.exception()
        if error is None:
            return
        if isinstance(error, LeaseLost):
            raise error
        if isinstance(error, StorageUnavailable) and task.attempts < self._settings.attempts:
            log.warning("task %s is put off: %s", task.id, error)
            progress.trouble(error.text)
            return await self._queue.put_off(task, RETRY_SECONDS * task.attempts, str(progress))
        if isinstance(error, ImageError):
            log.info("task %s failed: %s", task.id, error)
            return await kind.fail(task, error)
        log.error("task %s failed", task.id, exc_info=error)
        await kind.fail(task, ImageError(INTERNAL))
