"""`image_decompression`: what is decompressed, what is refused, and bombs (image-v2 24.3)."""

import asyncio
import bz2
import gzip
import io
import lzma
import os
import shutil
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calotype.images.errors import Invalid, LimitExceeded, StorageUnavailable
from calotype.images.plugins.decompress import compression, decompress
from tests.support.server import clean_environment
from tests.support.system import require
from tests.support.waiting import until

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MIB = 2**20
CAP = 16 * MIB
DATA = b"".join(number.to_bytes(4, "big") for number in range(300_000))

Pack = Callable[[bytes], bytes]


def zipped(data: bytes, kind: int = zipfile.ZIP_DEFLATED, names: tuple[str, ...] = ("disk.img",)) -> bytes:
    """A zip archive with the data under each name."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", kind) as archive:
        for name in names:
            archive.writestr(name, data)
    return out.getvalue()


PACKERS: dict[str, Pack] = {
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "zstd": lambda data: zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1}),
    "bzip2": bz2.compress,
    "zip": zipped,
}


def run(folder: Path, data: bytes, *, cap: int = CAP, container: str = "bare") -> bytes | None:
    """What becomes of the data; whatever happens, nothing else is left."""
    source, target = folder / "source", folder / "target"
    source.write_bytes(data)
    try:
        size = asyncio.run(decompress(source, target, container, cap))
        if size is None:
            assert not target.exists()
            return None
        found = target.read_bytes()
        assert len(found) == size
        assert oct(target.stat().st_mode)[-3:-1] in ("64", "60")
        target.unlink()
        return found
    finally:
        assert list(folder.iterdir()) == [source]
        assert source.read_bytes() == data


@pytest.mark.parametrize("name", PACKERS)
def test_it_is_decompressed_once(tmp_path: Path, name: str) -> None:
    pack = PACKERS[name]
    assert compression(pack(DATA)) == name
    for data in (DATA, b"", b"a", bytes(3 * MIB)):
        assert run(tmp_path, pack(data)) == data
    packed = pack(DATA)
    assert run(tmp_path, pack(packed)) == packed
    assert run(tmp_path, pack(DATA), cap=len(DATA)) == DATA
    with pytest.raises(LimitExceeded):
        run(tmp_path, pack(DATA), cap=len(DATA) - 1)


@pytest.mark.parametrize("tool", ["gzip", "xz", "zstd", "bzip2", "zip"])
def test_what_the_usual_tools_make(tmp_path: Path, tool: str) -> None:
    require(f"{tool} (Debian package {'xz-utils' if tool == 'xz' else tool})", shutil.which(tool))
    arguments = ["-q", "-", "-"] if tool == "zip" else ["-c"]
    packed = subprocess.run([tool, *arguments], input=DATA, capture_output=True, check=True).stdout
    assert run(tmp_path, packed) == DATA


@pytest.mark.parametrize("name", ["gzip", "xz", "zstd", "bzip2"])
def test_streams_one_after_the_other(tmp_path: Path, name: str) -> None:
    pack = PACKERS[name]
    assert run(tmp_path, pack(DATA) + pack(b"") + pack(b"more")) == DATA + b"more"


def test_what_may_lie_between_them(tmp_path: Path) -> None:
    assert run(tmp_path, lzma.compress(b"a") + bytes(2 * MIB) + lzma.compress(b"b") + bytes(8)) == b"ab"
    skipped = struct.pack("<II", 0x184D2A50, 5) + b"index"
    assert run(tmp_path, zstd.compress(b"a") + skipped + zstd.compress(b"b") + skipped) == b"ab"
    assert run(tmp_path, gzip.compress(b"a") + bytes(512)) == b"a"


def test_other_data_stays_as_it_is(tmp_path: Path) -> None:
    for data in (b"", b"raw", b"BZ", b"\x1f\x8b", DATA, b"PK"):
        assert run(tmp_path, data) is None
    assert run(tmp_path, gzip.compress(DATA), container="compressed") is None
    assert run(tmp_path, gzip.compress(DATA), container="ovf") == DATA


@pytest.mark.parametrize("name", PACKERS)
def test_what_is_cut_off_or_followed_by_junk_is_refused(tmp_path: Path, name: str) -> None:
    packed = PACKERS[name](DATA)
    for length in (16, 100, len(packed) // 2, len(packed) - 1):
        with pytest.raises(Invalid, match=f"The {name} data cannot be decompressed"):
            run(tmp_path, packed[:length])
    if name != "zip":  # an archive may be followed by a comment
        with pytest.raises(Invalid):
            run(tmp_path, packed + b"junk")


@pytest.mark.parametrize("name", PACKERS)
def test_what_is_damaged_is_refused(tmp_path: Path, name: str) -> None:
    packed = bytearray(PACKERS[name](DATA))
    packed[len(packed) // 2] ^= 0xFF
    with pytest.raises(Invalid, match=f"The {name} data cannot be decompressed"):
        run(tmp_path, bytes(packed))


def test_archives_that_are_no_single_file(tmp_path: Path) -> None:
    for names in ((), ("a", "b"), ("folder/",)):
        with pytest.raises(Invalid, match="exactly one file"):
            run(tmp_path, zipped(b"", names=names))
    for kind in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with pytest.raises(Invalid, match="neither stored nor deflated"):
            run(tmp_path, zipped(DATA, kind))
    assert run(tmp_path, zipped(DATA, zipfile.ZIP_STORED, ("../../etc/shadow",))) == DATA


def test_an_archive_that_names_a_place_before_its_beginning_is_refused(tmp_path: Path) -> None:
    packed = bytearray(zipped(b"a"))
    # The last record tells that the directory lies later than it does: its file is before the beginning.
    place = packed.rindex(b"PK\5\6") + 16
    packed[place : place + 4] = struct.pack("<I", len(packed))
    with pytest.raises(Invalid, match="The zip data cannot be decompressed"):
        run(tmp_path, bytes(packed))


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    packed = bytearray(zipped(DATA))
    packed[6] |= 1
    packed[packed.index(b"PK\1\2") + 8] |= 1
    with pytest.raises(Invalid, match="encrypted"):
        run(tmp_path, bytes(packed))


def test_sizes_that_an_archive_claims_are_not_believed(tmp_path: Path) -> None:
    packed = zipped(bytes(20 * MIB))
    entry = packed.index(b"PK\1\2")
    for claimed in (1, 2**32 - 2):
        changed = bytearray(packed)
        struct.pack_into("<I", changed, entry + 24, claimed)
        with pytest.raises((Invalid, LimitExceeded)):
            run(tmp_path, bytes(changed))


def test_an_archive_with_an_endless_directory_is_refused(tmp_path: Path) -> None:
    packed = zipped(DATA)
    end = packed.index(b"PK\5\6")
    changed = packed[:end] + bytes(8 * MIB) + packed[end:]
    where = len(changed) - 22
    changed = changed[: where + 12] + struct.pack("<I", 8 * MIB) + changed[where + 16 :]
    with pytest.raises(Invalid, match="directory is too long"):
        run(tmp_path, changed)


def test_an_xz_stream_that_wants_much_memory_is_refused(tmp_path: Path) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 512 * MIB, "preset": 0}]
    with pytest.raises(Invalid):
        run(tmp_path, lzma.compress(b"small", filters=filters))


def test_a_zstd_stream_that_wants_much_memory_is_refused(tmp_path: Path) -> None:
    options = {zstd.CompressionParameter.window_log: 30, zstd.CompressionParameter.content_size_flag: 0}
    compressor = zstd.ZstdCompressor(options=options)
    with pytest.raises(Invalid):
        run(tmp_path, compressor.compress(b"small") + compressor.flush())


def bomb(name: str, path: Path) -> None:
    """A small file that is 10 GiB of zeros inside; streams one after the other are one."""
    pieces, block = 40, bytes(256 * MIB)
    if name != "zip":
        path.write_bytes(PACKERS[name](block) * pieces)
        return
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    body = (packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)) * pieces
    fields = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 0, 0, len(body), 2**32 - 2, 1, 0)
    head = b"PK\3\4" + fields + b"a"
    entry = b"PK\1\2" + struct.pack("<H", 20) + fields + bytes(14) + b"a"
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 1, 1, len(entry), len(head) + len(body), 0)
    path.write_bytes(head + body + entry + end)


BOMB = """
import asyncio, pathlib, sys
from calotype.images.errors import LimitExceeded
from calotype.images.plugins.decompress import decompress

