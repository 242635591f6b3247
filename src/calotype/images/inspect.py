"""Looks at image data while it streams past: is it what it claims, is it safe, how large is the disk inside?

The parsers are those of oslo.utils, written by those who repaired CVE-2024-32498. Source: image-v2 24.1.
"""

import io
import logging
from typing import BinaryIO

from oslo_utils.imageutils.format_inspector import (
    ALL_FORMATS,
    FileInspector,
    ImageFormatError,
    InspectWrapper,
    SafetyCheckFailed,
)

from calotype.images.errors import ContentRefused

DETECT_BLOCK = 1024 * 1024

log = logging.getLogger("calotype.inspect")


class _Current(io.BytesIO):
    """A source that reads as the block now passing."""

    block = b""

    def read(self, size: int | None = -1) -> bytes:
        return self.block


class Inspection:
    """The verdict on one stream. Only the container format `bare` is looked at."""

    def __init__(self, disk_format: str, container_format: str, require_match: bool) -> None:
        self._disk_format = disk_format
        self._require_match = require_match
        self._source = _Current()
        self._wrapper = InspectWrapper(self._source) if container_format == "bare" else None

    def feed(self, block: bytes) -> None:
        """Look at the next block."""
        if self._wrapper is not None:
            self._source.block = block
            self._wrapper.read(len(block))

    def verdict(self) -> int | None:
        """Bytes of the disk inside, None if unknown; raises ContentRefused. Call it once, after the last block."""
        if self._wrapper is None:
            return None
        self._wrapper.close()
        try:
            return self._judge(self._wrapper) or None
        except ImageFormatError as error:
            self._mismatch(str(error))
        except SafetyCheckFailed as error:
            raise ContentRefused("Image failed safety checks") from error
        except Exception as error:
            # The parsers read hostile bytes: whatever they trip over is a refusal, never a fault of the service.
            log.warning("format inspection failed: %r", error)
            self._mismatch("Image format inspection failed")
        return None

    def _judge(self, wrapper: InspectWrapper) -> int | None:
        inspector = _detected(wrapper)
        detected = str(inspector)
        virtual_size: int | None
        if detected == self._disk_format:
            virtual_size = inspector.virtual_size
        elif self._disk_format == "raw":
            virtual_size = inspector.actual_size
        elif detected == "raw" and self._disk_format not in ALL_FORMATS:
            virtual_size = None
        else:
            raise ImageFormatError(f"Image disk_format {self._disk_format} does not match stream data {detected}")
        self._check_safety(inspector)
        return virtual_size

    def _check_safety(self, inspector: FileInspector) -> None:
        try:
            inspector.safety_check()
        except SafetyCheckFailed as error:
            # Kernels and ramdisks may carry a boot-sector mark without partitions.
            if self._disk_format not in ("aki", "ari") or inspector.NAME != "gpt" or set(error.failures) - {"mbr"}:
                raise

    def _mismatch(self, text: str) -> None:
        if self._require_match:
            raise ContentRefused(text)
        log.info("accepted although: %s", text)


def _detected(wrapper: InspectWrapper) -> FileInspector:
    """The one format that matched; a bootable ISO may carry a partition table as well."""
    matches = {str(inspector): inspector for inspector in wrapper.formats or ()}
    if matches.keys() == {"iso", "gpt"}:
        return matches["iso"]
    found = wrapper.format
    if found is None:
        raise ImageFormatError("Image format inspection failed")
    return found


def detect(source: BinaryIO) -> str:
    """The disk format of a whole file, as an upload of it will be judged; ContentRefused if it fits several."""
    wrapper = InspectWrapper(source)
    while wrapper.read(DETECT_BLOCK) and wrapper.formats is None:
        pass
    wrapper.close()
    try:
        found = str(_detected(wrapper))
    except ImageFormatError as error:
        raise ContentRefused(str(error)) from error
    return "raw" if found == "gpt" else found
