"""Tasks as a caller meets them (spec: image-v2 19)."""

import uuid
from typing import Any, NamedTuple

from calotype.access.caller import Caller
from calotype.database import tasks as rows
from calotype.database.engine import Database
from calotype.images.errors import Invalid, NotFound
from calotype.images.library import Library
from calotype.images.model import Task, TaskType, keepable, now

SHOWN = 100
"""Tasks of an image that one answer holds: it has no pages."""


class Asked(NamedTuple):
    """Who asks, in which request, with which body; `token` and `url` (of the remote service) are for the work alone."""

    caller: Caller
    request_id: str
    body: dict[str, Any]
    token: str | None = None
    url: str | None = None


def new_task(asked: Asked, kind: TaskType, image_id: str, request: dict[str, Any]) -> Task:
    """A task that begins at once."""
    moment = now()
    caller = asked.caller
    return Task(
        id=str(uuid.uuid4()),
        type=kind,
        status="pending",
        owner=caller.project_id,
        user_id=caller.user_id,
        request_id=asked.request_id,
        image_id=image_id,
        input=request,
        result=None,
        message="",
        created_at=moment,
        updated_at=moment,
        expires_at=None,
        state={},
        holder="",
        lease_until=0,
        attempts=0,
        cancelled=False,
        secret={"roles": sorted(caller.roles), "token": asked.token, "url": asked.url},
    )


class Tasks:
    """The tasks of this service."""

    def __init__(self, database: Database, library: Library) -> None:
        self._database = database
        self._library = library

    async def of_image(self, caller: Caller, image_id: str) -> list[Task]:
        """The image's newest tasks: the caller's project's own, all for an admin. ImageNotFound."""
        image = await self._library.show(caller, image_id)
        params = {"image_id": image.id, "all": caller.is_admin, "owner": caller.project_id or "", "limit": SHOWN}
        return [rows.task(row) for row in await self._database.all(rows.OF_IMAGE, params)]

    async def show(self, caller: Caller, task_id: str) -> Task:
        """One task; NotAuthorized, NotFound."""
        self._library.authorize("tasks_api_access", caller)
        row = await self._database.one(rows.GET, {"id": task_id}) if keepable(task_id) else None
        if row is None:
            raise NotFound(f"Could not find task {task_id}")
        return rows.task(row)

    async def find(
        self, caller: Caller, filters: dict[str, str], sort: tuple[str, str], marker: str | None, limit: int
    ) -> list[Task]:
        """A page of tasks; NotAuthorized, Invalid for a marker that is no task."""
        self._library.authorize("tasks_api_access", caller)
        after = None
        if marker is not None:
            try:
                after = await self.show(caller, marker)
            except NotFound:
                raise Invalid(f"Task with the given id {marker} was not found") from None
        if limit == 0:
            return []
        return [rows.task(row) for row in await self._database.all(*rows.listing(filters, sort, after, limit))]
