"""Clears up after what died: uploads of dead workers, data of deleted images, expired tokens."""

import asyncio
import itertools
import logging

from calotype.access.tokens import Tokens
from calotype.database import loose
from calotype.database.engine import Database
from calotype.images.errors import ImageError
from calotype.images.holder import Holder
from calotype.stores.local import LocalStore

INTERVAL = 30.0
MAINTENANCE = 120
"""Every how many sweeps the database is looked after: once an hour."""

log = logging.getLogger("calotype.sweeper")


class Sweeper:
    """Sweeps once before the first request is served, then every INTERVAL seconds."""

    def __init__(self, database: Database, store: LocalStore, holder: Holder, tokens: Tokens) -> None:
        self._database = database
        self._store = store
        self._holder = holder
        self._tokens = tokens
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Sweep, and go on sweeping."""
        await self.sweep()
        self._task = asyncio.create_task(self._forever())

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()

    async def sweep(self) -> None:
        """One round; what fails now is tried again in the next."""
        try:
            # Whoever dies after this look is left to the next round: his last uploads may be missing from the list.
            dead = self._holder.dead()
            partials = await self._store.partials()
            rows = await self._database.all(loose.LIST, {})
            removed = [
                await self._remove(location, image_id)
                for location, image_id, holder, seen_at in rows
                if not self._holder.lives(location, holder, seen_at)
            ]
            if all(removed):
                self._holder.bury(dead)
            # A row is there before its file, so a file without one is nobody's.
            for name in {*partials} - {location for location, *_ in rows}:
                await self._store.discard(name)
            await self._tokens.purge()
        except ImageError as error:
            log.warning("sweep put off: %s", error)

    async def _remove(self, location: str, image_id: str) -> bool:
        """Whether it worked; data that cannot be removed does not keep the rest from it."""
        try:
            # The order keeps an upload that only seemed dead from becoming an image without data: once it is given
            # up it cannot be finished, and only then does its data go.
            if await self._database.write(loose.give_up, location, image_id):
                await self._store.remove(location)
                await self._database.write(loose.forget, location)
                log.info("removed leftover data %s of image %s", location, image_id)
        except ImageError as error:
            log.warning("leftover data %s of image %s stays for now: %s", location, image_id, error)
            return False
        return True

    async def _forever(self) -> None:
        for number in itertools.count():
            await asyncio.sleep(INTERVAL)
            try:
                await self.sweep()
                if number % MAINTENANCE == 0:
                    await self._database.maintain()
            except Exception:
                log.exception("sweep failed")
