"""kill -9 at random moments of imports, of one worker or of the whole server: each image gets its data."""

import hashlib
import os
import random
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.attacked import Site, eventually, pid_exists
from tests.support.origin import DATA, Origin
from tests.support.outcome import begin, ended, is_active, stage
from tests.support.postgres import Postgres

STORES = ["one", "two", "three"]
SETTLED = 6.0
"""Seconds after which the server replaces a worker that dies; before, it takes that for a crash loop."""
CONFIGURATION = """
[uris]
allowed_networks = ["127.0.0.0/8"]
allowed_ports = []
[jobs]
lease_seconds = 1
[stores.one]
[stores.two]
[stores.three]
"""
Start = Callable[..., Site]


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    """Three stores, short leases."""
    file = tmp_path / "calotype.toml"
    file.write_text(CONFIGURATION)
    return file


def import_five(site: Site, origin: Origin) -> list[str]:
    """The ids of images whose imports have just begun: of each kind, into one store and into several."""
    images = [site.image() for _ in range(5)]
    stage(site, images[0], DATA)
    stage(site, images[1], DATA)
    with site.server.client() as api:
        api.put(
            f"/v2/images/{images[2]}/file", content=DATA, headers={"Content-Type": "application/octet-stream"}
        ).raise_for_status()
    begin(site, images[0], stores=["two"])
    begin(site, images[1], all_stores=True)
    with site.server.client("admin") as api:
        body: dict[str, Any] = {"method": {"name": "copy-image"}, "stores": ["two", "three"]}
        assert api.post(f"/v2/images/{images[2]}/import", json=body).status_code == 202
    begin(site, images[3], origin.url("in-pauses"), stores=["three"])
    begin(site, images[4], origin.url("in-pauses"), all_stores=True, all_stores_must_succeed=False)
    return images


def kill_worker(site: Site) -> None:
    """Kill the oldest worker."""
    kill(oldest(site))


def kill(pid: int) -> None:
    """Kill a worker; until it is gone, new connections may be given to it, and reset."""
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: not pid_exists(pid), 10)


def kill_server(site: Site) -> None:
    """Kill everything, and start it again."""
    site.server.kill()
    site.server.start()


def stop_worker(site: Site) -> None:
    """Stop a worker until its leases have long run out; then it goes on, late, where it was."""
    pid = oldest(site)
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(3)
    finally:
        os.kill(pid, signal.SIGCONT)


def oldest(site: Site) -> int:
    """The process id of the worker that lives longest."""
    return min(site.workers(), key=lambda pid: os.stat(f"/proc/{pid}").st_ctime_ns)


def verify(site: Site, images: list[str], stores: dict[str, list[str]]) -> None:
    """Assert that exactly these images have exactly these copies, after a sweep."""
    site.server.kill()
    site.server.start()
    for image in images:
        assert sorted(site.show(image)["stores"].split(",")) == sorted(stores[image])
        assert site.data(image) == DATA
    for store in (*STORES, "images"):
        files = [path for path in (site.server.data / store).rglob("*") if path.is_file()]
        found = sorted(path.name.partition(".")[0] for path in files)
        assert found == sorted(image for image in images if store in stores[image])
        for path in files:
            assert hashlib.sha512(path.read_bytes()).digest() == hashlib.sha512(DATA).digest()


@pytest.mark.parametrize(("database", "seed"), [("sqlite", 1), ("postgresql", 2)])
def test_imports_survive(start: Start, configuration: Path, database: str, seed: int) -> None:
    chance, origin = random.Random(seed), Origin()
    site = start(database, configuration=configuration, options=("--workers", "3"))
    images: list[str] = []
    stores: dict[str, list[str]] = {}
    for harm in (kill_server, stop_worker, kill_worker, kill_worker):
        assert eventually(lambda: len(site.workers()) == 3, 10)
        age = time.time() - os.stat(f"/proc/{oldest(site)}").st_ctime
        new = import_five(site, origin)
        moment = chance.uniform(0, 2.0)
        if harm is kill_worker:
            time.sleep(max(0.0, SETTLED - age))
        begun = time.monotonic()
        time.sleep(moment)
        harm(site)
        for image in new:
            is_active(ended(site, image, begun), DATA)
        images += new
        copies = (["two"], STORES, STORES, ["three"], STORES)
        stores.update(dict(zip(new, copies, strict=True)))
    verify(site, images, stores)
    assert "Traceback" not in site.server.log


def test_how_long_it_takes_by_default_until_another_worker_takes_over(start: Start) -> None:
    networks = {"CALOTYPE_URIS_ALLOWED_NETWORKS": "127.0.0.0/8", "CALOTYPE_URIS_ALLOWED_PORTS": ""}
    site = start("sqlite", environment=networks, options=("--workers", "2"))
    time.sleep(SETTLED)
    image = site.image()
    begin(site, image, Origin().url("in-pauses"))
    assert site.status(image, "importing") == "importing"
    with sqlite3.connect(site.server.data / "calotype.db") as database:
        ((holder,),) = database.execute("SELECT holder FROM tasks").fetchall()
    database.close()
    kill(pid_of(site, holder))
    outcome = ended(site, image, time.monotonic())
    is_active(outcome, DATA)
    # The lease, the look for new tasks each second, and the download itself.
    assert 5 < outcome.seconds < 10 + 1 + 2 + 5
    print(f"taken over and ended {outcome.seconds:.1f} s after the kill")


def pid_of(site: Site, holder: str) -> int:
    """The worker that holds this lock."""
    for pid in site.workers():
        for each in Path(f"/proc/{pid}/fd").iterdir():
            if os.readlink(each).endswith(holder):
                return pid
    raise AssertionError("no worker holds the lock")


def test_a_server_that_stops_in_order_gives_its_tasks_back(start: Start, configuration: Path) -> None:
    """They go on after the next start at once, not when a lease runs out, and no attempt is lost."""
    configuration.write_text(CONFIGURATION.replace("lease_seconds = 1", "lease_seconds = 60"))
    site, origin = start("sqlite", configuration=configuration, options=("--workers", "2")), Origin()
    images = import_five(site, origin)
    assert site.status(images[3], "importing") == "importing"
    for _ in range(2):
        time.sleep(0.5)
        site.server.stop()
        site.server.start()
    begun = time.monotonic()
    for image in images:
        is_active(ended(site, image, begun), DATA)
    assert time.monotonic() - begun < 30
    copies = (["two"], STORES, STORES, ["three"], STORES)
    verify(site, images, dict(zip(images, copies, strict=True)))


def test_a_database_that_is_away_for_a_while(start: Start, configuration: Path) -> None:
    postgres, origin = Postgres(), Origin()
    try:
        site = start("postgresql", url=postgres.database(), configuration=configuration, options=("--workers", "2"))
        images = import_five(site, origin)
        time.sleep(0.5)
        postgres.halt()
        time.sleep(3)
        postgres.resume()
        assert eventually(lambda: site.server.client().get("/v2/images").status_code == 200, 15)
        begun = time.monotonic()
        for image in images:
            is_active(ended(site, image, begun), DATA)
        copies = (["two"], STORES, STORES, ["three"], STORES)
        verify(site, images, dict(zip(images, copies, strict=True)))
        site.server.kill()
    finally:
        postgres.stop()
