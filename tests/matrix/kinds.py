"""What calls are about: the kinds of image of the matrix, and how an administrator makes one of each."""

import threading
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from tests.matrix.cloud import Cloud
from tests.matrix.people import MEMBERS, People

DATA = b"the data of an image of the matrix\n"
OCTETS = {"Content-Type": "application/octet-stream"}
PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
ABSENT = "01234567-89ab-4def-a123-456789abcdef"
MALFORMED = "no-id"


class Kind(NamedTuple):
    """How an image of a kind is made: its attributes, whose it is, and what is done to it afterwards."""

    visibility: str
    owner: str | None = "own"
    attributes: Mapping[str, Any] = MappingProxyType({})
    shared: bool = False
    data: str | None = "file"
    then: str | None = None


MADE = {
    "private": Kind("private"),
    "shared": Kind("shared", shared=True),
    "community": Kind("community"),
    "public": Kind("public"),
    "foreign private": Kind("private", "foreign"),
    "foreign shared": Kind("shared", "foreign"),
    "foreign community": Kind("community", "foreign"),
    "foreign public": Kind("public", "foreign"),
    "protected": Kind("shared", attributes={"protected": True}, shared=True),
    "hidden": Kind("shared", attributes={"os_hidden": True}, shared=True),
    "deactivated": Kind("shared", shared=True, then="deactivate"),
    "queued": Kind("shared", shared=True, data=None),
    "staged": Kind("shared", shared=True, data="stage"),
    "withdrawn": Kind("shared", shared=True, then="withdraw"),
    "nobody's private": Kind("private", None),
    "nobody's shared": Kind("shared", None, shared=True),
    "nobody's public": Kind("public", None),
}
"""Those that are not `foreign` or `nobody's` belong to the project `own`; `withdrawn` was shared and is private now."""
UNMADE = {"absent": ABSENT, "malformed": MALFORMED}
KINDS = (*MADE, *UNMADE)


class Workshop:
    """Makes images, and knows which are still there."""

    def __init__(self, cloud: Cloud, people: People) -> None:
        self._cloud = cloud
        self._people = people
        self._there: set[str] = set()
        self._lock = threading.Lock()

    def make(self, name: str) -> str:
        """The id of a new image of the kind."""
        if name in UNMADE:
            return UNMADE[name]
        kind, projects = MADE[name], self._people.projects
        body = {
            "name": "matrix", "visibility": kind.visibility, "disk_format": "raw", "container_format": "bare",
            "owner": projects[kind.owner or "own"], "tags": ["old"], "colour": "red", **kind.attributes,
        }  # fmt: skip
        image: str = self._admin("POST", "", json_body=body).body["id"]
        with self._lock:
            self._there.add(image)
        if kind.data:
            self._admin("PUT", f"/{image}/{kind.data}", content=DATA, headers=OCTETS)
        for project, status in MEMBERS.items() if kind.shared else ():
            self._admin("POST", f"/{image}/members", json_body={"member": projects[project]})
            self._admin("PUT", f"/{image}/members/{projects[project]}", json_body={"status": status})
        if kind.then == "deactivate":
            self._admin("POST", f"/{image}/actions/deactivate")
        if kind.then == "withdraw":
            self._replace(image, "visibility", "private")
        if kind.owner is None:
            self._replace(image, "owner", None)
        return image

    def remove(self, image: str) -> None:
        """Delete an image that may be gone already."""
        if self._cloud("image", "DELETE", f"/v2/images/{image}", self._people.admin).status == 403:
            self._replace(image, "protected", False)
            self._admin("DELETE", f"/{image}")
        with self._lock:
            self._there.discard(image)

    def clear(self) -> None:
        """Delete all that are left."""
        for image in list(self._there):
            self.remove(image)

    def _replace(self, image: str, attribute: str, value: Any) -> None:
        change = [{"op": "replace", "path": f"/{attribute}", "value": value}]
        self._admin("PATCH", f"/{image}", json_body=change, headers=PATCH)

    def _admin(self, method: str, path: str, **options: Any) -> Any:
        return self._cloud.must("image", method, f"/v2/images{path}", self._people.admin, **options)
