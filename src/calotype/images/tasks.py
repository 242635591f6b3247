"""Tasks as a caller meets them (spec: image-v2 19)."""

from calotype.access.caller import Caller
from calotype.database import tasks as rows
from calotype.database.engine import Database
from calotype.images.errors import Invalid, NotFound
from calotype.images.library import Library
from calotype.images.model import Task, keepable


class Tasks:
    """The tasks of this service."""

    def __init__(self, database: Database, library: Library) -> None:
        self._database = database
        self._library = library

    async def of_image(self, caller: Caller, image_id: str) -> list[Task]:
        """The image's tasks, newest first: the caller's project's own, all for an admin. ImageNotFound."""
        image = await self._library.show(caller, image_id)
        params = {"image_id": image.id, "all": caller.is_admin, "owner": caller.project_id or ""}
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
