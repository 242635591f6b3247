"""What callers do to an image while it is imported: they get what they asked for or are refused; nothing is left over.

What happens at one exact moment of an import is in test_import_outcomes.py; here the moments are random.
"""

import html
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support import hostile
from tests.support.attacked import OCTETS, PATCH, Site, eventually
from tests.support.commands import Command
from tests.support.origin import DATA, Origin
from tests.support.outcome import SECONDS, begin, ended, is_active, is_queued, stage
from tests.support.threads import together

CONFIGURATION = """
[uris]
allowed_networks = ["127.0.0.0/8"]
allowed_ports = []
[jobs]
concurrency = 8
lease_seconds = 2
[stores.one]
[stores.two]
[stores.three]
"""
STORES = ["one", "two", "three"]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, servers: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server with three workers and three stores, on each database in turn."""
    file = tmp_path_factory.mktemp("races") / "calotype.toml"
    file.write_text(CONFIGURATION)
    server = servers.unstarted(request.param, configuration=file, options=("--workers", "3"))
    server.start()
    yield Site(server)
    server.kill()


@pytest.fixture(scope="module")
def origin() -> Origin:
    """A web server."""
    return Origin()


@pytest.fixture(autouse=True)
def no_fault(site: Site) -> Iterator[None]:
    """Nothing that happens here is a fault of the service."""
    yield
    assert "Traceback" not in site.server.log


def call(site: Site, method: str, path: str, **options: Any) -> httpx.Response:
    """One request on a connection of its own, so that any worker may get it."""
    headers = {"X-Auth-Token": site.token, **options.pop("headers", {})}
    return httpx.request(method, site.server.base + path, headers=headers, timeout=60, **options)


def files(site: Site, image: str) -> list[Path]:
    """Every file of an image, finished or not."""
    return [path for path in site.server.data.rglob(f"{image}*") if path.is_file()]


def import_of(site: Site, image: str, body: dict[str, Any]) -> Callable[[], httpx.Response]:
    """A request for an import."""
    return partial(call, site, "POST", f"/v2/images/{image}/import", json=body)


def task_of(site: Site, image: str) -> dict[str, Any]:
    """The only task of an image."""
    with site.server.client("admin") as api:
        (found,) = api.get(f"/v2/images/{image}/tasks").raise_for_status().json()["tasks"]
    return dict(found)


def test_images_deleted_at_random_moments(site: Site, origin: Origin) -> None:
    chance = random.Random(5)
    images = [site.image() for _ in range(20)]

    def import_and_delete(image: str) -> tuple[int, dict[str, Any]]:
        moment, kind = chance.uniform(0, 1.5), chance.choice(["staged", "slow", "copy"])
        if kind == "copy":
            assert site.put(image, DATA).status_code == 204
            with site.server.client("admin") as api:
                body: dict[str, Any] = {"method": {"name": "copy-image"}, "all_stores": True}
                assert api.post(f"/v2/images/{image}/import", json=body).status_code == 202
        elif kind == "staged":
            stage(site, image, DATA)
            begin(site, image, all_stores=True)
        else:
            begin(site, image, origin.url("in-pauses"), all_stores=True, all_stores_must_succeed=chance.random() < 0.5)
        task = task_of(site, image)
        begun = time.monotonic()
        time.sleep(moment if kind == "slow" else moment / 30)
        deleted = call(site, "DELETE", f"/v2/images/{image}").status_code
        with site.server.client("admin") as api:
            while "expires_at" not in (found := api.get(f"/v2/tasks/{task['id']}").json()):
                assert time.monotonic() - begun < SECONDS, found
                time.sleep(0.05)
        return deleted, found

    outcomes = together(partial(import_and_delete, image) for image in images)
    assert {deleted for deleted, _ in outcomes} == {204}
    failed = [task for _, task in outcomes if task["status"] == "failure"]
    assert failed, "No image was deleted in time."
    for task in failed:
        assert task["message"] in (f"No image found with ID {task['image_id']}", "The task was cancelled.")
        assert task["result"] is None
    assert eventually(lambda: not any(files(site, image) for image in images), 5)


def test_of_many_imports_at_once_one_begins(site: Site, origin: Origin) -> None:
    image = site.image()
    body = {"method": {"name": "web-download", "uri": origin.url("in-pauses")}, "stores": ["one"]}
    answers = together([import_of(site, image, body)] * 20)
    assert Counter(each.status_code for each in answers) == {202: 1, 409: 19}
    reasons = ("Image has active task", "Image needs to be in 'queued' state to use 'web-download' method")
    assert all(
        each.status_code == 202 or any(reason in html.unescape(each.text) for reason in reasons) for each in answers
    )
    is_active(ended(site, image, time.monotonic()), DATA)
    assert len(call(site, "GET", f"/v2/images/{image}/tasks").json()["tasks"]) == 1
    assert eventually(lambda: len(files(site, image)) == 1, 5)


def test_of_stagings_uploads_and_imports_at_once_one_wins(site: Site, origin: Origin) -> None:
    """Whoever wins, the image has the data of one of them in the end, or waits for its import."""
    images = [site.image() for _ in range(6)]
    for image in images:
        body = {"method": {"name": "web-download", "uri": origin.url("good")}, "stores": ["two"]}
        others = [
            partial(call, site, "PUT", f"/v2/images/{image}/{place}", content=place.encode() * 1000, headers=OCTETS)
            for place in ("stage", "file")
        ]
        answers = together([import_of(site, image, body), *others])
        won = [each.status_code for each in answers if each.status_code != 409]
        assert len(won) == 1, [each.text for each in answers]
        index = [each.status_code for each in answers].index(won[0])
        assert won[0] == (202 if index == 0 else 204)
        if index == 0:
            is_active(ended(site, image, time.monotonic()), DATA)
        else:
            wanted = ("uploading", "active")[index - 1]
            assert site.status(image, wanted) == wanted
            assert site.data(image) == (b"" if wanted == "uploading" else b"file" * 1000)
        assert eventually(lambda image=image: len(files(site, image)) == 1, 5)


def test_changes_made_during_an_import_are_all_kept(site: Site, origin: Origin) -> None:
    image = site.image()
    begin(site, image, origin.url("in-pauses"), all_stores=True)
    begun = time.monotonic()

    def change(number: int) -> int:
        time.sleep(number / 10)
        path = f"/v2/images/{image}"
        body = [{"op": "add", "path": f"/p{number}", "value": "v"}]
        patched = call(site, "PATCH", path, json=body, headers=PATCH).status_code
        return patched + call(site, "PUT", f"{path}/tags/t{number}").status_code

    assert set(together(partial(change, number) for number in range(20))) == {404}  # 200 and 204
    outcome = ended(site, image, begun)
    is_active(outcome, DATA)
    assert {f"p{number}" for number in range(20)} <= outcome.image.keys()
    assert sorted(outcome.image["tags"]) == sorted(f"t{number}" for number in range(20))


def test_stores_emptied_while_copies_are_made(site: Site) -> None:
    """Copies to two stores, while the copies there are, are taken away in any order: one remains, and it is whole."""
    images = [site.image() for _ in range(5)]

    def copy_and_take(image: str, number: int) -> None:
        chance = random.Random(number)
        assert site.put(image, DATA).status_code == 204
        with site.server.client("admin") as api:
            body: dict[str, Any] = {"method": {"name": "copy-image"}, "all_stores": True}
            assert api.post(f"/v2/images/{image}/import", json=body).status_code == 202
            for _ in range(25):
                store = chance.choice(STORES)
                assert api.delete(f"/v2/stores/{store}/{image}").status_code in (204, 403, 404)
                time.sleep(0.01)

    together(partial(copy_and_take, image, number) for number, image in enumerate(images))
    for image in images:
        outcome = ended(site, image, time.monotonic())
        assert outcome.image["status"] == "active"
        assert site.data(image) == DATA
        stores = outcome.image["stores"].split(",")
        assert eventually(
            lambda image=image, stores=stores: (
                sorted(path.parent.name for path in files(site, image)) == sorted(stores)
            ),
            5,
        )


def test_a_task_that_an_operator_cancels(site: Site, origin: Origin, tmp_path: Path) -> None:
    image = site.image()
    begin(site, image, origin.url("trickles"), stores=["one"])
    assert site.status(image, "importing") == "importing"
    task = task_of(site, image)
    data = {"CALOTYPE_DATA": str(site.server.data), "CALOTYPE_DATABASE": site.server.database}
    Command("calotype", data, tmp_path).text("task", "cancel", task["id"])
    outcome = ended(site, image, time.monotonic())
    is_queued(outcome, "The task was cancelled.")
    assert outcome.seconds < 10
    assert eventually(lambda: files(site, image) == [], 5)
    begin(site, image, origin.url("good"), stores=["one"])
    is_active(ended(site, image, time.monotonic()), DATA)


UNSAFE = "Image failed safety checks"
EXTENTS = hostile.DESCRIPTOR.replace("disk.vmdk", "/etc/passwd")
HOSTILE = {
    "a qcow2 on a backing file": ("qcow2", hostile.qcow2(backing=200), UNSAFE),
    "that, said to be raw": ("raw", hostile.qcow2(backing=200), UNSAFE),
    "a qcow2 with a data file": ("qcow2", hostile.qcow2(features=4), UNSAFE),
    "that one, said to be raw": ("raw", hostile.qcow2(features=4), UNSAFE),
    "a vmdk of foreign extents": ("vmdk", hostile.vmdk(EXTENTS), UNSAFE),
    "a vmdk, said to be raw": ("raw", hostile.vmdk(EXTENTS), UNSAFE),
    "a qcow2, said to be a vmdk": (
        "vmdk", hostile.qcow2(), "Image disk_format vmdk does not match stream data qcow2",
    ),
    "noise, said to be a qcow2": ("qcow2", DATA, "Image disk_format qcow2 does not match stream data raw"),
}  # fmt: skip


def test_hostile_content_by_each_method(site: Site) -> None:
    wanted = {name: (each, each_data, text) for name, (each, each_data, text) in HOSTILE.items()}
    source = Origin({str(number): partial(_send, data) for number, (_, data, _) in enumerate(wanted.values())})
    begun, images = time.monotonic(), []
    for number, (disk_format, data, text) in enumerate(wanted.values()):
        for staged in (True, False):
            image = site.image(disk_format=disk_format)
            if staged:
                stage(site, image, data)
            begin(site, image, None if staged else source.url(str(number)), stores=["one", "two"])
            images.append((image, text))
    for image, text in images:
        outcome = ended(site, image, begun)
        is_queued(outcome, text)
        assert outcome.image["os_glance_failed_import"] == "one"
        assert eventually(lambda image=image: files(site, image) == [], 5)
        path = f"/v2/images/{image}"
        call(
            site, "PATCH", path, json=[{"op": "replace", "path": "/disk_format", "value": "raw"}], headers=PATCH
        ).raise_for_status()
        stage(site, image, DATA)
        begin(site, image, stores=["one"])
        is_active(ended(site, image, time.monotonic()), DATA)
        assert site.data(image) == DATA


def _send(data: bytes, to: Any) -> None:
    to.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data) + data)
