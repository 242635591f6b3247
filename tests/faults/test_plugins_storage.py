"""Plugins on a disk that is full: a clear refusal, and nothing is left."""

import asyncio
import gzip
import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from calotype.images.errors import StorageFull, StorageUnavailable
from calotype.images.plugins.convert import convert
from calotype.images.plugins.decompress import decompress
from calotype.settings import Image as Limits
from calotype.settings import Plugins
from tests.support.system import qemu_img, require

MIB = 2**20


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    root = os.getuid() == 0
    require("to be root and mount (to mount a small tmpfs)", shutil.which("mount") if root else None)
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=False).returncode:
        require("leave to mount a tmpfs", None)
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """4 MiB that no file system stores in less."""
    path = tmp_path / "disk"
    path.write_bytes(b"\1" * 512 + random.Random(1).randbytes(4 * MIB - 512))
    return path


def test_decompression(small: Path, disk: Path) -> None:
    packed = disk.with_name("packed")
    packed.write_bytes(gzip.compress(disk.read_bytes(), 1))
    with pytest.raises(StorageFull, match="Import scratch media is full: No space left on device"):
        asyncio.run(decompress(packed, small / "target", "bare", 2**40))
    assert list(small.iterdir()) == []


@pytest.mark.parametrize("output", ["qcow2", "vmdk"])
def test_conversion(small: Path, disk: Path, output: str) -> None:
    qemu_img()
    with pytest.raises(StorageFull, match="Import scratch media is full: No space left on device"):
        asyncio.run(convert(disk, small / "target", "raw", Plugins(output_format=output), Limits()))  # type: ignore[arg-type]
    assert list(small.iterdir()) == []


def test_data_that_is_away(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "away"):
        with pytest.raises(StorageUnavailable):
            asyncio.run(decompress(tmp_path / "none", folder / "target", "bare", MIB))
        with pytest.raises(StorageUnavailable):
            asyncio.run(convert(tmp_path / "none", folder / "target", "raw", Plugins(), Limits()))
    assert list(tmp_path.iterdir()) == []
