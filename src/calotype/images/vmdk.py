"""What a VMDK may hide beyond what oslo.utils looks for. Source: image-v2 24.1, 27; qemu's block/vmdk.c.

A descriptor may send the reader to other files: to a parent disk, or, in a header without a capacity, to extents of
its own. Either would put a file of the host into the image.
"""

import re
import struct

from oslo_utils.imageutils.format_inspector import SafetyCheck, SafetyViolation, VMDKInspector

_CAPACITY = 12
_DESCRIPTOR = re.compile(rb"(?:#[^\n]*\n| *\r?\n)*version=[123]\r?\n")


def is_descriptor(head: bytes) -> bool:
    """Whether qemu would take data that begins so for a VMDK descriptor, whatever else is in it."""
    return _DESCRIPTOR.match(head[:512]) is not None


class Vmdk(VMDKInspector):
    """The inspector of oslo.utils, with the size that qemu believes and three more checks."""

    def _initialize(self) -> None:
        super()._initialize()
        # A descriptor that cannot be decoded has no type.
        self.vmdktype = "formatnotfound"
        self.add_safety_check(SafetyCheck("parent", self._check_parent))
        self.add_safety_check(SafetyCheck("one_type", self._check_one_type))
        self.add_safety_check(SafetyCheck("capacity", self._check_capacity))

    @property
    def virtual_size(self) -> int:
        """Bytes of the disk inside; a footer takes precedence over the header."""
        if self.has_region("footer"):
            return 512 * self._capacity("footer", 512)
        return 512 * self._capacity("header", 0) if self.has_region("header") else 0

    def _capacity(self, region: str, offset: int) -> int:
        capacity: int = struct.unpack_from("<Q", self.region(region).data, offset + _CAPACITY)[0]
        return capacity

    def _check_parent(self) -> None:
        text = self.desc_text or ""
        if "parentfilenamehint" in text or set(re.findall(r"parentcid=(\w*)", text)) - {"ffffffff"}:
            raise SafetyViolation("Image has a parent")

    def _check_one_type(self) -> None:
        # Readers differ in which of two they take, and in where a text without an end ends.
        if (self.desc_text or "").count("createtype") > 1 or b"\0" not in self.region("descriptor").data:
            raise SafetyViolation("Descriptor is ambiguous")

    def _check_capacity(self) -> None:
        if not self.has_region("header") or not self._capacity("header", 0):
            raise SafetyViolation("Disk has no capacity of its own")
