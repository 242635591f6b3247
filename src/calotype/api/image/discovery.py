"""Version discovery (spec: image-v2 2) and the version that a path or an `Accept` header names."""

from typing import Any

MINORS = (15, 9, 17, 7, 6, 5, 4, 3, 2, 1, 0)
CURRENT = 17
ACCEPTED = frozenset(("v2", *(f"v2.{minor}" for minor in MINORS)))
MEDIA_TYPE = "application/vnd.openstack.images-"


def entries(base: str) -> list[dict[str, Any]]:
    """One entry for each minor version, in Glance's order for a single store without a cache."""
    return [
        {
            "id": f"v2.{minor}",
            "status": "CURRENT" if minor == CURRENT else "SUPPORTED",
            "links": [{"rel": "self", "href": f"{base}/v2/"}],
        }
        for minor in MINORS
    ]


def versioned_path(path: str, accept: str | None) -> str | None:
    """The path below the version, or None if neither path nor `Accept` names an accepted version."""
    if accept is not None and accept.startswith(MEDIA_TYPE):
        return path if accept.removeprefix(MEDIA_TYPE) in ACCEPTED else None
    version, slash, rest = path[1:].partition("/")
    return slash + rest if version in ACCEPTED else None


def identity_entry(base: str) -> dict[str, Any]:
    """The entry of the identity service at the root that serves every API (identity-and-huawei A.7)."""
    return {
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": f"{base}/v3/"}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
    }
