"""Which microversion a request asks for (spec: compute-images 5)."""

import re
from functools import lru_cache
from typing import Any, NamedTuple

from calotype.api.compute.faults import Fault
from calotype.api.wire import Request

MINIMUM = (2, 1)
DEFAULT = "2.1"

# More digits than this are out of every range, and int() refuses thousands of them.
_FORM = re.compile(r"([1-9][0-9]*)\.([1-9][0-9]*|0)")
_DIGITS = 9


class Microversion(NamedTuple):
    """A version, whether it is served at all, and the header lines that tell it (5.3)."""

    number: tuple[int, int]
    supported: bool
    marks: tuple[tuple[bytes, bytes], ...]


class Microversions:
    """The versions from 2.1 to the advertised maximum."""

    def __init__(self, maximum: str) -> None:
        self.maximum = maximum
        self._highest = _number(maximum)
        self._parsed: Any = lru_cache(256)(self._parse)
        self._default = self._parse(DEFAULT)

    def of(self, request: Request) -> Microversion:
        """The version that a request under `/v2.1` asks for; Fault 400 for a malformed one."""
        fields = request.fields
        if b"openstack-api-version" not in fields and b"x-openstack-nova-api-version" not in fields:
            return self._default
        text = _asked(request)
        found: Microversion = self._default if text is None else self._parsed(text)
        return found

    def refusal(self, version: Microversion) -> Fault:
        """What is said to a version out of range."""
        text = version.marks[1][1].decode("latin-1")
        return Fault(406, f"Version {text} is not supported by the API. Minimum is 2.1 and maximum is {self.maximum}.")

    def _parse(self, text: str) -> Microversion:
        if text == "latest":
            text = self.maximum
        number = _number(text)
        value = text.encode("latin-1")
        marks = (
            (b"openstack-api-version", b"compute " + value),
            (b"x-openstack-nova-api-version", value),
            (b"vary", b"OpenStack-API-Version"),
            (b"vary", b"X-OpenStack-Nova-API-Version"),
        )
        return Microversion(number, MINIMUM <= number <= self._highest, marks)


def _number(text: str) -> tuple[int, int]:
    found = _FORM.fullmatch(text)
    if found is None:
        raise Fault(400, f"API Version String {text} is of invalid format. Must be of format MajorNum.MinorNum.")
    major, minor = found.groups()
    return (0, 0) if max(len(major), len(minor)) > _DIGITS else (int(major), int(minor))


def _asked(request: Request) -> str | None:
    """The text of the version: the last `compute` pair of the standard header, or else the legacy header (5.1)."""
    for pair in reversed((request.field(b"openstack-api-version") or "").split(",")):
        words = pair.split(None, 1)
        if len(words) == 2 and words[0].lower() == "compute":
            return words[1].strip()
    legacy = request.field(b"x-openstack-nova-api-version")
    return None if legacy is None else legacy.split(",")[-1].strip()
