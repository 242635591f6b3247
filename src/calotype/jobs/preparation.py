"""What the configured plugins make of imported data before it goes into the stores (spec: image-v2 24.3).

They work on files of this host, in a directory of this worker's own under DIR/scratch, which goes with the worker.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from calotype.images.attributes import check_property_quota
from calotype.images.errors import StorageUnavailable
from calotype.images.model import Image
from calotype.images.plugins.convert import convert
from calotype.images.plugins.decompress import decompress
from calotype.images.plugins.files import SCRATCH
from calotype.images.plugins.inject import injected
from calotype.settings import Image as Limits
from calotype.settings import Plugins
from calotype.stores.base import Store
from calotype.stores.local import worded

_PIECE = 1024 * 1024


class Preparation:
    """The plugins in their order. `scratch` is where their files go."""

    def __init__(self, settings: Plugins, limits: Limits, scratch: Path) -> None:
        self._settings = settings
        self._limits = limits
        self._scratch = scratch

    @property
    def needed(self) -> bool:
        """Whether there is anything to do at all."""
        return any(name != "no_op" for name in self._settings.enabled)

    @asynccontextmanager
    async def prepared(
        self, image: Image, store: Store, name: str, attributes: dict[str, Any], roles: list[str]
    ) -> AsyncIterator[tuple[Path | None, dict[str, Any]]]:
        """The new data, None if it stays as it is, and the attributes that it gives to the image.

        `attributes` are those that it brings along. Raises what the plugins raise.
        """
        source = store.path(name)
        if source is None:
            raise StorageUnavailable("The plugins need the data in a file of this host.")
        with worded(SCRATCH):
            await asyncio.to_thread(self._scratch.mkdir, parents=True, exist_ok=True, mode=0o700)
        with worded(SCRATCH), TemporaryDirectory(dir=self._scratch) as directory:
            current, found = source, dict(attributes)
            for number, plugin in enumerate(self._settings.enabled):
                target = Path(directory) / str(number)
                current = await self._apply(plugin, image, current, target, found, roles)
            yield None if current == source else current, found

    async def _apply(
        self, plugin: str, image: Image, source: Path, target: Path, found: dict[str, Any], roles: list[str]
    ) -> Path:
        """Where the data is after one plugin; what it learns goes into `found`."""
        disk_format = found.get("disk_format", image.disk_format) or ""
        container_format = found.get("container_format", image.container_format) or ""
        if plugin == "inject_image_metadata":
            found["properties"] = injected(found.get("properties", {}), roles, self._settings)
            check_property_quota(image.properties.keys() | found["properties"].keys(), self._limits)
        elif plugin == "image_decompression":
            if await decompress(source, target, container_format, self._limits.size_cap) is not None:
                return target
        elif plugin == "image_conversion":
            converted = await convert(source, target, disk_format, self._settings, self._limits)
            if converted is not None:
                found.update(disk_format=converted.disk_format, container_format=converted.container_format)
                return target
        return source


async def pieces(path: Path) -> AsyncGenerator[bytes]:
    """The bytes of a file; raises StorageUnavailable."""
    with worded(SCRATCH), await asyncio.to_thread(open, path, "rb", buffering=0) as file:
        while piece := await asyncio.to_thread(file.read, _PIECE):
            yield piece
