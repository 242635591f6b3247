"""Disk images as the usual tools make them."""

import hashlib
import random
import subprocess
from pathlib import Path

import msgspec

from tests.support.system import ipxe_iso, qemu_img

VIRTUAL = 64 * 2**20
RAW_BYTES = 8 * 2**20

# Disk format of the Image API: the format and options of qemu-img.
MADE = {
    "qcow2": ("qcow2", ""),
    "vmdk": ("vmdk", "subformat=streamOptimized"),
    "vhd": ("vpc", "force_size=on"),
    "vdi": ("vdi", ""),
}
FORMATS = (*MADE, "raw", "iso")


class Disk(msgspec.Struct, frozen=True):
    """A file and what the service should find out about it."""

    path: Path
    disk_format: str
    size: int
    virtual_size: int
    md5: str
    sha512: str


def make(disk_format: str, folder: Path) -> Disk:
    """A disk image with a little data in it."""
    if disk_format == "iso":
        path = ipxe_iso()
        return _disk(path, disk_format, _iso_bytes(path))
    if disk_format == "raw":
        return _disk(_raw(folder / "disk.raw", RAW_BYTES), disk_format, RAW_BYTES)
    kind, options = MADE[disk_format]
    path = folder / f"disk.{disk_format}"
    with_options = ["-o", options] if options else []
    subprocess.run(
        [qemu_img(), "convert", "-f", "raw", "-O", kind, *with_options, _raw(folder / "source.raw", VIRTUAL), path],
        check=True,
        capture_output=True,
    )
    return _disk(path, disk_format, VIRTUAL)


def _iso_bytes(path: Path) -> int:
    """Blocks times block size, from the primary volume descriptor (ECMA-119 8.4.8, 8.4.12)."""
    descriptor = path.read_bytes()[16 * 2048 :][:2048]
    return int.from_bytes(descriptor[80:84], "little") * int.from_bytes(descriptor[128:130], "little")


def _raw(path: Path, size: int) -> Path:
    """A sparse file with a megabyte of noise that no format recognises."""
    noise = bytes([1]) * 512 + random.Random(1).randbytes(2**20)
    path.write_bytes(noise)
    with path.open("r+b") as file:
        file.truncate(size)
    return path


def _disk(path: Path, disk_format: str, virtual_size: int) -> Disk:
    data = path.read_bytes()
    return Disk(
        path, disk_format, len(data), virtual_size, hashlib.md5(data).hexdigest(), hashlib.sha512(data).hexdigest()
    )
