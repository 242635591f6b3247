"""Lists: what is seen, filters, paging (compute-images 11)."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from calotype.images.model import Listing
from tests.support.compute import CALLERS, DEMO, Service


def _names(compute: Service, query: str = "", who: str = "demo") -> list[Any]:
    reply = compute("GET", f"/v2.1/images{query}", who)
    assert reply.status_code == 200, reply.text
    return [image["name"] for image in reply.json()["images"]]


@pytest.fixture
def catalogue(compute: Service) -> Service:
    """Images a to h, the oldest first, a minute apart."""
    made: dict[str, dict[str, Any]] = {
        "a": {"status": "active", "min_ram": 512, "image_type": "snapshot", "disk_format": "raw"},
        "b": {"status": "queued", "min_disk": 10, "instance_uuid": "s-1"},
        "c": {"status": "deactivated", "visibility": "community", "property-foo": "1", "foo": "2"},
        "d": {"status": "saving", "os_distro": "debian", "owner_id": "o", "p1": "x"},
        "hidden": {"os_hidden": True},
        "e,f": {"disk_format": "qcow2", "os_distro": "in:debian"},
        "": {},
    }
    for minute, (name, wanted) in enumerate(made.items()):
        moment = (1_700_000_000 + 60 * minute) * 1_000_000
        compute.image(name=name, created_at=moment, updated_at=moment, **{"visibility": "private", **wanted})
    return compute


ALL = ["", "e,f", "d", "c", "b", "a"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ALL),
        ("?x=1&visibility=public&sort_key=name&owner=zz&tag=t", ALL),
        ("?name=a", ["a"]),
        ("?name=A", []),
        ("?name=", [""]),
        ("?name=zz&name=a", ["a"]),
        ("?name=in:a,b", ["b", "a"]),
        ('?name=in:"e,f",a', ["e,f", "a"]),
        ("?name=eq:a", ["a"]),
        ("?name=%00", []),
        ("?status=ACTIVE", ["a"]),
        ("?status=SAVING", ["d"]),
        ("?status=in:Active,Queued", ["", "e,f", "b", "a"]),
        ("?status=UNKNOWN", []),
        ("?status=deleted", []),
        ("?minRam=512", ["a"]),
        ("?minRam=0512", ["a"]),
        ("?minRam=511", []),
        ("?minRam=-1", []),
        ("?minRam=abc", []),
        ("?minRam=" + "9" * 30, []),
        ("?minRam=3000000000", []),
        ("?minDisk=10", ["b"]),
        ("?server=s-1", ["b"]),
        ("?server=http://h/v2.1/servers/s-1", ["b"]),
        ("?server=http://h/v2.1/servers/s-1/", []),
        ("?type=snapshot", ["a"]),
        ("?type=base", []),
        ("?type=x&property-image_type=snapshot", ["a"]),
        ("?property-image_type=snapshot&type=x", []),
        ("?property-os_distro=debian", ["d"]),
        ("?property-os_distro=in:debian", ["e,f"]),
        ("?property-owner_id=o", ["d"]),
        ("?property-p1=x", ["d"]),
        ("?property-property-foo=1", ["c"]),
        ("?property-foo=2", ["c"]),
        ("?property-=x", []),
        ("?property-disk_format=in:raw,qcow2", ["e,f", "a"]),
        ("?property-disk_format=raw&name=a", ["a"]),
        ("?property-name=a", ["a"]),
        ("?property-status=queued&name=b", ["b"]),
        ("?property-visibility=community", ["c"]),
        ("?property-visibility=public", []),
        ("?property-visibility=all", ALL),
        ("?property-member_status=all", ALL),
        ("?property-size=abc", []),
        ("?property-size_min=0", []),
        ("?changes-since=2023-11-14T22:17:20Z", ["", "e,f"]),
        ("?changes-since=2023-11-15T06:17:20%2B08:00", ["", "e,f"]),
        ("?changes-since=2023-11-14%2022:17:20", ["", "e,f"]),
        ("?changes-since=20231114T221720", ["", "e,f"]),
        ("?changes-since=2023", ALL),
        ("?changes-since=2023-11", ALL),
        ("?changes-since=2099-01-01", []),
        ("?limit=2", ["", "e,f"]),
        ("?limit=02", ["", "e,f"]),
        ("?limit=1&limit=2", ["", "e,f"]),
        ("?limit=" + "9" * 5000, ALL),
        ("?page_size=1&offset=3", ALL),
        ("?marker=", ALL),
    ],
)
def test_filters(catalogue: Service, query: str, names: list[str]) -> None:
    assert _names(catalogue, query) == names


COUNT = "Invalid input for query parameters"
TIME = "HTTP 400 Bad Request: Bad &quot;updated_at&quot; query filter format. Use ISO 8601 DateTime notation."
QUOTE = "HTTP 400 Bad Request: Invalid filter value"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=0", f"{COUNT} limit. Value: 0. 0 is less than the minimum of 1"),
        ("limit=00", f"{COUNT} limit. Value: 00. 0 is less than the minimum of 1"),
        ("page_size=0", f"{COUNT} page_size. Value: 0. 0 is less than the minimum of 1"),
        ("offset=0", f"{COUNT} offset. Value: 0. 0 is less than the minimum of 1"),
        ("offset=0&limit=a", f"{COUNT} limit. Value: a. 'a' does not match '^[0-9]*$'"),
        ("limit=-1", f"{COUNT} limit. Value: -1. '-1' does not match '^[0-9]*$'"),
        ("limit=1.5", f"{COUNT} limit. Value: 1.5. '1.5' does not match '^[0-9]*$'"),
        ("limit=%201", f"{COUNT} limit. Value:  1. ' 1' does not match '^[0-9]*$'"),
        ("limit=%C2%B2", f"{COUNT} limit. Value: \u00b2. '\u00b2' does not match '^[0-9]*$'"),
        ("limit=", f"{COUNT} limit. Value: . '' should be non-empty"),
        ("limit=x&limit=1", f"{COUNT} limit. Value: x. 'x' does not match '^[0-9]*$'"),
        ("x=%FF", "Query string is not UTF-8 encoded"),
        ("marker=x", "HTTP 400 Bad Request: No image found with ID x"),
        (
            "marker=%3Cb%3E%27%22%C3%A9",
            "HTTP 400 Bad Request: No image found with ID &lt;b&gt;&#x27;&quot;&#233;",
        ),
        ("changes-since=", TIME),
        ("changes-since=1700000000", TIME),
        ("changes-since=2023-02-30", TIME),
        ("changes-since=2023-11-15T06:17:20+08:00", TIME),
        ('name=in:"active', f"{QUOTE} &quot;active. The quote is not closed."),
        ('name=in:"a"b', f"{QUOTE} &quot;a&quot;b. There is no comma after closing quotation mark."),
        ('name=in:a"b"', f"{QUOTE} a&quot;b&quot;. There is no comma before opening quotation mark."),
        ("name=a:b", "HTTP 400 Bad Request: Unable to filter by unknown operator &#x27;a&#x27;."),
        ("property-visibility=bad", "HTTP 400 Bad Request: Invalid visibility value: bad"),
        ("property-member_status=bad", "HTTP 400 Bad Request: Invalid status: bad"),
        ("property-size_min=x", "HTTP 400 Bad Request: Unable to filter on a range with a non-numeric value."),
    ],
)
@pytest.mark.parametrize("tail", ["", "/detail"])
def test_refused_queries(compute: Service, tail: str, query: str, message: str) -> None:
    reply = compute("GET", f"/v2.1/images{tail}?{query}")
    assert reply.json() == {"badRequest": {"code": 400, "message": message}}


@pytest.mark.parametrize("who", ["roleless", "unscoped"])
def test_lists_are_for_readers(compute: Service, who: str) -> None:
    reply = compute("GET", "/v2.1/images", who)
    message = "HTTP 403 Forbidden: You are not authorized to complete get_images action."
    assert reply.json() == {"forbidden": {"code": 403, "message": message}}


def test_who_sees_what(compute: Service) -> None:
    for visibility in ("private", "shared", "community"):
        compute.image(name=visibility, visibility=visibility)
    compute.image("admin", name="public", visibility="public")
    compute.image("admin", name="hidden", visibility="public", os_hidden=True)
    assert {*_names(compute)} == {"private", "shared", "community", "public"}
    assert {*_names(compute, who="reader")} == {"private", "shared", "community", "public"}
    assert _names(compute, who="alt") == ["public"]
    assert {*_names(compute, who="admin")} == {"private", "shared", "public"}
    assert {*_names(compute, who="system")} == {"private", "shared", "public"}


def test_markers(catalogue: Service) -> None:
    ids = {}
    for hidden in (False, True):
        listing = Listing(admin=False, project=None, hidden=hidden)
        found = catalogue.run(catalogue.library.find(CALLERS["demo"], listing))
        ids.update({image.name: image.id for image in found})
    assert _names(catalogue, f"?marker={ids['d']}") == ["c", "b", "a"]
    assert _names(catalogue, f"?marker=x&marker={ids['d']}&limit=1") == ["c"]
    assert _names(catalogue, f"?marker={ids['hidden']}") == ["d", "c", "b", "a"]
    assert _names(catalogue, f"?marker={ids['d']}&name=a") == ["a"]
    unseen = catalogue("GET", f"/v2.1/images?marker={ids['a']}", "alt")
    unknown = f"HTTP 400 Bad Request: No image found with ID {ids['a']}"
    assert unseen.json() == {"badRequest": {"code": 400, "message": unknown}}


@pytest.mark.parametrize(
    ("tail", "query", "following"),
    [
        ("", "limit=6", "limit=6&marker=LAST"),
        ("/detail", "limit=6", "limit=6&marker=LAST"),
        ("", "limit=7", None),
        ("", "", None),
        ("", "type=snapshot&limit=1&x=9", "limit=1&type=snapshot&marker=LAST"),
        ("", "status=ACTIVE&limit=1", "limit=1&status=ACTIVE&marker=LAST"),
        ("", "marker=&status=ACTIVE&limit=1", "limit=1&marker=LAST&status=ACTIVE"),
        ("", "limit=1&limit=6", "limit=6&marker=LAST"),
        ("", "limit=2&limit=1", "limit=2&marker=LAST"),
        ("", "server=http://h/s-1&limit=1", "limit=1&server=http%3A%2F%2Fh%2Fs-1&marker=LAST"),
        (
            "",
            "name=in:a,%20b&limit=1&page_size=5&offset=2",
            "limit=1&name=in%3Aa%2C+b&offset=2&page_size=5&marker=LAST",
        ),
        ("", "name=in:a,a%20b,%E4%B8%AD&limit=1", "limit=1&name=in%3Aa%2Ca+b%2C%E4%B8%AD&marker=LAST"),
        ("", "property-os_distro=debian&limit=1", "limit=1&property-os_distro=debian&marker=LAST"),
        ("", "name=nothing&limit=1", None),
    ],
)
def test_next_links(catalogue: Service, tail: str, query: str, following: str | None) -> None:
    for path, project in ((f"/v2.1/{DEMO}", f"/v2.1/{DEMO}"), ("/v2", "/v2")):
        document = catalogue("GET", f"{path}/images{tail}?{query}").json()
        if following is None:
            assert "images_links" not in document
            continue
        expected = following.replace("LAST", document["images"][-1]["id"])
        href = f"http://calotype.example:8776{project}/images{tail}?{expected}"
        assert document["images_links"] == [{"rel": "next", "href": href}]


def test_walking_the_pages(catalogue: Service) -> None:
    seen: list[str] = []
    path = "/v2.1/images?limit=2"
    for _ in range(4):
        document = catalogue("GET", path).json()
        seen += [image["name"] for image in document["images"]]
        if "images_links" not in document:
            break
        split = urlsplit(document["images_links"][0]["href"])
        path = f"{split.path}?{split.query}"
        assert dict(parse_qsl(split.query))["limit"] == "2"
    assert seen == ALL
    assert document == {"images": []}


@pytest.mark.parametrize(
    ("settings", "query", "count", "more"),
    [
        ({"page_limit": 6}, "", 6, True),
        ({"page_limit": 6}, "?limit=7", 6, True),
        ({"page_limit": 5}, "", 6, False),
        ({"page_limit": 5}, "?limit=6", 6, False),
        ({"page_limit": 5}, "?limit=5", 5, True),
        ({"list_cap": 3}, "", 3, True),
        ({"list_cap": 3}, "?limit=4", 3, True),
        ({"list_cap": 3}, "?limit=2", 2, True),
        ({"list_cap": 3, "page_limit": 2}, "?limit=3", 3, False),
        ({"list_cap": 10}, "", 6, False),
    ],
)
def test_caps(catalogue: Service, settings: dict[str, Any], query: str, count: int, more: bool) -> None:
    catalogue.remake(**settings)
    document = catalogue("GET", f"/v2.1/images{query}").json()
    assert (len(document["images"]), "images_links" in document) == (count, more)


def test_limit_overflow(catalogue: Service) -> None:
    catalogue.remake(limit_overflow=403, page_limit=5)
    assert catalogue("GET", "/v2.1/images?limit=6").status_code == 403
    assert catalogue("GET", "/v2.1/images?limit=5").status_code == 200
