"""The image calls C1 to C4 (spec: compute-images 11, 12.1, 12.2)."""

from collections.abc import Callable
from typing import Any

from calotype.api.compute import listing, views
from calotype.api.compute.content import reply, type_of_nothing
from calotype.api.compute.request import ComputeRequest
from calotype.api.wire import Reply
from calotype.images.library import Library
from calotype.images.model import Image
from calotype.settings import Compute


class Images:
    """The handlers of `/images`."""

    def __init__(self, library: Library, settings: Compute) -> None:
        self._library = library
        self._settings = settings

    async def show(self, request: ComputeRequest) -> Reply:
        """C3."""
        image = await self._library.show(request.caller, request.parameters["image_id"])
        return reply(request, {"image": views.full(image, request.links)})

    async def index(self, request: ComputeRequest) -> Reply:
        """C1."""
        return await self._list(request, "", views.basic)

    async def detail(self, request: ComputeRequest) -> Reply:
        """C2."""
        return await self._list(request, "/detail", views.full)

    async def delete(self, request: ComputeRequest) -> Reply:
        """C4."""
        await self._library.delete(request.caller, request.parameters["image_id"])
        return Reply(204, headers=(type_of_nothing,))

    async def _list(self, request: ComputeRequest, tail: str, view: Callable[..., Any]) -> Reply:
        query = listing.Query(request.scope["query_string"], self._settings)
        found: list[Image] = await self._library.find(request.caller, query.listing, query.marker)
        document: dict[str, Any] = {"images": [view(image, request.links) for image in found]}
        if query.continues(len(found)):
            href = f"{request.links.page}{tail}?{query.after(found[-1].id)}"
            document["images_links"] = [{"rel": "next", "href": href}]
        return reply(request, document)
