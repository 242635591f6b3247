"""Looks at image data while it streams past: is it what it claims, is it safe, how large is the disk inside?

The parsers are those of oslo.utils, written by those who repaired CVE-2024-32498. Source: image-v2 24.1.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from oslo_utils.imageutils.format_inspector import (
    ALL_FORMATS,
    FileInspector,
    ImageFormatError,
    SafetyCheckFailed,
)

from calotype.images.errors import ContentRefused, ImageError, LimitExceeded
from calotype.images.vmdk import Vmdk, is_descriptor
from calotype.settings import Image as Limits

WINDOW = 1024 * 1024
LARGEST = 2**63 - 1
"""The largest disk, in bytes: what a signed offset reaches."""

_HEAD = 512
_MAGIC = (b"QFI\xfb", b"QED\0", b"KDMV", b"conectix", b"vhdxfile", b"LUKS\xba\xbe")
_UNSAFE = "Image failed safety checks"
_FAILED = "Image format inspection failed"
_PROTECTIVE = 0xEE

log = logging.getLogger("calotype.inspect")


class Content:
    """Every parser over one stream. They see the same pieces however the stream is cut."""

    def __init__(self) -> None:
        kinds: dict[str, type[FileInspector]] = {**ALL_FORMATS, "vmdk": Vmdk}
        self._raw = kinds.pop("raw")()
        self._all = [kind() for kind in kinds.values()]
        self._live = list(self._all)
        self._failed: list[FileInspector] = []
        self._waiting = b""
        self._head = b""
        self.size = 0

    def feed(self, block: bytes) -> None:
        """Look at the next block."""
        self.size += len(block)
        if len(self._head) < _HEAD:
            self._head += block[: _HEAD - len(self._head)]
        if not self._live:
            return
        data = self._waiting + block if self._waiting else block
        whole = len(data) - len(data) % WINDOW
        for start in range(0, whole, WINDOW):
            self._look(data[start : start + WINDOW])
        self._waiting = data[whole:]

    def clear(self) -> None:
        """Hold nothing any more."""
        for inspector in (self._raw, *self._all):
            vars(inspector).clear()
        self._waiting = self._head = b""

    def _look(self, window: bytes) -> None:
        for inspector in list(self._live):
            try:
                inspector.eat_chunk(window)
            except Exception as error:
                # The parsers read hostile bytes; most of them are not of this format at all.
                log.debug("%s does not fit: %r", inspector, error)
                self._failed.append(inspector)
                self._live.remove(inspector)
            else:
                if inspector.complete and not inspector.format_match:
                    self._live.remove(inspector)

    @property
    def known(self) -> bool:
        """Whether the rest of the stream can tell nothing new."""
        return all(each.complete and each.format_match and each.virtual_size for each in self._live)

    def end(self) -> FileInspector:
        """The one parser that fits; raises ImageFormatError, SafetyCheckFailed."""
        self._look(self._waiting)
        for inspector in self._all:
            inspector.finish()
        fitting = {str(each): each for each in self._all if each.format_match}
        if fitting.keys() == {"iso", "gpt"}:  # a bootable ISO may carry a partition table as well
            del fitting["gpt"]
        if len(fitting) > 1:
            raise ImageFormatError(f"Multiple formats detected: {', '.join(sorted(fitting))}")
        if not fitting:
            self._check_raw()
            return self._raw
        [found] = fitting.values()
        if found in self._failed:
            raise ImageFormatError(_FAILED)
        return found

    def _check_raw(self) -> None:
        """What looks raw only because it is cut off, or because it fools our parsers and not qemu's, is refused."""
        if self._head.startswith(_MAGIC):
            raise ImageFormatError(_FAILED)
        if is_descriptor(self._head):
            raise SafetyCheckFailed({"descriptor": None})


