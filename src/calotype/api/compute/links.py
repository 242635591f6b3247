"""The links of images, servers, pages and versions (spec: compute-images 10)."""

from functools import lru_cache
from typing import Any, NamedTuple

from calotype.api.wire import replace_host
from calotype.settings import Settings

_ORIGINS = 512
"""For how many different origins (host, version, project) links are kept ready."""


class Links(NamedTuple):
    """The beginnings of all links that answers to one kind of request hold; what is linked to follows."""

    image: str
    bookmark: str
    alternate: str
    server: str
    server_bookmark: str
    page: str
    successor: str

    def of_image(self, image_id: str) -> list[dict[str, str]]:
        """Self, bookmark, alternate, in this order."""
        return [
            {"rel": "self", "href": self.image + image_id},
            {"rel": "bookmark", "href": self.bookmark + image_id},
            {"rel": "alternate", "type": "application/vnd.openstack.image", "href": self.alternate + image_id},
        ]

    def of_server(self, server_id: str) -> list[dict[str, str]]:
        """Self and bookmark."""
        return [
            {"rel": "self", "href": self.server + server_id},
            {"rel": "bookmark", "href": self.server_bookmark + server_id},
        ]


class Linker:
    """Makes links as the settings want them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings.compute
        self.links: Any = lru_cache(_ORIGINS)(self._links)

    def root(self, base: str, prefix: str) -> str:
        """Where the API is for the outside: `base` is scheme, host and proxy prefix, `prefix` the mount (10.5)."""
        return replace_host(base, self._settings.link_prefix) + prefix

    def _links(self, base: str, prefix: str, version: str, project: str, endpoint: str = "") -> Links:
        """The links for a request under `/{version}`, with `project` in its path or ""; `endpoint` is the catalogue's
        image endpoint, "" if images are served here."""
        root = self.root(base, prefix)
        part = f"/{project}" if project else ""
        own = version if self._settings.self_version == "request" else self._settings.self_version
        image = self._image_base(base, prefix, endpoint)
        shown = part if self._settings.alternate_project else ""
        return Links(
            image=f"{root}/{own}{part}/images/",
            bookmark=f"{root}{part}/images/",
            # Nova joins without looking at slashes, so that a base ending in one gives the double slash (Q11).
            alternate=f"{image}{shown}/images/",
            server=f"{root}/{own}{part}/servers/",
            server_bookmark=f"{root}{part}/servers/",
            page=f"{root}/{version}{part}/images",
            successor=f"{image.rstrip('/')}/v2/images",
        )

    def _image_base(self, base: str, prefix: str, endpoint: str) -> str:
        # Where the Compute API is mounted under a prefix, so is the Image API; otherwise both are at the root.
        own = f"{base}/image" if prefix else base
        base = self._settings.image_endpoint or f"{endpoint or own}/"
        if self._settings.image_link_prefix:
            return replace_host(base, self._settings.image_link_prefix).rstrip("/")
        return base
