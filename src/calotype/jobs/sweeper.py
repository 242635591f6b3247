"""Clears up after what died: uploads of dead workers, data of deleted images, expired tokens."""

import asyncio
import logging

from calotype.access.signers import Signers
from calotype.access.tokens import Tokens
from calotype.database import loose
from calotype.database.engine import Database
from calotype.images.errors import ImageError
from calotype.images.holder import Holder
from calotype.images.intake import Intake
from calotype.images.model import Location
from calotype.jobs.queue import Queue
from calotype.stores.shelf import Shelf
from calotype.telemetry.background import every

INTERVAL = 30.0
MAINTENANCE = 3600.0

log = logging.getLogger("calotype.sweeper")


class Sweeper:
    """Sweeps once before the first request is served, then every INTERVAL seconds; looks after the database, too."""

    def __init__(
        self,
        database: Database,
        shelf: Shelf,
        intake: Intake,
        holder: Holder,
        queue: Queue,
        tokens: Tokens,
        signers: Signers | None = None,
    ) -> None:
        self._database = database
        self._shelf = shelf
        self._intake = intake
        self._holder = holder
        self._queue = queue
        self._tokens = tokens
        self._signers = signers
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Sweep, and go on sweeping."""
        await self.sweep()
        self._tasks = [
            asyncio.create_task(every(INTERVAL, self.sweep, "the sweep")),
            asyncio.create_task(every(MAINTENANCE, self._database.maintain, "the database's maintenance")),
        ]

    async def close(self) -> None:
        """Stop."""
        for task in self._tasks:
            task.cancel()

    async def sweep(self) -> None:
        """One round; what fails now is tried again in the next."""
        try:
            # Whoever dies after this look is left to the next round: his last uploads may be missing from the list.
            dead = self._holder.dead()
            partials = [each for name in dict(self._shelf.all()) for each in await self._partials(name)]
            rows = await self._database.all(loose.LIST, {})
            stuck = {
                holder
                for store, name, image_id, holder, seen_at in rows
                if not self._holder.lives(image_id, holder, seen_at)
                and not await self._remove(Location(store, name), image_id)
            }
            self._holder.bury([each for each in dead if each not in stuck])
            # A row is there before its file, so a file without one is nobody's.
            for place in {*partials} - {(store, name) for store, name, *_ in rows}:
                await self._discard(*place)
            await self._queue.purge()
            await self._tokens.purge()
            if self._signers is not None:
                await self._signers.purge()
        except ImageError as error:
            log.warning("sweep put off: %s", error)

    async def _partials(self, store: str) -> list[tuple[str, str]]:
        """Unfinished data in one store; a store that is away does not keep the others from being swept."""
        try:
            return [(store, name) for name in await self._shelf[store].partials()]
        except ImageError as error:
            log.warning("store %s is not swept for now: %s", store, error)
            return []

    async def _remove(self, location: Location, image_id: str) -> bool:
        """Whether it worked; data that cannot be removed does not keep the rest from it."""
        try:
            if await self._intake.bury(image_id, location):
                log.info("removed leftover data %s of image %s", location.name, image_id)
        except ImageError as error:
            log.warning("leftover data %s of image %s stays for now: %s", location.name, image_id, error)
            return False
        return True

    async def _discard(self, store: str, name: str) -> None:
        try:
            await self._shelf[store].discard(name)
            log.info("removed unfinished data %s, which no row knows", name)
        except ImageError as error:
            log.warning("unfinished data %s stays for now: %s", name, error)
