"""What is asked: the calls of the matrix. `{image}`, `{mine}`, `{own}` … stand for ids."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from tests.matrix.kinds import OCTETS, PATCH

STORE, OTHER_STORE = "file", "file2"
UNREADABLE = "http://127.0.0.1/no-image"


class Call(NamedTuple):
    """One request. `told`: what of a good answer is part of the outcome; `harms`: an original may
    change the image although it refuses.
    """

    name: str
    api: str
    method: str
    path: str
    json_body: Any = None
    content: bytes | None = None
    headers: Mapping[str, str] = MappingProxyType({})
    told: str = ""
    harms: bool = False


def _image(name: str, method: str, tail: str = "", json_body: Any = None, **more: Any) -> Call:
    return Call(name, "image", method, f"/v2/images/{{image}}{tail}", json_body, **more)


def _patch(name: str, op: str, path: str, value: Any = None, **more: Any) -> Call:
    change = {"op": op, "path": path} | ({} if op == "remove" else {"value": value})
    return _image(f"patch: {name}", "PATCH", "", [change], headers=PATCH, **more)


def _imports(name: str, body: dict[str, Any], **method: str) -> Call:
    return _image(f"import: {name}", "POST", "/import", {"method": {"name": name, **method}, **body})


def _compute(name: str, method: str, tail: str = "", json_body: Any = None, segment: str = "") -> Call:
    return Call(f"compute: {name}", "compute", method, f"/v2.1{segment}/images/{{image}}{tail}", json_body)


def _listed(name: str, query: str) -> Call:
    return Call(f"list: {name}", "image", "GET", f"/v2/images?name=matrix&limit=1000{query}", told="listed")


def _old_list(name: str, path: str) -> Call:
    return Call(f"compute: {name}", "compute", "GET", f"/v2.1/{path}name=matrix&limit=1000", told="listed")


_SHARE = {"member": "{newcomer}"}
_METADATA = {"metadata": {"size of print": "A4"}}

OF_AN_IMAGE = (
    _image("show", "GET"),
    _image("download", "GET", "/file"),
    _image("download: preferring a store", "GET", f"/file?prefer={OTHER_STORE}"),
    _image("upload", "PUT", "/file", content=b"more", headers=OCTETS, harms=True),
    _image("stage", "PUT", "/stage", content=b"more", headers=OCTETS, harms=True),
    _imports("glance-direct", {}),
    _imports("web-download", {}, uri=UNREADABLE),
    _imports("copy-image", {"stores": [OTHER_STORE]}),
    _image("delete", "DELETE"),
    _image("patch: nothing", "PATCH", "", [], headers=PATCH),
    _patch("name", "replace", "/name", "matrix"),
    _patch("new property", "add", "/paper", "salted"),
    _patch("property", "replace", "/colour", "red"),
    _patch("property away", "remove", "/colour"),
    _patch("absent property", "replace", "/absent", "x"),
    _patch("owner to foreign", "replace", "/owner", "{foreign}"),
    _patch("owner to the caller", "replace", "/owner", "{mine}"),
    _patch("owner added", "add", "/owner", "{foreign}", harms=True),
    _patch("owner to nobody", "replace", "/owner", None),
    _patch("public", "replace", "/visibility", "public"),
    _patch("community", "replace", "/visibility", "community"),
    _patch("shared", "replace", "/visibility", "shared"),
    _patch("private", "replace", "/visibility", "private"),
    _patch("protected", "replace", "/protected", True),
    _patch("hidden", "replace", "/os_hidden", True),
    _patch("tags", "replace", "/tags", ["new"]),
    _patch("format", "replace", "/disk_format", "iso"),
    _patch("read-only", "replace", "/status", "active"),
    _patch("location", "add", "/locations/-", {"url": UNREADABLE, "metadata": {}}),
    _patch("locations", "replace", "/locations", [{"url": UNREADABLE, "metadata": {}}]),
    _patch("location away", "remove", "/locations/0"),
    _image("tag", "PUT", "/tags/new"),
    _image("tag away", "DELETE", "/tags/old"),
    _image("absent tag away", "DELETE", "/tags/absent"),
    _image("members", "GET", "/members", told="members"),
    _image("member: add", "POST", "/members", _SHARE),
    _image("member: add the caller", "POST", "/members", {"member": "{mine}"}),
    _image("member: show the caller", "GET", "/members/{mine}"),
    _image("member: show the accepted", "GET", "/members/{accepted}"),
    _image("member: show an absent one", "GET", "/members/{newcomer}"),
    _image("member: accept for the caller", "PUT", "/members/{mine}", {"status": "accepted"}),
    _image("member: reject for the accepted", "PUT", "/members/{accepted}", {"status": "rejected"}),
    _image("member: accept for an absent one", "PUT", "/members/{newcomer}", {"status": "accepted"}),
    _image("member: remove the caller", "DELETE", "/members/{mine}"),
    _image("member: remove the accepted", "DELETE", "/members/{accepted}"),
    _image("member: remove an absent one", "DELETE", "/members/{newcomer}"),
    _image("deactivate", "POST", "/actions/deactivate"),
    _image("reactivate", "POST", "/actions/reactivate"),
    _image("locations", "GET", "/locations"),
    _image("location: add", "POST", "/locations", {"url": UNREADABLE}),
    _image("tasks of the image", "GET", "/tasks", told="tasks"),
    Call("delete from the only store", "image", "DELETE", f"/v2/stores/{STORE}/{{image}}"),
    Call("delete from another store", "image", "DELETE", f"/v2/stores/{OTHER_STORE}/{{image}}"),
    Call("cache: fetch", "image", "PUT", "/v2/cache/{image}"),
    Call("cache: remove", "image", "DELETE", "/v2/cache/{image}"),
    Call("list: after it", "image", "GET", "/v2/images?limit=1&marker={image}"),
    Call("list: with its id", "image", "GET", "/v2/images?id={image}&os_hidden=false", told="listed"),
    _compute("show", "GET"),
    _compute("show, caller's project", "GET", segment="/{mine}"),
    _compute("show, owner's project", "GET", segment="/{own}"),
    _compute("delete", "DELETE"),
    _compute("metadata", "GET", "/metadata"),
    _compute("metadata: add", "POST", "/metadata", _METADATA),
    _compute("metadata: replace", "PUT", "/metadata", _METADATA),
    _compute("key", "GET", "/metadata/colour"),
    _compute("absent key", "GET", "/metadata/absent"),
    _compute("key: set", "PUT", "/metadata/paper", {"meta": {"paper": "salted"}}),
    _compute("key: remove", "DELETE", "/metadata/colour"),
    _compute("absent key: remove", "DELETE", "/metadata/absent"),
    Call("compute: list after it", "compute", "GET", "/v2.1/images?limit=1&marker={image}"),
)
"""Each is asked by every persona about every kind of image."""

LISTS = (
    _listed("as it comes", ""),
    *(_listed(f"visibility={each}", f"&visibility={each}") for each in ("private", "shared", "community", "public")),
    _listed("visibility=all", "&visibility=all"),
    _listed("visibility=all, any share", "&visibility=all&member_status=all"),
    *(_listed(f"shares {each}", f"&visibility=shared&member_status={each}") for each in ("pending", "rejected", "all")),
    _listed("hidden", "&os_hidden=true"),
    _listed("of the owner", "&owner={own}&visibility=all"),
    _listed("of another owner", "&owner={foreign}&visibility=all"),
    _old_list("list", "images?"),
    _old_list("list in detail", "images/detail?"),
    _old_list("list, caller's project", "{mine}/images/detail?"),
)
"""Each is asked by every persona while there is one image of each kind; the outcome is told for each kind."""


def _new(name: str, **attributes: Any) -> Call:
    return Call(f"create: {name}", "image", "POST", "/v2/images", {"name": "matrix", **attributes}, told="made")


def _get(path: str) -> Call:
    return Call(f"GET {path}", "image", "GET", f"/v2/{path}")


_TASK = {
    "type": "import",
    "input": {"import_from": UNREADABLE, "import_from_format": "raw", "image_properties": {"name": "matrix"}},
}
OF_NONE = (
    _new("own"),
    _new("public", visibility="public"),
    _new("community", visibility="community"),
    _new("for foreign", owner="{foreign}"),
    _new("for nobody", owner=None),
    _new("read-only attribute", status="active"),
    *(_get(f"schemas/{each}") for each in ("image", "images", "member", "members", "task", "tasks")),
    *(_get(f"info/{each}") for each in ("import", "stores", "stores/detail", "usage")),
    _get("cache"),
    Call("cache: clear", "image", "DELETE", "/v2/cache"),
    _get("tasks"),
    _get("tasks/{absent}"),
    Call("task: create", "image", "POST", "/v2/tasks", _TASK),
    Call("task: delete", "image", "DELETE", "/v2/tasks/{absent}"),
    _get("no-such-path"),
    Call("POST to an image", "image", "POST", "/v2/images/{absent}"),
    Call("GET /versions", "image", "GET", "/versions"),
    Call("compute: GET /v2.1/", "compute", "GET", "/v2.1/"),
    Call("compute: list, foreign project", "compute", "GET", "/v2.1/{foreign}/images"),
    Call("compute: no such path", "compute", "GET", "/v2.1/no-such-path"),
)
"""Each is asked by every persona once."""

ALL = (*OF_AN_IMAGE, *LISTS, *OF_NONE)
"""The whole matrix."""