source, target, cap = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])
try:
    asyncio.run(decompress(source, target, "bare", cap))
except LimitExceeded as error:
    print(error.text)
print(pathlib.Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""


@pytest.mark.parametrize("name", PACKERS)
def test_a_bomb_stops_at_the_cap(tmp_path: Path, name: str) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    bomb(name, source)
    assert source.stat().st_size < 60 * MIB
    command = [sys.executable, "-c", BOMB, str(source), str(target), str(CAP)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=20, env=clean_environment(), check=True)
    text, resident = ended.stdout.splitlines()
    assert text == f"The decompressed image is too large: more than {CAP} bytes."
    assert int(resident) < 128 * 1024  # KiB
    assert os.listdir(tmp_path) == ["source"]


async def test_a_cancelled_decompression_ends_and_leaves_nothing(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    bomb("gzip", source)
    task = asyncio.create_task(decompress(source, target, "bare", 2**40))
    await until(lambda: target.exists() and target.stat().st_size > 0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert os.listdir(tmp_path) == ["source"]


def test_a_file_that_is_there_already_stays(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(gzip.compress(b"new"))
    target.write_bytes(b"old")
    with pytest.raises(StorageUnavailable):
        asyncio.run(decompress(source, target, "bare", CAP))
    assert target.read_bytes() == b"old"


@given(
    st.sampled_from([pack(data) for pack in PACKERS.values() for data in (DATA[:5000], bytes(5000))]),
    st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), max_size=6),
    st.integers(1, 2**16),
)
def test_junk_is_refused_or_decompressed(
    tmp_path_factory: pytest.TempPathFactory, packed: bytes, damage: list[tuple[int, int]], length: int
) -> None:
    junk = bytearray(packed[:length])
    for place, value in damage:
        junk[place % len(junk)] = value
    with suppress(Invalid, LimitExceeded):
        run(tmp_path_factory.mktemp("junk"), bytes(junk))
