"""Version discovery (spec: image-v2 2) and the version that a path or an `Accept` header names."""

from typing import Any

MEDIA_TYPE = "application/vnd.openstack.images-"


class Versions:
    """The minor versions of a site, in Glance's order; `cached` and `several` tell of a cache and of named stores."""

    def __init__(self, cached: bool, several: bool) -> None:
        self._minors = (
            *((18, 17, 16, 15, 14) if cached else (15,)),
            *((13, 12, 11, 10, 9, 8) if several else (9,)),
            *(() if cached else (17,)),
            *(7, 6, 5, 4, 3, 2, 1, 0),
        )
        self._accepted = frozenset(("v2", *(f"v2.{minor}" for minor in self._minors)))

    def entries(self, base: str) -> list[dict[str, Any]]:
        """One entry for each minor version."""
        current = max(self._minors)
        return [
            {
                "id": f"v2.{minor}",
                "status": "CURRENT" if minor == current else "SUPPORTED",
                "links": [{"rel": "self", "href": f"{base}/v2/"}],
            }
            for minor in self._minors
        ]

    def path_below(self, path: str, accept: str | None) -> str | None:
        """The path below the version, or None if neither path nor `Accept` names an accepted version."""
        if accept is not None and accept.startswith(MEDIA_TYPE):
            return path if accept.removeprefix(MEDIA_TYPE) in self._accepted else None
        version, slash, rest = path[1:].partition("/")
        return slash + rest if version in self._accepted else None


def identity_entry(url: str) -> dict[str, Any]:
    """The entry of identity v3, wherever it is, at the root that serves every API (identity-and-huawei A.7)."""
    return {
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": f"{url}/"}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
    }
