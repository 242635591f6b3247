"""Carries an import out: gets the data, prepares it, puts it into each store, makes the image active.

Every step ends in a transaction under the task's lease, and a step that is done is not done again: a worker that takes
over goes on where the last one came to. Source: image-v2 13.4 to 13.6.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import Any

import msgspec

from calotype.access.caller import Caller
from calotype.access.protections import Protections
from calotype.database import imports as work
from calotype.database import tasks
from calotype.database.engine import Database
from calotype.database.statements import Work
from calotype.images import signature
from calotype.images.attributes import admissible, check_property_quota
from calotype.images.errors import Conflict, ImageError, Invalid, StorageUnavailable
from calotype.images.holder import Holder
from calotype.images.intake import Intake
from calotype.images.model import Image, Location, Received, Task, now
from calotype.images.quota import Gate, Quotas
from calotype.images.stream import Bounds, Examination
from calotype.jobs.preparation import Preparation, pieces
from calotype.jobs.progress import Progress
from calotype.jobs.queue import Queue
from calotype.jobs.sources import Sources
from calotype.settings import Image as Limits
from calotype.stores.shelf import Shelf

COPY = "copy-image"
PATIENCE = 3
"""How many workers are asked for a store before it counts as gone."""


class StoreFailed(ImageError):
    """One store could not take the data."""

    def __init__(self, store: str, error: ImageError) -> None:
        super().__init__(error.text)
        self.store = store


class ImportJob:
    """The kind of task that imports."""

    def __init__(
        self,
        database: Database,
        shelf: Shelf,
        intake: Intake,
        holder: Holder,
        queue: Queue,
        sources: Sources,
        preparation: Preparation,
        limits: Limits,
        quotas: Quotas,
        certificates: str = "",
        protections: Protections | None = None,
    ) -> None:
        self.database = database
        self.shelf = shelf
        self.intake = intake
        self.holder = holder
        self.queue = queue
        self.sources = sources
        self.preparation = preparation
        self.limits = limits
        self.quotas = quotas
        self.certificates = certificates
        self.protections = protections

    async def run(self, task: Task, progress: Progress) -> None:
        """One attempt; raises ImageError, LeaseLost."""
        with self.holder.writing(task.image_id or ""):
            attempt = Attempt(self, task, progress)
            await attempt.run()
            message = attempt.message
        dropped = await self.queue.end(
            task, lambda lease: work.settle(lease, attempt.image_id), {"image_id": attempt.image_id}, message
        )
        await self.intake.erase(dropped)

    async def fail(self, task: Task, error: ImageError) -> None:
        """Free the image and end the task; raises LeaseLost."""
        order = Order(task, self.shelf)
        failed = [each for each in order.shown if not isinstance(error, StoreFailed) or each == error.store]

        def settle(lease: tasks.Lease) -> Work:
            if task.type == "import":
                return work.discard(lease, order.image_id)
            return work.undo(lease, order.image_id, order.stores, failed, order.must_succeed)

        dropped = await self.queue.end(task, settle, None, error.text)
        await self.intake.erase(dropped)


class Order:
    """What a task says is to be done."""

    def __init__(self, task: Task, shelf: Shelf) -> None:
        request: dict[str, Any] = task.input.get("import_req", {})
        self.image_id = task.image_id or ""
        # A task of the type `import` is a web-download into an image of its own.
        self.arguments = request.get("method") or {"name": "web-download", "uri": task.input.get("import_from")}
        self.method: str = self.arguments["name"]
        self.stores: list[str] = [each or shelf.default for each in task.input.get("backend", [None])]
        self.shown = self.stores if shelf.named else []
        """Those of them that clients hear of."""
        self.must_succeed: bool = request.get("all_stores_must_succeed", True)


class Attempt:
    """One run of one import."""

    def __init__(self, job: ImportJob, task: Task, progress: Progress) -> None:
        self._job = job
        self._order = Order(task, job.shelf)
        self._lease = tasks.of(task)
        self._task = task
        self._state = State.of(task)
        self._progress = progress
        self.image_id = self._order.image_id

    @property
    def message(self) -> str:
        """What a client reads of an import that ended well."""
        size = self._state.received.size if self._state.received else 0
        return f"Copied {size // 2**20} MiB"

    async def run(self) -> None:
        """Get the data, prepare it, put it everywhere."""
        order = self._order
        admit = Gate.take if order.method == "glance-direct" else Gate.fetch
        image, rest = await self._admitted(admit, work.start, order.stores)
        if order.method == COPY:
            source = self._copied(image)
        else:
            source = image.staged or await self._fetch(image, rest)
            if self._job.preparation.needed and not self._state.prepared:
                source = await self._prepare(image, source)
        await self._spread(image, source)

    def _copied(self, image: Image) -> Location:
        """The location that a copy is made from: the default store's, or the first by weight."""
        places = [each for each in self._job.shelf.ordered(image.locations) if each.store not in self._order.stores]
        for each in places:
            if each.store == self._job.shelf.default:
                return each
        if not places:
            raise Invalid(f"Image {image.id} has no data that could be copied.")
        return places[0]

    async def _fetch(self, image: Image, rest: int | None) -> Location:
        """Bring remote data into the staging place, `rest` bytes at the most."""
        async with self._job.sources.open(self._order.arguments, self._task.secret or {}) as remote:
            self._progress.begin("downloading", remote.size)
            self._state.attributes = self._permitted(image, admissible(remote.attributes, self._job.limits))
            after = image.properties.keys() | self._state.attributes.get("properties", {}).keys()
            check_property_quota(after, self._job.limits)
            return await self._stage(remote.chunks(), Bounds(remote.size, self._job.limits.size_cap, rest))

    def _permitted(self, image: Image, attributes: dict[str, Any]) -> dict[str, Any]:
        """What comes with remote data, without the properties that the task's user may not set."""
        task, protections = self._task, self._job.protections
        if protections is None or "properties" not in attributes:
            return attributes
        roles = frozenset((task.secret or {}).get("roles", ()))
        user = Caller(user_id=task.user_id or "", project_id=task.owner, roles=roles)
        return {**attributes, "properties": protections.settable(user, image, attributes["properties"])}

    async def _prepare(self, image: Image, source: Location) -> Location:
        """Let the plugins work on the staged data; what they make of it is staged in its place."""
        self._progress.begin("preparing")
        store, roles = self._job.shelf[source.store], (self._task.secret or {}).get("roles", [])
        preparation = self._job.preparation.prepared(image, store, source.name, self._state.attributes, roles)
        async with preparation as (path, attributes):
            self._state.attributes, self._state.prepared = attributes, True
            if path is not None:
                return await self._stage(pieces(path), Bounds(None, self._job.limits.size_cap))
        return source

    async def _stage(self, chunks: AsyncGenerator[bytes], bounds: Bounds) -> Location:
        location = await self._place(self._job.shelf.default)
        try:
            size = await self._job.intake.keep(location, self._progress.counted(chunks), bounds)
            dropped = await self._admitted(Gate.fetched, work.stage, location, size, self._state.kept())
        except BaseException:
            await asyncio.shield(self._job.intake.give_up(self.image_id, location))
            raise
        await self._job.intake.erase(dropped)
        return location

    async def _spread(self, image: Image, source: Location) -> None:
        """Put the data into every store that does not have it yet."""
        there = {each.store for each in image.locations}
        left = [each for each in self._order.stores if each not in there]
        failure: StoreFailed | None = None
        for store in left:
            try:
                image = await self._put(image, source, store, last=store == left[-1])
            except StoreFailed as error:
                if self._order.must_succeed:
                    raise
                failure = error
                image = await self._write(work.miss, store)
        if failure is not None and not {each.store for each in image.locations}.intersection(self._order.stores):
            raise failure

    async def _put(self, image: Image, source: Location, store: str, last: bool) -> Image:
        self._check(source, store)
        location = await self._place(store)
        try:
            received = await self._store(image, source, location)
            self._state.examined = self._state.examined or self._formats(image)
            self._state.received = received
            ends = self._order.method != COPY and (last or not self._order.must_succeed)
            finish = self._finish if ends else None
            stored: Image = await self._write(work.store, location, self._state.kept(), finish)
        except BaseException:
            await asyncio.shield(self._job.intake.give_up(self.image_id, location))
            raise
        return stored

    def _check(self, source: Location, store: str) -> None:
        """Raise for stores that are not configured: nothing could be read from them, or clear up in them.

        At first StorageUnavailable, since another worker may know them already; in the end StoreFailed.
        """
        try:
            for name in (source.store, store):
                _ = self._job.shelf[name]
        except StorageUnavailable as error:
            if self._task.attempts < PATIENCE:
                raise
            raise StoreFailed(store, error) from error

    async def _store(self, image: Image, source: Location, location: Location) -> Received:
        """Write one copy; StoreFailed."""
        try:
            store = self._job.shelf[source.store]
            size = await store.size(source.name)
            if size is None:
                raise Invalid(f"The data to import of image {image.id} is missing.")
            self._progress.begin(f"storing in {location.store}", size)
            bounds = Bounds(size, self._job.limits.size_cap)
            chunks = self._progress.counted(store.read(source.name, 0, size))
            received = await self._job.intake.examine(location, chunks, bounds, await self._examination(image, source))
            self._compare(image, received)
        except ImageError as error:
            raise StoreFailed(location.store, error) from error
        return received

    async def _examination(self, image: Image, source: Location) -> Examination:
        if self._order.method == COPY and source.owned:
            # What was examined when it came is not examined again; what a URL brought never was.
            return Examination(msgspec.structs.replace(image, container_format=None), self._job.limits)
        verifier = await asyncio.to_thread(signature.verifier, image, self._job.certificates)
        return Examination(msgspec.structs.replace(image, **self._state.formats()), self._job.limits, verifier)

    def _formats(self, image: Image) -> tuple[str | None, str | None]:
        """What the data has to be."""
        told = msgspec.structs.replace(image, **self._state.formats())
        return told.disk_format, told.container_format

    def _compare(self, image: Image, received: Received) -> None:
        """Every copy is the same; Invalid."""
        before = self._state.received
        known: Image | Received | None = before or (image if self._order.method == COPY else None)
        if known is None:
            return
        # Data at a URL may have been announced with a hash of another algorithm.
        same = known.os_hash_algo == received.os_hash_algo
        for name in ("checksum", "os_hash_value") if same else ("checksum",):
            if getattr(known, name) not in (None, getattr(received, name)):
                raise Invalid(f"The data of image {image.id} differs from its hash.")

    def _finish(self, image: Image) -> Image:
        """The image as it becomes active, or as it is when it is active already."""
        received = self._state.received
        if received is None or image.status != "importing":
            return image
        if self._formats(image) != self._state.examined:
            raise Conflict("The format of the image was changed while its data was examined.")
        return msgspec.structs.replace(
            image,
            status="active",
            updated_at=now(),
            properties={**image.properties, **(self._state.attributes.get("properties") or {})},
            **self._state.formats(),
            **msgspec.structs.asdict(received),
        )

    async def _place(self, store: str) -> Location:
        location: Location = await self._write(work.place, store, self._job.holder.id)
        return location

    async def _write(self, step: Callable[..., Any], *arguments: Any) -> Any:
        return await self._job.database.write(step, self._lease, self.image_id, *arguments)

    async def _admitted(self, admit: Callable[[Gate, Image], Work], step: Callable[..., Any], *arguments: Any) -> Any:
        """As `_write`, of what takes room; LimitExceeded."""
        return await self._job.quotas.write(
            lambda gate: step(self._lease, self.image_id, *arguments, partial(admit, gate))
        )


class State(msgspec.Struct):
    """How far the import came: what the data brings along, and what is known of it since it was stored once.

    `attributes` may hold `disk_format`, `container_format` and `properties`; the image gets them as it becomes active.
    `prepared` tells that the plugins have done their work.
    """

    attributes: dict[str, Any] = {}
    received: Received | None = None
    examined: tuple[str | None, str | None] | None = None
    """The disk format and the container format that it was examined for."""
    prepared: bool = False

    @classmethod
    def of(cls, task: Task) -> "State":
        """As the last attempt left it."""
        return msgspec.convert(task.state, cls)

    def kept(self) -> dict[str, Any]:
        """As it is kept in the task."""
        kept: dict[str, Any] = msgspec.to_builtins(self)
        return kept

    def formats(self) -> dict[str, Any]:
        """The formats that differ from the image's own."""
        return {name: self.attributes[name] for name in ("disk_format", "container_format") if name in self.attributes}
