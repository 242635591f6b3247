"""Disk images, good and bad, and the manifest in which tempest's ImagesFormatTest finds them."""

import random
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.support.system import ipxe_iso, qemu_img

SIZE = 2**20

# Name: disk format of the Image API, format and options of qemu-img.
GOOD = {
    "qcow2": ("qcow2", "qcow2", "compat=1.1"),
    "qcow2-v2": ("qcow2", "qcow2", "compat=0.10"),
    "vmdk-sparse": ("vmdk", "vmdk", "subformat=monolithicSparse"),
    "vmdk-stream": ("vmdk", "vmdk", "subformat=streamOptimized"),
    "vhd": ("vhd", "vpc", "force_size=on"),
    "vhdx": ("vhdx", "vhdx", ""),
    "vdi": ("vdi", "vdi", ""),
}


def make(folder: Path) -> Path:
    """Fill the folder; answers the manifest's path. `disk.raw` and `disk.qcow2` are there for downloads too."""
    raw = folder / "disk.raw"
    raw.write_bytes(bytes([1]) * 512 + random.Random(1).randbytes(SIZE - 512))
    images = [_image("raw", raw.name, "raw"), _iso(folder)]
    for name, (disk_format, kind, options) in GOOD.items():
        path = folder / f"{name}.{kind}"
        _qemu("convert", "-f", "raw", "-O", kind, *(["-o", options] if options else []), raw, path)
        images.append(_image(name, path.name, disk_format))
    (folder / "disk.qcow2").write_bytes((folder / "qcow2.qcow2").read_bytes())
    images += [*_bad_qcow2(folder), _bad_vmdk(folder)]
    manifest = folder / "manifest.yaml"
    manifest.write_text(yaml.safe_dump({"images": images}))
    return manifest


def _iso(folder: Path) -> dict[str, Any]:
    (folder / "disk.iso").write_bytes(ipxe_iso().read_bytes())
    return _image("iso", "disk.iso", "iso")


def _bad_qcow2(folder: Path) -> list[dict[str, Any]]:
    """With a backing file, with a data file of its own, and with a feature that nobody knows."""
    backed, parted, strange = (folder / f"{name}.qcow2" for name in ("backed", "parted", "strange"))
    _qemu("create", "-f", "qcow2", "-F", "raw", "-b", "/etc/passwd", backed, str(SIZE))
    _qemu("create", "-f", "qcow2", "-o", f"data_file={folder / 'part.raw'},data_file_raw=on", parted, str(SIZE))
    data = bytearray((folder / "qcow2.qcow2").read_bytes())
    data[72] |= 0x80  # the highest of the incompatible features, which begin at byte 72
    strange.write_bytes(data)
    return [_image(f"qcow2-{path.stem}", path.name, "qcow2", usable=False) for path in (backed, parted, strange)]


def _bad_vmdk(folder: Path) -> dict[str, Any]:
    """A descriptor whose data lie in another file."""
    path = folder / "flat.vmdk"
    _qemu("create", "-f", "vmdk", "-o", "subformat=monolithicFlat", path, str(SIZE))
    return _image("vmdk-flat", path.name, "vmdk", usable=False)


def _image(name: str, filename: str, disk_format: str, usable: bool = True) -> dict[str, Any]:
    return {"name": name, "filename": filename, "format": disk_format, "usable": usable}


def _qemu(*arguments: str | Path) -> None:
    subprocess.run([qemu_img(), *arguments], check=True, capture_output=True)
