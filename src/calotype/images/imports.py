"""An import as its caller asks for it: may it be, where does the data go, and the task that carries it out.

Source: image-v2 13. The work itself is in `jobs/imports.py`.
"""

import logging
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from calotype.database import images
from calotype.database import imports as work
from calotype.database.statements import Work
from calotype.images.errors import Conflict, Invalid
from calotype.images.library import Library
from calotype.images.model import Image, Task
from calotype.images.quota import Gate, Quotas
from calotype.images.tasks import Asked, new_task
from calotype.settings import Imports as Settings
from calotype.stores.shelf import Shelf
from calotype.stores.uris import UriFilter, UriRefused

log = logging.getLogger("calotype.imports")

_UUID = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)
_FORMATS = ("container_format", "disk_format")


class Wanted(NamedTuple):
    """What an import request asks for. `stores` None: not said; `header` is the store named by header."""

    method: dict[str, Any]
    stores: list[str] | None = None
    header: str | None = None
    all_stores: bool = False
    must_succeed: bool = True

    @property
    def name(self) -> str:
        """The method's name."""
        return str(self.method["name"])


class Nothing(Exception):
    """There is nothing to do, and that is fine."""


class Imports:
    """Imports as a caller meets them."""

    def __init__(
        self,
        quotas: Quotas,
        library: Library,
        shelf: Shelf,
        uris: UriFilter,
        settings: Settings,
        wake: Callable[[], None],
    ) -> None:
        self._quotas = quotas
        self._library = library
        self._shelf = shelf
        self._uris = uris
        self._settings = settings
        self._wake = wake

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that are offered."""
        return self._settings.methods

    async def start(self, asked: Asked, image_id: str, wanted: Wanted) -> None:
        """Begin an import (image-v2 13.2, in its order); answers as soon as a task stands for it.

        Raises Invalid, ImageNotFound, Conflict, NotAuthorized, LimitExceeded.
        """
        caller = asked.caller
        chosen: list[str] = []

        def mutate(image: Image) -> Image:
            chosen[:] = self._stores(wanted, image)
            return image

        def first(image: Image) -> None:
            _check_state(wanted, image)
            _check_remote(wanted)

        rule = "copy_image" if wanted.name == "copy-image" else "modify_image"
        guarded = self._library.guarded(caller, rule, mutate, first)
        try:
            if wanted.name == "web-download":
                # Looking the host up takes time, so it happens outside of the transaction, which then checks anew.
                guarded(await self._library.show(caller, image_id))
                await self._check_uri("web-download", wanted.method.get("uri"))
            await self._quotas.write(
                lambda gate: work.begin(
                    image_id,
                    caller.project_id or "",
                    guarded,
                    lambda image: _task(asked, image, [*chosen] if self._shelf.named else [None]),
                    gate.take,
                )
            )
        except Nothing:
            return
        self._wake()

    async def start_task(self, asked: Asked, request: dict[str, Any], attributes: dict[str, Any]) -> Task:
        """Begin the import of a URL into a new image (image-v2 19.1); raises what creating an image does, Invalid."""
        source = request["import_from"]
        if isinstance(source, str) and source.startswith(("file:", "filesystem:", "swift+config:")):
            raise Invalid("File based imports are not allowed. Please use a non-local source of image data.")
        await self._check_uri("legacy import task", source)
        image = self._library.drafted(asked.caller, attributes)

        task = new_task(asked, "import", image.id, request)

        def begun(gate: Gate) -> Work:
            yield from images.create(image, gate.create)
            return (yield from work.begin(image.id, "", lambda each: each, lambda _: task, gate.take))

        await self._quotas.write(begun)
        self._wake()
        return task

    async def _check_uri(self, purpose: str, uri: Any) -> None:
        try:
            if not isinstance(uri, str):
                raise UriRefused("it is not a string")
            await self._uris.check(uri)
        except UriRefused as refused:
            log.info("URI refused: %s", refused.reason)
            raise Invalid(f"URI for {purpose} does not pass filtering: {uri}") from None

    def _stores(self, wanted: Wanted, image: Image) -> list[str]:
        """Where the data goes; Invalid, Conflict, Nothing."""
        if not self._shelf.named:
            if not wanted.must_succeed:
                raise Invalid("'all_stores_must_succeed' can only be set False with several stores.")
            return self._missing(wanted, image, [self._shelf.default])
        if wanted.all_stores:
            if wanted.stores is not None or wanted.header is not None:
                raise Invalid("All_stores parameter can't be used with x-image-meta-store header or stores parameter")
            return self._missing(wanted, image, self._shelf.writable())
        if wanted.stores is not None and wanted.header is not None:
            raise Invalid("Stores parameter and x-image-meta-store header can't be both specified")
        if wanted.stores == []:
            raise Invalid("The 'stores' parameter must name at least one store")
        one = self._shelf.default if wanted.header is None else wanted.header
        names = list(dict.fromkeys(wanted.stores or [one]))
        for name in names:
            self._check_store(name)
        return self._missing(wanted, image, names)

    def _check_store(self, name: str) -> None:
        if name not in self._shelf:
            raise Conflict(f"Store for identifier {name} not found")
        if name not in self._shelf.writable():
            raise Conflict(f"Store {name} is read-only")

    def _missing(self, wanted: Wanted, image: Image, names: list[str]) -> list[str]:
        """For copies: those of the stores that do not have the data."""
        if wanted.name != "copy-image":
            return names
        there = {each.store for each in image.locations}
        left = [name for name in names if name not in there]
        if wanted.all_stores and not left:
            raise Nothing
        if left != names and not wanted.all_stores:
            name = next(name for name in names if name in there)
            raise Invalid(f"Image is already present at store '{name}'")
        return left


def _check_state(wanted: Wanted, image: Image) -> None:
    """Raise Conflict unless the image is in the state that the method needs."""
    if wanted.name == "copy-image":
        if image.status != "active":
            raise Conflict("Only images with status active can be targeted for copying")
    elif image.status == "active":
        raise Conflict("Image with status active cannot be target for import")
    elif wanted.name == "glance-direct" and (image.status != "uploading" or image.staged is None):
        raise Conflict("Image needs to be staged before 'glance-direct' method can be used")
    elif wanted.name != "glance-direct" and image.status != "queued":
        raise Conflict(f"Image needs to be in 'queued' state to use '{wanted.name}' method")
    for name in _FORMATS:
        if getattr(image, name) is None:
            raise Conflict(f"'{name}' needs to be set before import")


def _check_remote(wanted: Wanted) -> None:
    """Raise Invalid unless a glance-download names its image."""
    if wanted.name != "glance-download":
        return
    for name in ("glance_region", "glance_image_id"):
        if not isinstance(wanted.method.get(name), str):
            raise Invalid(f"'{name}' needs to be set for glance-download import method")
    if not _UUID.fullmatch(wanted.method["glance_image_id"]):
        raise Invalid(f"Remote image id does not look like a UUID: {wanted.method['glance_image_id']}")


def _task(asked: Asked, image: Image, stores: list[str] | list[None]) -> Task:
    request = {"image_id": image.id, "import_req": asked.body, "backend": stores}
    return new_task(asked, "api_image_import", image.id, request)
