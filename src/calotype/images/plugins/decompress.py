"""`image_decompression`: compressed data becomes what is inside, once. Source: image-v2 24.3.

Nothing that the data says of its own size is believed: the output is counted as it is written.
"""

import asyncio
import bz2
import gzip
import io
import lzma
import struct
import sys
import threading
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from calotype.images.errors import Invalid, LimitExceeded, StorageUnavailable
from calotype.images.plugins.files import SCRATCH, discard, making
from calotype.stores.local import worded

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

BLOCK = 1024 * 1024
XZ_MEMORY = 256 * 2**20
"""What an xz stream may ask for, in bytes; `xz -9` asks for 65 MiB."""

_MAGIC = {
    b"\x1f\x8b\x08": "gzip",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
}
# Whatever the decompressors of the standard library raise of bad data; zipfile has NotImplementedError for methods
# that it does not know.
_BROKEN = (
    *(EOFError, MemoryError, NotImplementedError, OSError, OverflowError, RuntimeError, ValueError),
    *(lzma.LZMAError, struct.error, zipfile.BadZipFile, zlib.error, zstd.ZstdError),
)


class _Decompressor(Protocol):
    """What bz2, lzma and zstd have in common."""

    @property
    def eof(self) -> bool:
        """Whether the end of the stream was met."""

    @property
    def needs_input(self) -> bool:
        """Whether there is nothing more to come without more data."""

    @property
    def unused_data(self) -> bytes:
        """What follows the end of the stream."""

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """At most `max_length` bytes more."""


async def decompress(source: Path, target: Path, container_format: str, cap: int) -> int | None:
    """Write what is inside `source` to the new file `target`; its bytes, None if there is nothing to decompress.

    Then, and after every error and a cancellation, there is no `target`. Raises LimitExceeded beyond `cap` bytes,
    Invalid for data that is broken, cut off, encrypted or no single file, StorageFull, StorageUnavailable.
    """
    if container_format == "compressed":
        return None
    stop = threading.Event()
    work = asyncio.create_task(asyncio.to_thread(_decompress, source, target, cap, stop))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait([work])
        if work.exception() is None and work.result() is not None:  # it was done when it was told to stop
            discard(target)
        raise


def compression(head: bytes) -> str | None:
    """The name of the compression of data that begins so."""
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), None)


def _decompress(source: Path, target: Path, cap: int, stop: threading.Event) -> int | None:
    with worded("data to decompress"):
        file = open(source, "rb")  # noqa: SIM115 - closed by the next line
    with file:
        name = compression(file.read(16))
        if name is None:
            return None
        file.seek(0)
        with making(target) as out:
            return _write(_judged(_OPEN[name](file), name), out, cap, stop)


def _write(pieces: Iterator[bytes], out: BinaryIO, cap: int, stop: threading.Event) -> int:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > cap:
            raise LimitExceeded(f"The decompressed image is too large: more than {cap} bytes.")
        if stop.is_set():
            raise InterruptedError
        with worded(SCRATCH):
            view = memoryview(piece)
            while view:
                view = view[out.write(view) :]
    return size


def _judged(pieces: Iterator[bytes], name: str) -> Iterator[bytes]:
    """The same pieces; what the decompressors trip over is the data's fault, unless the medium failed."""
    try:
        yield from pieces
    except _BROKEN as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise StorageUnavailable(f"The image storage cannot be used: {error.strerror}") from error
        raise Invalid(f"The {name} data cannot be decompressed: {str(error) or type(error).__name__}") from error


def _gzip(file: BinaryIO) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=file) as stream:
        while piece := stream.read(BLOCK):
            yield piece


def _streams(file: BinaryIO, make: Callable[[], _Decompressor], padding: bytes = b"") -> Iterator[bytes]:
    """The streams in a file, one after the other; `padding` are bytes that may lie between them."""
    data = b""
    while data := data or file.read(BLOCK):
        data = data.lstrip(padding)
        if data:
            data = yield from _stream(file, make(), data)


def _stream(file: BinaryIO, stream: _Decompressor, data: bytes) -> Generator[bytes, None, bytes]:
    """One stream that begins with `data`, in bounded memory; returns what follows it. EOFError if it is cut off."""
    while not stream.eof:
        if not data and stream.needs_input and not (data := file.read(BLOCK)):
            raise EOFError("it is cut off")
        yield stream.decompress(data, BLOCK)
        data = b""
    return stream.unused_data


class _Sober(io.FileIO):
    """A file of which little is read at a time: the directory of one member is short, whatever the archive says."""

    def read(self, size: int | None = -1) -> bytes:
        """As a file's, but BadZipFile for more than BLOCK bytes."""
        if size is None or size < 0:
            place = self.tell()
            size = self.seek(0, 2) - place
            self.seek(place)
        if size > BLOCK:
            raise zipfile.BadZipFile("its directory is too long")
        return super().read(size) or b""

    def seek(self, offset: int, whence: int = 0) -> int:
        """As a file's, but BadZipFile for a place before the beginning: the archive names it, not the medium."""
        if whence == 0 and offset < 0:
            raise zipfile.BadZipFile("it names a place before its beginning")
        return super().seek(offset, whence)


def _zip(file: BinaryIO) -> Iterator[bytes]:
    with _Sober(file.fileno(), closefd=False) as raw, zipfile.ZipFile(raw) as archive:
        members = archive.infolist()
        if len(members) != 1 or members[0].is_dir():
            raise zipfile.BadZipFile(f"an archive of exactly one file is needed, this one has {len(members)} members")
        [member] = members
        if member.flag_bits & 0x1:
            raise zipfile.BadZipFile("it is encrypted")
        # The others' decompressors make gigabytes of one small piece.
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise zipfile.BadZipFile("its file is neither stored nor deflated")
        with archive.open(member) as stream:
            while piece := stream.read(BLOCK):
                yield piece


_OPEN: dict[str, Callable[[BinaryIO], Iterator[bytes]]] = {
    "gzip": _gzip,
    "zip": _zip,
    "bzip2": lambda file: _streams(file, bz2.BZ2Decompressor),
    "zstd": lambda file: _streams(file, zstd.ZstdDecompressor),
    "xz": lambda file: _streams(file, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, XZ_MEMORY), b"\0"),
}
