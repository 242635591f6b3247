"""A full disk, a directory that cannot be written to, data that is away or damaged."""

import hashlib
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.attacked import Site
from tests.support.raw import Raw
from tests.support.system import require

MIB = 2**20
DATA = b"0123456789abcdef" * (MIB // 4)  # 4 MiB
Start = Callable[..., Site]


@pytest.fixture
def small(start: Start) -> Iterator[tuple[Site, Path]]:
    """A server whose store is a file system of 6 MiB, mounted over its directory."""
    root = os.getuid() == 0
    require("to be root and mount (to mount a small tmpfs)", shutil.which("mount") if root else None)
    site = start("sqlite")
    site.server.stop()
    store = site.server.data / "images"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", store], check=False).returncode:
        require("leave to mount a tmpfs", None)
    try:
        site.server.start()
        yield site, store
        site.server.kill()
    finally:
        subprocess.run(["umount", store], check=True)


def remount(store: Path, options: str) -> None:
    """Mount it in another way."""
    subprocess.run(["mount", "-o", f"remount,{options}", store], check=True)


def refused(site: Site, status: int) -> str:
    """The id of an image whose upload is refused, and which is as it was before."""
    before, image = site.files(), site.image()
    answer = site.put(image, DATA)
    assert answer.status_code == status, answer.text
    assert site.show(image)["status"] == "queued"
    assert site.only(before) == before
    return image


def test_a_full_disk_refuses_and_goes_on(small: tuple[Site, Path]) -> None:
    site, _ = small
    first = site.image()
    assert site.put(first, DATA).status_code == 204
    second = refused(site, 413)
    chunked = Raw(site.port)
    with chunked:
        method, path, headers = site.upload_head(second, Transfer_Encoding="chunked")
        chunked.request(method, path, headers, b"%x\r\n%s\r\n0\r\n\r\n" % (len(DATA), DATA))
        assert chunked.answer().status == 413
    assert site.data(first) == DATA
    with site.server.client() as api:
        assert api.delete(f"/v2/images/{first}").status_code == 204
    assert site.put(second, DATA).status_code == 204
    assert site.show(second)["checksum"] == hashlib.md5(DATA).hexdigest()
    assert site.data(second) == DATA


def test_a_store_that_cannot_be_written_to(small: tuple[Site, Path]) -> None:
    site, store = small
    kept = site.image()
    assert site.put(kept, b"kept").status_code == 204
    remount(store, "ro")
    image = refused(site, 503)
    assert site.data(kept) == b"kept"
    with site.server.client() as api:  # the image is gone, whatever becomes of its data
        assert api.delete(f"/v2/images/{kept}").status_code == 204
        assert api.get(f"/v2/images/{kept}").status_code == 404
    remount(store, "rw")
    assert site.put(image, DATA).status_code == 204
    site.server.kill()
    site.server.start()
    assert {name.partition(".")[0] for name in site.files()} == {image}  # the sweep took the deleted image's data


def test_a_limit_on_the_size_of_files(start: Start) -> None:
    site = start("sqlite")
    for pid in (site.server.pid, *site.workers()):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (2 * MIB, resource.RLIM_INFINITY))
    image = refused(site, 413)
    for pid in site.workers():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert site.put(image, DATA).status_code == 204


def test_a_store_that_is_away_for_a_while(start: Start) -> None:
    site = start("sqlite")
    kept = site.image()
    assert site.put(kept, DATA).status_code == 204
    store, away = site.server.data / "images", site.server.data / "away"
    store.rename(away)
    store.write_text("in the way")
    image = site.image()
    assert site.put(image, DATA).status_code == 503
    assert site.show(image)["status"] == "queued"
    with site.server.client() as api:
        assert api.get(f"/v2/images/{kept}/file").status_code == 503
        assert api.get("/v2/images").status_code == 200
    store.unlink()
    away.rename(store)
    assert site.data(kept) == DATA
    assert site.put(image, DATA).status_code == 204


@pytest.mark.parametrize("damage", ["shorter", "longer"])
def test_damaged_data_is_not_served(sqlite_site: Site, damage: str) -> None:
    image = sqlite_site.image()
    assert sqlite_site.put(image, DATA).status_code == 204
    os.truncate(sqlite_site.server.data / "images" / image, len(DATA) + (1 if damage == "longer" else -1))
    with sqlite_site.server.client() as api:
        for headers in ({}, {"Range": "bytes=0-9"}):
            assert api.get(f"/v2/images/{image}/file", headers=headers).status_code == 503


def test_others_cannot_read_what_is_kept(start: Start) -> None:
    site = start("sqlite", environment={"CALOTYPE_IMAGE_SIZE_CAP": "5000000"})
    image = site.image()
    assert site.put(image, DATA).status_code == 204
    data = site.server.data
    assert data.stat().st_mode & 0o777 == 0o700
    for path in (data / "clouds.yaml", data / "calotype.db"):
        assert path.stat().st_mode & 0o777 == 0o600
    for path in data.rglob("*"):
        if (data / "images") in (path, *path.parents):
            assert path.stat().st_mode & 0o007 == 0, path
