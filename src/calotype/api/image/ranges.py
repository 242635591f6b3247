"""Which part of an image's data a download asks for (spec: image-v2 12.5)."""

import re

from calotype.api.image.faults import Refused
from calotype.api.wire import Request

_RANGE = re.compile(r"bytes *= *(?:(\d+) *- *(\d*)|- *(\d+))", re.IGNORECASE | re.ASCII)
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)", re.ASCII)
_DIGITS = 18
"""Positions of more digits are beyond every image, and int() refuses thousands of them."""

Span = tuple[int, int]
"""First byte and the byte after the last."""


def wanted(request: Request, size: int) -> Span | None:
    """The part that `Range`, or the old `Content-Range`, asks for; Refused with 416, or 400 for several parts."""
    text = request.field(b"range")
    if text is not None:
        return _range(text.strip(), size)
    text = request.field(b"content-range")
    return None if text is None else _content_range(text.strip(), size)


def _range(text: str, size: int) -> Span:
    if text.lower().startswith("bytes") and "," in text:
        raise Refused(
            400,
            "Requests with multiple ranges are not supported in Glance. "
            "You may make multiple single-range requests instead.",
        )
    found = _RANGE.fullmatch(text)
    if found is None:
        raise Refused(416, "Invalid Range header.")
    first, last, suffix = found.groups()
    if suffix is not None:
        return _within(max(0, size - _position(suffix)), size, size)
    start = _position(first)
    end = _position(last) + 1 if last else size
    if start >= end:
        if last:
            raise Refused(416, "Invalid Range header.")
        end = size
    return _within(start, min(end, size), size)


def _position(digits: str) -> int:
    """A place in the data, in bytes."""
    digits = digits.lstrip("0") or "0"
    return int(digits) if len(digits) <= _DIGITS else 10**_DIGITS


def _within(start: int, end: int, size: int) -> Span:
    if start >= size:
        raise Refused(
            416,
            f"Invalid start position in Range header. Start position MUST be in the inclusive range [0, {size - 1}].",
        )
    return start, end


def _content_range(text: str, size: int) -> Span:
    found = _CONTENT_RANGE.fullmatch(text)
    start, end, total = (_position(found[1]), _position(found[2]) + 1, found[3]) if found else (0, 0, "*")
    if found and total == "*" and end > size:
        raise Refused(
            416,
            "Invalid stop position in Content-Range header. "
            f"The stop position MUST be in the inclusive range [0, {size - 1}].",
        )
    if not start < end <= size or (total != "*" and end > _position(total)):
        raise Refused(416, "Invalid Content-Range header.")
    return start, end
