"""The place where plugins work on imported data: how much they make there, and what is told when it cannot be used."""

import asyncio
import gzip
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest

from calotype.images.model import Task
from calotype.settings import Image, Jobs, Plugins, Quota, Settings
from tests.support.hostile import MIB, created
from tests.support.recorded_keystone import RecordedKeystone
from tests.support.scene import Scene
from tests.support.system import qemu_img, require
from tests.support.unserved import DATA, asked_for, finished, opened, settings

INNER = bytes(3 * MIB)
PLUGINS = Plugins(enabled=("image_decompression", "image_conversion"))


@pytest.fixture
def chosen(tmp_path: Path, sqlite_url: str) -> Settings:
    """Of a service that decompresses and converts to raw, and tries everything once."""
    found = settings(tmp_path, sqlite_url, {}, PLUGINS)
    return msgspec.structs.replace(found, jobs=Jobs(attempts=1))


def imported(chosen: Settings, data: bytes, disk_format: str = "raw") -> Task:
    """The task of an import of the data, when it is over."""

    async def played() -> Task:
        async with opened(chosen) as parts:
            await asked_for(parts, "glance-direct", data=data, disk_format=disk_format)
            task = await finished(parts)
            assert not [path for path in parts.holder.scratch.rglob("*") if path.is_file()]
            return task

    return asyncio.run(played())


LIMITS: dict[str, tuple[dict[str, Any], int]] = {
    "the quota": ({"quota": Quota(storage="2MB")}, 2 * MIB),
    "the largest image": ({"image": Image(size_cap=MIB)}, MIB),
    "the quota, which is less": ({"image": Image(size_cap=2 * MIB), "quota": Quota(storage="1MB")}, MIB),
    "the largest image, which is less": ({"image": Image(size_cap=MIB), "quota": Quota(storage="4MB")}, MIB),
}


@pytest.mark.parametrize("what", LIMITS)
def test_no_plugin_makes_more_than_a_project_may_have(chosen: Settings, what: str) -> None:
    sections, limit = LIMITS[what]
    chosen = msgspec.structs.replace(chosen, **sections)
    task = imported(chosen, gzip.compress(INNER))
    assert (task.status, task.message) == ("failure", f"The decompressed image is too large: more than {limit} bytes.")


@pytest.mark.parametrize("what", LIMITS)
def test_nor_does_qemu_img(chosen: Settings, tmp_path: Path, what: str) -> None:
    sections, limit = LIMITS[what]
    chosen = msgspec.structs.replace(chosen, **sections)
    task = imported(chosen, created(tmp_path, "qcow2", size="3M").read_bytes(), "qcow2")
    assert (task.status, task.message) == ("failure", f"The converted image is too large: more than {limit} bytes.")


def test_a_quota_that_keystone_replaces_is_no_limit(chosen: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    keystone = RecordedKeystone()
    quota = Quota(storage="2MB", keystone_limits=True)
    chosen = msgspec.structs.replace(chosen, quota=quota, keystone=keystone.settings)
    assert imported(chosen, gzip.compress(INNER)).status == "success"
    keystone.go()
    Scene(chosen, monkeypatch).state().is_whole(["local"], INNER)


@pytest.fixture
def scratch(chosen: Settings) -> Iterator[Any]:
    """Makes a place of another kind of the scratch directory."""
    path = chosen.directory / "scratch"
    with ExitStack() as after:

        def make(kind: str) -> None:
            if kind == "in the way":
                path.write_text("")
                return
            root = os.getuid() == 0
            require("to be root and mount (to mount a small tmpfs)", shutil.which("mount") if root else None)
            path.mkdir()
            options = "ro" if kind == "read-only" else "size=1m"
            if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], check=False).returncode:
                require("leave to mount a tmpfs", None)
            after.callback(subprocess.run, ["umount", path], check=True)

        yield make


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("full", "Import scratch media is full: No space left on device"),
        ("read-only", "Insufficient permissions on import scratch media: Read-only file system"),
        ("in the way", "The import scratch cannot be used at the moment: Not a directory"),
    ],
)
def test_a_place_that_cannot_be_used_is_told(
    chosen: Settings, scratch: Any, monkeypatch: pytest.MonkeyPatch, kind: str, message: str
) -> None:
    scratch(kind)
    task = imported(chosen, gzip.compress(DATA))
    assert (task.status, task.message) == ("failure", message)
    state = Scene(chosen, monkeypatch).state()
    assert (state.image.status, state.files) == ("queued", {})
    state.is_tidy()


def test_a_place_that_is_too_small_for_qemu_img(chosen: Settings, scratch: Any, tmp_path: Path) -> None:
    scratch("full")
    raw = tmp_path / "raw"
    raw.write_bytes(DATA)
    made = tmp_path / "made.qcow2"
    subprocess.run([qemu_img(), "convert", "-O", "qcow2", raw, made], check=True)
    task = imported(chosen, made.read_bytes(), "qcow2")
    assert (task.status, task.message) == ("failure", "Import scratch media is full: No space left on device")
