"""Disk images made by hand, most of them to do harm (image-v2 24.1, 27)."""

import struct
import subprocess
from pathlib import Path

from tests.support.system import qemu_img

MIB = 2**20
SECTOR = 512

DESCRIPTOR = """# Disk DescriptorFile
version=1
CID=fffffffe
parentCID=ffffffff
createType="monolithicSparse"

# Extent description
RW 2048 SPARSE "disk.vmdk"

ddb.virtualHWVersion = "4"
"""


def qcow2(*, version: int = 3, backing: int = 0, size: int = MIB, features: int = 0) -> bytes:
    """A qcow2 header."""
    head = struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", version, backing, 8, 16, size, 0, 0, 0, 0, 0, 0, 0)
    return (head + struct.pack(">QQQII", features, 0, 0, 4, 104)).ljust(4 * SECTOR, b"\0")


def vmdk(
    descriptor: str = DESCRIPTOR,
    *,
    version: int = 1,
    capacity: int = 2048,
    sector: int = 1,
    footer: bytes | None = None,
) -> bytes:
    """A sparse VMDK without data; `capacity` in sectors."""
    table = 2**64 - 1 if footer is not None else 21
    head = sparse_header(version=version, capacity=capacity, sector=sector, table=table)
    return head + descriptor.encode().ljust(20 * SECTOR, b"\0") + bytes(SECTOR) + (footer or b"")


def sparse_header(
    *, magic: bytes = b"KDMV", version: int = 1, capacity: int = 2048, sector: int = 1, table: int = 21
) -> bytes:
    """The first sector of a sparse VMDK."""
    return struct.pack("<4sIIQQQQIQQ", magic, version, 3, capacity, 128, sector, 20, 512, 0, table).ljust(SECTOR, b"\0")


def footer(header: bytes = b"", *, marker: int = 3, end: int = 0) -> bytes:
    """What ends a streamed VMDK: a marker, the header again, the end of the stream."""
    return (
        struct.pack("<QII", 1, 0, marker).ljust(SECTOR, b"\0")
        + (header or sparse_header())
        + struct.pack("<QII", 0, 0, end).ljust(SECTOR, b"\0")
    )


def mbr(*entries: tuple[int, bytes, int, int]) -> bytes:
    """A boot sector with partitions: boot flag, first CHS, kind, first LBA."""
    table = b"".join(
        struct.pack("<B3sB3sII", boot, chs, kind, b"\0\0\0", first, 100) for boot, chs, kind, first in entries
    )
    return (bytes(446) + table.ljust(64, b"\0") + b"\x55\xaa").ljust(4 * SECTOR, b"\0")


PARTITION = (0x80, b"\1\1\0", 0x83, 2048)
PROTECTIVE = (0, b"\0\2\0", 0xEE, 1)


def fat() -> bytes:
    """The boot sector of a FAT file system, which looks like a partition table."""
    sector = bytearray(mbr())
    sector[0x10], sector[0x15] = 2, 0xF8
    return bytes(sector)


def luks(version: int) -> bytes:
    """A LUKS header."""
    return struct.pack(">6sH", b"LUKS\xba\xbe", version).ljust(4 * SECTOR, b"\0")


def iso(*, kind: int = 1, blocks: int = 24, head: bytes = b"") -> bytes:
    """An ISO 9660 medium of 24 blocks; `kind` of its first descriptor, `head` in its system area."""
    descriptor = bytearray(struct.pack("<B5sB", kind, b"CD001", 1).ljust(2048, b"\0"))
    descriptor[80:84], descriptor[128:130] = struct.pack("<I", blocks), struct.pack("<H", 2048)
    return head.ljust(32768, b"\0") + bytes(descriptor) + bytes(24 * 2048 - 32768 - 2048)


def created(folder: Path, kind: str, *options: str, size: str = "4M") -> Path:
    """An image that qemu-img makes; `options` are its arguments."""
    path = folder / f"made.{kind}"
    subprocess.run(
        [qemu_img(), "create", "-q", "-f", kind, *options, path, size], check=True, capture_output=True, cwd=folder
    )
    return path
