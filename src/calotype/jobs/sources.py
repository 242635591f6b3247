"""Where imported data comes from, when it is not staged: a URL, or an image of another Glance (image-v2 13.4)."""

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any, NamedTuple

import msgspec

from calotype.images.errors import ImageError, Invalid
from calotype.settings import Imports
from calotype.stores.fetch import Fetcher, FetchFailed, steady
from calotype.stores.uris import UriRefused

log = logging.getLogger("calotype.imports")

DOCUMENT_BYTES = 4 * 1024 * 1024


class Unfetchable(ImageError):
    """The data cannot be got, and trying again would not help soon."""


class Remote(NamedTuple):
    """Data to be read once. `size` is None if it is not told; `attributes` are those that the image takes over."""

    size: int | None
    chunks: Callable[[], AsyncGenerator[bytes]]
    attributes: dict[str, Any]


class Sources:
    """Opens what an import names."""

    def __init__(self, fetcher: Fetcher, settings: Imports) -> None:
        self._fetcher = fetcher
        self._settings = settings

    @asynccontextmanager
    async def open(self, method: dict[str, Any], secret: dict[str, Any]) -> AsyncIterator[Remote]:
        """The data of a web-download or glance-download; raises Unfetchable, Invalid."""
        try:
            if method["name"] == "glance-download":
                async with self._glance(method, secret) as remote:
                    yield remote
            else:
                async with self._fetcher.get(method["uri"]) as answer:
                    yield Remote(answer.size, lambda: steady(answer.chunks(), self._settings.slowest), {})
        except FetchFailed as error:
            raise Unfetchable(error.text) from error
        except UriRefused as error:
            # The reason may tell what names of the inside resolve to.
            log.info("URI refused: %s", error.reason)
            raise Unfetchable(error.text) from error

    @asynccontextmanager
    async def _glance(self, method: dict[str, Any], secret: dict[str, Any]) -> AsyncIterator[Remote]:
        url = secret.get("url")
        if not url:
            raise Unfetchable(f"No image service is known in region {method['glance_region']}.")
        path = f"{url}/v2/images/{method['glance_image_id']}"
        headers = {"X-Auth-Token": secret.get("token") or ""}
        image = await self._document(path, headers)
        if image.get("status") != "active":
            raise Invalid(f"The remote image is not active: {str(image.get('status'))[:64]}")
        async with self._fetcher.get(f"{path}/file", headers) as answer:
            size = image.get("size")
            if answer.size is not None and size is not None and answer.size != size:
                raise Invalid(f"The remote image should have {size} bytes, its data has {answer.size}.")
            yield Remote(size, lambda: steady(answer.chunks(), self._settings.slowest), self._attributes(image))

    async def _document(self, url: str, headers: dict[str, str]) -> dict[str, Any]:
        body = bytearray()
        async with self._fetcher.get(url, headers) as answer, aclosing(answer.chunks()) as chunks:
            async for chunk in chunks:
                body += chunk
                if len(body) > DOCUMENT_BYTES:
                    raise Unfetchable("The remote image's document is too large.")
        try:
            return msgspec.json.decode(bytes(body), type=dict[str, Any])
        except msgspec.DecodeError:
            raise Unfetchable("The remote service did not answer with an image.") from None

    def _attributes(self, image: dict[str, Any]) -> dict[str, Any]:
        """What of a remote image goes over to this one."""
        wanted = self._settings.glance_properties
        properties = {
            name: value for name, value in image.items() if isinstance(value, str) and name.startswith(wanted)
        }
        formats = {name: image[name] for name in ("disk_format", "container_format") if image.get(name)}
        return {**formats, "properties": properties}
