"""The image cache as a caller meets it (spec: image-v2 22)."""

import asyncio
from typing import NoReturn

from calotype.access.caller import Caller
from calotype.access.policy.policy import Policy
from calotype.images.cache import Cache, name_of
from calotype.images.errors import Conflict, ImageNotFound, Invalid, NotFound
from calotype.images.library import Library
from calotype.images.model import Image
from calotype.stores.copies import Copy, Pruned


class CachedImages:
    """Lists, fetches and removes copies; without a cache it refuses everything, in Glance's words."""

    def __init__(self, library: Library, policy: Policy, cache: Cache | None) -> None:
        self._library = library
        self._policy = policy
        self._cache = cache

    async def all(self, caller: Caller) -> tuple[list[Copy], list[str]]:
        """The copies of this host and the images that wait; raises NotAuthorized, NotFound, StorageUnavailable."""
        cache = self._authorized("cache_list", caller)
        copies = await asyncio.to_thread(cache.copies.all)
        return copies, [*await asyncio.to_thread(cache.queue.all)]

    async def fetch(self, caller: Caller, image_id: str) -> None:
        """Have the image fetched behind the scenes.

        Raises in this order: ImageNotFound, NotAuthorized, NotFound, Invalid unless it is active and can be verified.
        """
        image = await self._library.show(caller, image_id, "cache_image")
        cache = self._authorized("cache_image", caller, image)
        if image.status != "active":
            raise Invalid("Only images with status active can be targeted for queueing")
        if name_of(image) is None:
            raise Invalid(f"Image {image_id} has no hash, and only data that can be verified is cached.")
        await asyncio.to_thread(cache.queue.add, image.id)

    async def remove(self, caller: Caller, image_id: str) -> None:
        """Remove the copy of an image, and take it out of the queue.

        Raises ImageNotFound if it is neither an image nor in the cache, NotAuthorized, NotFound.
        """
        try:
            image = await self._library.show(caller, image_id, "cache_delete")
        except ImageNotFound:
            # Who may not empty the cache does not learn what is in it.
            if self._cache is None or not self._policy.allows("cache_delete", caller):
                raise
            if not await asyncio.to_thread(_remove, self._cache, image_id):
                raise
        else:
            await asyncio.to_thread(_remove, self._authorized("cache_delete", caller, image), image_id)

    async def clear(self, caller: Caller, target: str) -> None:
        """Empty the cache, the queue, or with "" both; raises NotAuthorized, NotFound, Invalid for another target."""
        cache = self._authorized("cache_delete", caller)
        if target not in ("cache", "queue", ""):
            raise Invalid("If provided 'x-image-cache-clear-target' must be 'cache', 'queue' or empty string.")
        # The queue first, so that nothing of it becomes a copy when the copies are gone.
        if target != "cache":
            await asyncio.to_thread(cache.queue.clear)
        if target != "queue":
            await asyncio.to_thread(cache.copies.clear)

    async def clean(self, caller: Caller) -> None:
        """Remove leftovers and what is damaged; raises NotAuthorized, NotFound."""
        await asyncio.to_thread(self._authorized("cache_clean", caller).copies.clean)

    async def prune(self, caller: Caller) -> Pruned:
        """Bring the cache within its bound; raises NotAuthorized, NotFound."""
        return await asyncio.to_thread(self._authorized("cache_prune", caller).copies.prune)

    def nodes(self, caller: Caller) -> NoReturn:
        """Raises NotAuthorized, NotFound, and Conflict: each host knows its own copies alone."""
        self._authorized("list_cached_nodes", caller)
        raise Conflict("Centralized caching is not enabled")

    def _authorized(self, rule: str, caller: Caller, image: Image | None = None) -> Cache:
        """The cache, for a caller whom the rule lets; NotAuthorized, NotFound if there is no cache."""
        self._library.authorize(rule, caller, image)
        if self._cache is None:
            raise NotFound("Caching via API is not supported at this site.")
        return self._cache


def _remove(cache: Cache, image_id: str) -> bool:
    waited, kept = cache.queue.remove(image_id), cache.copies.remove(image_id)
    return waited or kept
