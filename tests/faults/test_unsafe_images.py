"""Uploads of images made to do harm: refused, nothing is left of them, and the image can be uploaded after all."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from calotype.settings import Image as Limits
from tests.support import hostile
from tests.support.catalogue import Run
from tests.support.hostile import DESCRIPTOR, MIB
from tests.support.image import ImageService, image_service

OCTETS = {"Content-Type": "application/octet-stream"}
UNSAFE = "Image failed safety checks"

Make = Callable[[Path], bytes]


@pytest.fixture
def service(tmp_path: Path, run: Run) -> Iterator[ImageService]:
    """An Image API in process."""
    with image_service(tmp_path / "data", run, image=Limits(virtual_size_cap=64 * MIB)) as made:
        yield made


def qemu(kind: str, *options: str, size: str = "4M") -> Make:
    """What qemu-img makes, beside another disk of the same kind."""

    def make(folder: Path) -> bytes:
        (folder / "base").mkdir()
        if kind in ("qcow2", "vmdk"):
            hostile.created(folder / "base", kind)
        return hostile.created(folder, kind, *options, size=size).read_bytes()

    return make


def foreign_extent(folder: Path) -> bytes:
    """A VMDK of which only qemu sees that it is another file of its directory."""
    text = DESCRIPTOR.replace("createType", 'CREATETYPE="monolithicSparse"\ncreateType')
    text = text.replace('createType="monolithicSparse"', 'createType="monolithicFlat"')
    return hostile.vmdk(text.replace("SPARSE", "FLAT").replace('disk.vmdk"', 'other" 0'), capacity=0)


REFUSED: dict[str, tuple[str, Make, int, str]] = {
    "backing file": ("qcow2", qemu("qcow2", "-b", "base/made.qcow2", "-F", "qcow2"), 415, UNSAFE),
    "backing file, as raw": ("raw", qemu("qcow2", "-b", "base/made.qcow2", "-F", "qcow2"), 415, UNSAFE),
    "data file": ("qcow2", qemu("qcow2", "-o", "data_file=other.raw"), 415, UNSAFE),
    "data file, as raw": ("raw", qemu("qcow2", "-o", "data_file=other.raw"), 415, UNSAFE),
    "unknown feature": ("qcow2", lambda _: hostile.qcow2(features=1 << 5), 415, UNSAFE),
    "parent": ("vmdk", qemu("vmdk", "-b", "base/made.vmdk", "-F", "vmdk"), 415, UNSAFE),
    "flat descriptor": ("vmdk", qemu("vmdk", "-o", "subformat=monolithicFlat"), 415, UNSAFE),
    "flat descriptor, as raw": ("raw", qemu("vmdk", "-o", "subformat=monolithicFlat"), 415, UNSAFE),
    "extents elsewhere": ("vmdk", foreign_extent, 415, UNSAFE),
    "extents elsewhere, as raw": ("raw", foreign_extent, 415, UNSAFE),
    "QED": ("raw", qemu("qed"), 415, UNSAFE),
    "LUKS 2": ("raw", lambda _: hostile.luks(2), 415, UNSAFE),
    "no partitions": ("raw", lambda _: hostile.mbr(), 415, UNSAFE),
    "two formats": ("iso", lambda _: hostile.iso(head=hostile.qcow2()), 415, "Multiple formats detected: iso, qcow2"),
    "another format": ("vdi", lambda _: hostile.qcow2(), 415, "Image disk_format vdi does not match stream data qcow2"),
    "cut off": ("vhd", lambda _: b"conectix", 415, "Incomplete file cannot be safety checked"),
    "endless disk": ("qcow2", lambda _: hostile.qcow2(size=2**64 - 1), 415, UNSAFE),
    "endless VMDK": ("vmdk", lambda _: hostile.vmdk(capacity=2**63), 415, UNSAFE),
    "large disk": ("vdi", qemu("vdi", size="65M"), 413, "The disk inside the image is too large"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_and_leaves_nothing(service: ImageService, tmp_path: Path, name: str) -> None:
    disk_format, make, status, text = REFUSED[name]
    (tmp_path / "images").mkdir()
    image = service("POST", "/v2/images", json={"disk_format": disk_format, "container_format": "bare"}).json()
    path = f"/v2/images/{image['id']}"
    answer = service("PUT", f"{path}/file", content=make(tmp_path / "images"), headers=OCTETS)
    assert (answer.status_code, text in answer.text) == (status, True), answer.text
    assert service("GET", path).json() == {**image, "updated_at": service("GET", path).json()["updated_at"]}
    assert service("GET", f"{path}/file").status_code == 204
    assert [file for file in (tmp_path / "data/images").rglob("*") if file.is_file()] == []

    patch = [{"op": "replace", "path": "/disk_format", "value": "raw"}]
    headers = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
    assert service("PATCH", path, json=patch, headers=headers).status_code == 200
    assert service("PUT", f"{path}/file", content=b"harmless", headers=OCTETS).status_code == 204
    assert service("GET", f"{path}/file").content == b"harmless"
    assert service("GET", path).json()["virtual_size"] == 8


def test_a_disk_as_large_as_it_may_be(service: ImageService, tmp_path: Path) -> None:
    image = service("POST", "/v2/images", json={"disk_format": "vdi", "container_format": "bare"}).json()["id"]
    data = hostile.created(tmp_path, "vdi", size="64M").read_bytes()
    assert service("PUT", f"/v2/images/{image}/file", content=data, headers=OCTETS).status_code == 204
    assert service("GET", f"/v2/images/{image}").json()["virtual_size"] == 64 * MIB
