"""The image cache with several workers: killed ones, a full disk, a cache that is away."""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.attacked import Site, eventually, pid_exists
from tests.support.servers import CONFIGURATIONS
from tests.support.system import require
from tests.support.threads import together

MIB = 2**20
SMALL = random.Random(2).randbytes(3 * MIB + 1)
LARGE = random.Random(3).randbytes(MIB) * 160
Start = Callable[..., Site]


def started(start: Start, workers: int, database: str = "sqlite", **environment: str) -> Site:
    """A server with a cache of 1 GiB."""
    return start(
        database,
        configuration=CONFIGURATIONS / "image-cache.toml",
        environment={"CALOTYPE_CACHE_SIZE": str(2**30), **environment},
        options=("--workers", str(workers)),
    )


def image(site: Site, data: bytes) -> str:
    """The id of an image with data in the slow store."""
    made = site.image()
    assert site.put(made, data).status_code == 204
    return made


def listed(site: Site) -> dict[str, Any]:
    """What the cache says."""
    with site.server.client("admin") as api:
        found: dict[str, Any] = api.get("/v2/cache").raise_for_status().json()
    return found


def cached(site: Site) -> set[str]:
    """The images with a copy."""
    return {each["image_id"] for each in listed(site)["cached_images"]}


def folder(site: Site, name: str) -> list[Path]:
    """The files in a part of the cache."""
    return list((site.server.data / "cache" / name).iterdir())


def digest(data: bytes) -> str:
    """Short enough to be read in a failure."""
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def begun() -> Callable[[Site, str], list[Path]]:
    """Begins a download and answers once a part of the copy is there, and not all."""

    def begin(site: Site, made: str) -> list[Path]:
        def read() -> None:
            with suppress(httpx.HTTPError):
                site.data(made)

        threading.Thread(target=read, daemon=True).start()
        found: list[Path] = []

        def partly() -> bool:
            found[:] = folder(site, "partial")
            with suppress(FileNotFoundError):
                return any(0 < path.stat().st_size < len(LARGE) for path in found)
            return False

        assert eventually(partly, 10)
        return found

    return begin


def filler(site: Site, partial: Path) -> int:
    """The worker that has the partial copy open for writing."""
    for pid in site.workers():
        for each in Path(f"/proc/{pid}/fdinfo").iterdir():
            with suppress(FileNotFoundError):
                flags = int(each.read_text().split("flags:")[1].split()[0], 8)
                if Path(f"/proc/{pid}/fd/{each.name}").readlink() == partial and flags & os.O_ACCMODE == os.O_RDWR:
                    return pid
    raise AssertionError("Nobody fills it.")


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_many_clients_of_several_workers_make_one_copy(start: Start, database: str) -> None:
    site = started(start, 3, database)
    made = [image(site, SMALL), image(site, SMALL[::-1])]
    found = together([lambda each=each: digest(site.data(each)) for each in made * 8])
    assert found == [digest(SMALL), digest(SMALL[::-1])] * 8
    assert eventually(lambda: cached(site) == {*made}, 10)
    assert len(folder(site, "data")) == 2
    assert folder(site, "partial") == []
    before = {each["image_id"]: each["hits"] for each in listed(site)["cached_images"]}
    assert together([lambda: digest(site.data(made[0]))] * 12) == [digest(SMALL)] * 12
    after = {each["image_id"]: each["hits"] for each in listed(site)["cached_images"]}
    assert after == {made[0]: before[made[0]] + 12, made[1]: before[made[1]]}


def test_a_copy_is_served_when_the_store_has_lost_the_data(start: Start) -> None:
    site = started(start, 2)
    made = image(site, SMALL)
    site.data(made)
    assert eventually(lambda: cached(site) == {made}, 10)
    (site.server.data / "slow" / made).unlink()
    assert digest(site.data(made)) == digest(SMALL)


def test_a_worker_killed_while_it_fills_leaves_nothing(start: Start, begun: Callable[[Site, str], list[Path]]) -> None:
    site = started(start, 2)
    made = image(site, LARGE)
    (partial,) = begun(site, made)
    victim = filler(site, partial)
    os.kill(victim, signal.SIGKILL)
    assert eventually(lambda: not pid_exists(victim) and len(site.workers()) == 2, 10)
    assert cached(site) == set()
    assert digest(site.data(made)) == digest(LARGE)
    assert eventually(lambda: cached(site) == {made}, 20)
    (copy,) = folder(site, "data")
    assert digest(copy.read_bytes()) == digest(LARGE)
    assert folder(site, "partial") == []


def test_a_killed_server_leaves_nothing(start: Start, begun: Callable[[Site, str], list[Path]]) -> None:
    site = started(start, 2)
    made, other = image(site, LARGE), image(site, SMALL)
    begun(site, made)
    site.server.kill()
    assert folder(site, "partial") != []
    assert folder(site, "data") == []
    site.server.start()
    assert folder(site, "partial") == []
    assert cached(site) == set()
    for each, data in ((made, LARGE), (other, SMALL)):
        assert digest(site.data(each)) == digest(data)
    assert eventually(lambda: cached(site) == {made, other}, 20)


def test_the_queue_survives(start: Start) -> None:
    site = started(start, 3)
    made = [image(site, SMALL + bytes([number])) for number in range(12)]
    with site.server.client("admin") as api:
        for each in made:
            assert api.put(f"/v2/cache/{each}").status_code == 202
    site.server.kill()
    site.server.start()
    assert eventually(lambda: cached(site) == {*made}, 30)
    assert eventually(lambda: listed(site)["queued_images"] == [], 10)
    for number, each in enumerate(made):
        assert digest(site.data(each)) == digest(SMALL + bytes([number]))
    assert folder(site, "partial") == []


def test_a_full_disk_does_not_break_downloads(start: Start) -> None:
    root = os.getuid() == 0
    require("to be root and mount (to mount a small tmpfs)", shutil.which("mount") if root else None)
    site = started(start, 2)
    small, large = image(site, SMALL), image(site, LARGE)
    directory = site.server.data / "cache"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", directory], check=False).returncode:
        require("leave to mount a tmpfs", None)
    try:
        with site.server.client("admin") as api:
            assert api.get("/v2/cache").status_code == 503  # an empty disk, until the directories are made again
        site.server.stop()
        site.server.start()
        assert digest(site.data(large)) == digest(LARGE)
        assert cached(site) == set()
        assert eventually(lambda: folder(site, "partial") == [], 5)
        assert digest(site.data(small)) == digest(SMALL)
        assert eventually(lambda: cached(site) == {small}, 10)
        site.server.kill()
    finally:
        subprocess.run(["umount", directory], check=True)


def test_without_leave_to_write_it_is_gone_round(start: Start) -> None:
    site = started(start, 2)
    made = image(site, SMALL)
    site.server.stop()
    shutil.rmtree(site.server.data / "cache")
    (site.server.data / "cache").write_text("in the way")
    site.server.start()
    assert digest(site.data(made)) == digest(SMALL)
    assert "image cache is out of use" in site.server.log
    site.works()


def test_others_cannot_read_copies(start: Start) -> None:
    site = started(start, 1)
    made = image(site, SMALL)
    site.data(made)
    assert eventually(lambda: cached(site) == {made}, 10)
    site.data(made)
    for path in (site.server.data / "cache").rglob("*"):
        assert path.stat().st_mode & 0o007 == 0, path
