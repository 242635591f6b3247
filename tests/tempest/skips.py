"""What is known not to run: `skips.txt`."""

from collections.abc import Iterable
from pathlib import Path

FILE = Path(__file__).with_name("skips.txt")


def written() -> dict[str, str]:
    """Name of a test, of all scenarios of a test, or of a class for all of its tests: the reason."""
    lines = (line for line in FILE.read_text().splitlines() if line and not line.startswith("#"))
    named = (line.partition(": ") for line in lines)
    return {name: reason for name, _, reason in named}


def differences(listed: Iterable[str], passed: Iterable[str]) -> list[str]:
    """Sentences: each test that did not run and is not written down, each written line that is no longer true."""
    ran, lines = set(passed), written()
    idle = set(listed) - ran
    found = [f"{name} ran in no pass and is not in skips.txt" for name in sorted(idle) if not _covering(name, lines)]
    for line, reason in lines.items():
        covered = {name for name in idle | ran if _covering(name, [line])}
        if not reason:
            found.append(f"{line} has no reason in skips.txt")
        if not covered:
            found.append(f"{line} is in skips.txt and is no test")
        found += [f"{name} ran and is in skips.txt" for name in sorted(covered & ran)]
    return found


def _covering(name: str, lines: Iterable[str]) -> list[str]:
    return [line for line in lines if name == line or name.startswith((f"{line}.", f"{line}("))]
