"""Imports and copies take room as uploads do: all of it is there before, or nothing is taken."""

import http.server
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.faults.test_quota_races import DATA, MIB, Watch, send, statuses
from tests.support.attacked import Site, eventually
from tests.support.threads import together

CONFIGURATION = """
[quota]
storage = "1MB"

[jobs]
concurrency = 4

[uris]
allowed_networks = ["127.0.0.0/8"]
allowed_hosts = ["127.0.0.1"]
allowed_ports = []

[stores.fast]
[stores.slow]
"""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, servers: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server with two stores that stores a MiB for each project."""
    file = tmp_path_factory.mktemp("configuration") / "calotype.toml"
    file.write_text(CONFIGURATION)
    server = servers.unstarted(request.param, options=("--workers", "2"), configuration=file)
    server.start()
    yield Site(server)
    server.kill()


@pytest.fixture(autouse=True)
def emptied(site: Site) -> Iterator[None]:
    """Each test begins with an empty catalogue."""
    yield
    site.server.clear()


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[str]:
    """The URL of DATA."""
    (tmp_path / "data").write_bytes(DATA)
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/data"
        server.shutdown()


def begin(site: Site, image: str, method: str, stores: list[str], **arguments: str) -> httpx.Response:
    """Ask for an import."""
    body = {"method": {"name": method, **arguments}, "stores": stores}
    headers = {"X-Auth-Token": site.server.personas["admin"].token if method == "copy-image" else site.token}
    return httpx.post(f"{site.server.base}/v2/images/{image}/import", json=body, headers=headers, timeout=60)


def ended(site: Site, image: str) -> dict[str, Any]:
    """The image's last task, once it is over."""
    path = f"{site.server.base}/v2/images/{image}/tasks"
    headers = {"X-Auth-Token": site.server.personas["admin"].token}

    def task() -> dict[str, Any]:
        found = httpx.get(path, headers=headers, timeout=60).raise_for_status().json()["tasks"]
        return max(found, key=lambda each: each["created_at"])  # type: ignore[no-any-return]

    assert eventually(lambda: task()["status"] in ("success", "failure"), 60)
    return task()


def used(site: Site) -> int:
    """Bytes that the project holds."""
    with Watch(site) as watch:
        eventually(lambda: bool(watch.seen), 10)
    return watch.seen[-1].storage


def test_staged_data_is_imported_into_the_room_it_has(site: Site) -> None:
    images = [site.image() for _ in range(10)]
    assert statuses([send(site, image, True, "stage") for image in images]) == {204: 10}
    with Watch(site) as watch:
        together(partial(begin, site, image, "glance-direct", ["fast"]) for image in images)
        assert {ended(site, image)["status"] for image in images} == {"success"}
    assert max(each.storage for each in watch.seen) <= MIB
    assert (used(site), watch.seen[-1].uploading) == (10 * len(DATA), 0)


def test_every_copy_counts_before_the_first_is_made(site: Site) -> None:
    fits, too_large = site.image(), site.image()
    assert send(site, fits, True, "stage", DATA * 4).status_code == 204
    assert begin(site, fits, "glance-direct", ["fast", "slow"]).status_code == 202
    assert ended(site, fits)["status"] == "success"
    assert used(site) == 8 * len(DATA)
    assert send(site, too_large, True, "stage", DATA * 2).status_code == 204
    assert begin(site, too_large, "glance-direct", ["fast", "slow"]).status_code == 202
    task = ended(site, too_large)
    assert task["status"] == "failure"
    assert "The size of the data 409600 will exceed the limit. 229376 bytes remaining." in task["message"]
    assert (site.status(too_large, "queued"), site.show(too_large)["size"]) == ("queued", None)
    assert used(site) == 8 * len(DATA)
    assert send(site, too_large, True, data=DATA * 2).status_code == 204


def test_a_copy_that_does_not_fit_is_not_made(site: Site) -> None:
    image = site.image()
    assert send(site, image, True, data=DATA * 6).status_code == 204
    assert begin(site, image, "copy-image", ["slow"]).status_code == 202
    task = ended(site, image)
    assert (task["status"], "exceeds the storage quota" in task["message"]) == ("failure", True)
    found = site.show(image)
    assert (found["status"], found["stores"], used(site)) == ("active", "fast", 6 * len(DATA))


def test_of_many_copies_those_are_made_that_fit(site: Site) -> None:
    images = [site.image() for _ in range(7)]
    assert statuses([send(site, image, True) for image in images]) == {204: 7}
    with Watch(site) as watch:
        together(partial(begin, site, image, "copy-image", ["slow"]) for image in images)
        outcomes = [ended(site, image)["status"] for image in images]
    assert (outcomes.count("success"), outcomes.count("failure")) == (3, 4)
    assert max(each.storage for each in watch.seen) <= MIB
    assert used(site) == 10 * len(DATA)


def test_of_many_downloads_those_are_kept_that_fit(site: Site, remote: str) -> None:
    images = [site.image() for _ in range(15)]
    with Watch(site) as watch:
        together(partial(begin, site, image, "web-download", ["fast"], uri=remote) for image in images)
        outcomes = [ended(site, image) for image in images]
    assert [each["status"] for each in outcomes].count("success") == 10
    assert all("storage quota" in each["message"] for each in outcomes if each["status"] == "failure")
    assert max(each.storage for each in watch.seen) <= MIB
    assert used(site) == 10 * len(DATA)
    statuses_now = [site.show(image)["status"] for image in images]
    assert (statuses_now.count("active"), statuses_now.count("queued")) == (10, 5)
