"""Imports into stores that are full or cannot be written to, and from a staging place that is."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.attacked import OCTETS, Site, eventually
from tests.support.origin import DATA, Origin
from tests.support.outcome import Outcome, begin, ended, is_active, is_queued, stage
from tests.support.system import require

CONFIGURATION = """
[uris]
allowed_networks = ["127.0.0.0/8"]
allowed_ports = []
[stores.one]
[stores.two]
[stores.three]
"""
STORES = ["one", "two", "three"]
FULL = "Image storage media is full: No space left on device"
READ_ONLY = "Insufficient permissions on image storage media: Read-only file system"
TOO_SMALL, FOR_ONE = 200, 450
"""KiB that hold no image, and that hold one."""


class Mounts:
    """A site whose stores are file systems of their own, large until they are made small."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def remount(self, store: str, options: str) -> None:
        """Mount a store's file system in another way."""
        path = self.site.server.data / store
        subprocess.run(["mount", "-o", f"remount,{options}", path], check=True)

    def imported(self, url: str | None, **body: Any) -> Outcome:
        """What becomes of an import."""
        image = self.site.image()
        if url is None:
            stage(self.site, image, DATA)
        begin(self.site, image, url, **body)
        return ended(self.site, image, time.monotonic())

    def again(self, outcome: Outcome) -> None:
        """Assert that the image can be imported now, and that it is then all there is."""
        image = outcome.image["id"]
        assert eventually(lambda: self.files() == [], 5)
        stage(self.site, image, DATA)
        begin(self.site, image, all_stores=True)
        is_active(ended(self.site, image, time.monotonic()), DATA)
        assert eventually(lambda: self.files() == sorted(STORES), 5)
        assert self.site.data(image) == DATA

    def files(self) -> list[str]:
        """The store of every file."""
        paths = [path for store in STORES for path in (self.site.server.data / store).rglob("*") if path.is_file()]
        return sorted(path.relative_to(self.site.server.data).parts[0] for path in paths)


@pytest.fixture
def mounts(start: Callable[..., Site], tmp_path: Path) -> Iterator[Mounts]:
    """A service with three stores, each of them a file system."""
    root = os.getuid() == 0
    require("to be root and mount (to mount a small tmpfs)", shutil.which("mount") if root else None)
    file = tmp_path / "calotype.toml"
    file.write_text(CONFIGURATION)
    site = start("sqlite", configuration=file)
    site.server.stop()
    mounted = []
    try:
        for store in STORES:
            path = site.server.data / store
            if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", path], check=False).returncode:
                require("leave to mount a tmpfs", None)
            mounted.append(path)
        site.server.start()
        yield Mounts(site)
        assert "Traceback" not in site.server.log
        site.server.kill()
    finally:
        for path in mounted:
            subprocess.run(["umount", path], check=True)


def test_a_staging_place_that_is_full(mounts: Mounts) -> None:
    mounts.remount("one", f"size={TOO_SMALL}k")
    site, image = mounts.site, mounts.site.image()
    with site.server.client() as api:
        assert api.put(f"/v2/images/{image}/stage", content=DATA, headers=OCTETS).status_code == 413
    assert site.show(image)["status"] == "queued"
    outcome = mounts.imported(Origin().url("good"), stores=["two"])
    is_queued(outcome, FULL)
    mounts.remount("one", "size=8m")
    mounts.again(outcome)


def test_a_store_that_holds_what_is_staged_and_no_more(mounts: Mounts) -> None:
    mounts.remount("one", f"size={FOR_ONE}k")
    outcome = mounts.imported(None, stores=["two", "one"])
    is_queued(outcome, FULL)
    assert outcome.image["os_glance_failed_import"] == "one"
    mounts.remount("one", "size=8m")
    mounts.again(outcome)


@pytest.mark.parametrize(("options", "reason"), [(f"size={TOO_SMALL}k", FULL), ("ro", READ_ONLY)])
@pytest.mark.parametrize("bad", ["two", "three"])
def test_one_store_of_three_fails(mounts: Mounts, options: str, reason: str, bad: str) -> None:
    url = Origin().url("good")
    mounts.remount(bad, options)
    outcome = mounts.imported(url, all_stores=True)
    is_queued(outcome, reason)
    assert outcome.image["os_glance_failed_import"] == bad
    assert "stores" not in outcome.image
    assert eventually(lambda: mounts.files() == [], 5)
    some = mounts.imported(url, all_stores=True, all_stores_must_succeed=False)
    assert some.task["status"] == "success"
    assert some.image["status"] == "active"
    assert some.image["os_glance_failed_import"] == bad
    assert some.image["stores"] == ",".join(each for each in STORES if each != bad)
    assert mounts.site.data(some.image["id"]) == DATA
    mounts.remount(bad, "rw,size=8m")
    with mounts.site.server.client("admin") as api:
        copy: dict[str, Any] = {"method": {"name": "copy-image"}, "all_stores": True}
        assert api.post(f"/v2/images/{some.image['id']}/import", json=copy).status_code == 202
        copied = ended(mounts.site, some.image["id"], time.monotonic())
        is_active(copied, DATA)
        assert sorted(copied.image["stores"].split(",")) == sorted(STORES)
        assert api.delete(f"/v2/images/{some.image['id']}").status_code == 204
    mounts.again(outcome)


def test_copies_into_a_store_that_is_full(mounts: Mounts) -> None:
    site, image = mounts.site, mounts.site.image()
    assert site.put(image, DATA).status_code == 204
    mounts.remount("three", f"size={TOO_SMALL}k")
    with site.server.client("admin") as api:
        copy: dict[str, Any] = {"method": {"name": "copy-image"}, "all_stores": True}
        assert api.post(f"/v2/images/{image}/import", json=copy).status_code == 202
        outcome = ended(site, image, time.monotonic())
        assert (outcome.task["status"], outcome.task["message"]) == ("failure", FULL)
        assert (outcome.image["status"], outcome.image["stores"]) == ("active", "one")
        assert outcome.image["os_glance_failed_import"] == "three"
        assert eventually(lambda: mounts.files() == ["one"], 5)
        assert site.data(image) == DATA
        mounts.remount("three", "size=8m")
        assert api.post(f"/v2/images/{image}/import", json=copy).status_code == 202
        is_active(ended(site, image, time.monotonic()), DATA)
    assert eventually(lambda: mounts.files() == sorted(STORES), 5)
