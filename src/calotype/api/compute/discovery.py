"""The version documents D1 to D4 (spec: compute-images 13). They need no token."""

from typing import Any
from urllib.parse import quote

from calotype.api.wire import Reply, json_reply


class Discovery:
    """What the API says about its versions; `root` is where it is for the outside, without a final slash."""

    def __init__(self, maximum: str) -> None:
        self._versions = {
            "v2": {
                "id": "v2.0",
                "status": "DEPRECATED",
                "version": "",
                "min_version": "",
                "updated": "2025-07-04T12:00:00Z",
            },
            "v2.1": {
                "id": "v2.1",
                "status": "CURRENT",
                "version": maximum,
                "min_version": "2.1",
                "updated": "2013-07-23T11:33:21Z",
            },
        }

    def versions(self, root: str) -> Reply:
        """D1."""
        # Here alone Nova takes a link prefix's final slash away (10.5).
        root = root.rstrip("/")
        return json_reply(
            {
                "versions": [
                    {**entry, "links": [_self(f"{root}/{version}/")]} for version, entry in self._versions.items()
                ]
            }
        )

    def version(self, version: str, root: str) -> Reply:
        """D2 and D3."""
        described = {"rel": "describedby", "type": "text/html", "href": "http://docs.openstack.org/"}
        links = [_self(f"{root}/{version}/"), described]
        return json_reply(
            {"version": {**self._versions[version], "links": links, "media-types": _media_types(version)}}
        )

    def choices(self, path: str, root: str) -> Reply:
        """D4: where the path could have led to."""
        rest = quote(path.rstrip("/"))
        choices = [
            {
                "id": entry["id"],
                "status": entry["status"],
                "links": [_self(f"{root}/{version}{rest}")],
                "media-types": _media_types(version),
            }
            for version, entry in self._versions.items()
        ]
        return json_reply({"choices": choices}, 300)


def _self(href: str) -> dict[str, str]:
    return {"rel": "self", "href": href}


def _media_types(version: str) -> list[dict[str, Any]]:
    kind = f"application/vnd.openstack.compute+json;version={version.removeprefix('v')}"
    return [{"base": "application/json", "type": kind}]