class Inspection:
    """The verdict on one stream. Only the container format `bare` is looked at."""

    def __init__(self, disk_format: str, container_format: str, limits: Limits) -> None:
        self._disk_format = disk_format
        self._limits = limits
        self._content = Content() if container_format == "bare" else None

    def feed(self, block: bytes) -> None:
        """Look at the next block."""
        if self._content is not None:
            self._content.feed(block)

    def end(self) -> None:
        """Let go of what was looked at: the parsers refer to themselves, and hold it until somebody sweeps."""
        if self._content is not None:
            self._content.clear()

    def verdict(self) -> int | None:
        """Bytes of the disk inside, None if unknown; raises ContentRefused, LimitExceeded.

        Call it once, after the last block.
        """
        if self._content is None:
            return None
        try:
            with _judging():
                return _measured(self._judge(self._content), self._limits)
        except _Mismatch as error:
            if self._limits.require_format_match:
                raise
            log.info("accepted although: %s", error)
            return None

    def _judge(self, content: Content) -> int:
        inspector = content.end()
        detected = str(inspector)
        if detected == self._disk_format or self._disk_format == "raw":
            virtual_size = _virtual_size(inspector, content.size) if detected == self._disk_format else content.size
        elif detected == "raw" and self._disk_format not in ALL_FORMATS:
            virtual_size = 0
        else:
            raise ImageFormatError(f"Image disk_format {self._disk_format} does not match stream data {detected}")
        _check_safety(inspector, self._limits)
        return virtual_size


def _virtual_size(inspector: FileInspector, size: int) -> int:
    """Bytes of the disk in `size` bytes of data; 0 if unknown."""
    if str(inspector) == "raw":
        return size
    found: int = inspector.virtual_size
    # An ISO whose first descriptor is not the primary one has still the size of its medium.
    return size if str(inspector) == "iso" and not found else found


def _measured(virtual_size: int, limits: Limits) -> int | None:
    """The size as it is kept; raises ContentRefused, LimitExceeded."""
    if virtual_size > LARGEST:
        raise ContentRefused(_UNSAFE)
    if 0 < limits.virtual_size_cap < virtual_size:
        raise LimitExceeded(
            f"The disk inside the image is too large: {virtual_size} bytes, the limit is {limits.virtual_size_cap}."
        )
    return virtual_size if virtual_size > 0 else None


def _check_safety(inspector: FileInspector, limits: Limits) -> None:
    try:
        inspector.safety_check()
    except SafetyCheckFailed as error:
        if str(inspector) != "gpt" or set(error.failures) != {"mbr"} or not _tolerated(inspector, limits):
            raise
        log.info("accepted although: %s", error)


def _tolerated(inspector: FileInspector, limits: Limits) -> bool:
    """`mbr` tolerates a bad partition table, `gptmbr` only one that has a GPT's protective entry."""
    names = limits.gpt_safety_checks_nonfatal
    kinds = inspector.region("mbr").data[450:514:16]
    return "mbr" in names or ("gptmbr" in names and _PROTECTIVE in kinds)


class Found(NamedTuple):
    """What a file is: its format, the bytes of the disk inside (None if unknown), a VMDK's createType."""

    disk_format: str
    virtual_size: int | None
    subformat: str = ""


def examine(path: Path, limits: Limits) -> Found:
    """What a whole file is, a partitioned disk being raw; it blocks. Raises ContentRefused, LimitExceeded, OSError.

    Stricter than an upload: neither a mismatch nor a parser that trips is ever tolerated.
    """
    with open(path, "rb") as source, _read(source) as content:
        size = source.seek(0, 2)
        with _judging():
            return _found(content.end(), size, limits)


def _found(inspector: FileInspector, size: int, limits: Limits) -> Found:
    _check_safety(inspector, limits)
    name = _named(inspector)
    virtual_size = size if name == "raw" else _virtual_size(inspector, size)
    return Found(name, _measured(virtual_size, limits), getattr(inspector, "vmdktype", ""))


def detect(source: BinaryIO) -> str:
    """The disk format of a whole file, as an upload of it will be judged; ContentRefused if it fits several."""
    with _judging(), _read(source) as content:
        return _named(content.end())


@contextmanager
def _read(source: BinaryIO) -> Iterator[Content]:
    """As much of a file as tells what it is; let go of at the end."""
    content = Content()
    try:
        while window := source.read(WINDOW):
            content.feed(window)
            if content.known:
                break
        yield content
    finally:
        content.clear()


def _named(inspector: FileInspector) -> str:
    name = str(inspector)
    return "raw" if name == "gpt" else name


class _Mismatch(ContentRefused):
    """The data is not of its format; an operator may let that pass."""


@contextmanager
def _judging() -> Iterator[None]:
    """Turn what the parsers raise into refusals: whatever they trip over is never a fault of the service."""
    try:
        yield
    except ImageError:
        raise
    except ImageFormatError as error:
        raise _Mismatch(str(error)) from error
    except SafetyCheckFailed as error:
        raise ContentRefused(_UNSAFE) from error
    except Exception as error:
        log.warning("format inspection failed: %r", error)
        raise _Mismatch(_FAILED) from error
