"""Runs tempest, unmodified, from an environment of its own, and reads what came of it."""

import json
import os
import re
import subprocess
from pathlib import Path

import msgspec

from tests.tempest.configuration import Options, write
from tests.tempest.passes import Pass

WORKERS = 2
SECONDS = 900
SCRIPT = Path(__file__).with_name("outcomes_script.py")

_ATTRIBUTES = re.compile(r"\[[^]]*]")
_FIXTURE = re.compile(r"(?P<fixture>\w+) \((?P<case>[\w.]+)\)")


class Outcome(msgspec.Struct, frozen=True):
    """What came of one test, or of the fixtures of a class."""

    id: str
    """Without what stands in square brackets; of a fixture, the class."""
    status: str
    """`success`, `skip` or `fail`, and whatever else a stream may say."""
    fixture: str
    """For example `setUpClass`; empty for a test."""
    details: dict[str, str]
    """Texts by name: `reason`, `traceback`, `pythonlogging:''`."""


class Results(msgspec.Struct, frozen=True):
    """What came of a whole pass."""

    listed: frozenset[str]
    """Every test that was asked for."""
    outcomes: tuple[Outcome, ...]

    @property
    def failed(self) -> list[Outcome]:
        """What neither passed nor was skipped."""
        return [each for each in self.outcomes if each.status not in ("success", "skip")]

    @property
    def passed(self) -> frozenset[str]:
        """The tests that ran and passed."""
        return frozenset(each.id for each in self.outcomes if each.status == "success" and not each.fixture)

    @property
    def summary(self) -> str:
        """Counts."""
        skipped = sum(each.status == "skip" for each in self.outcomes)
        return f"{len(self.passed)} passed, {len(self.failed)} failed, {skipped} skipped"


class Tempest:
    """The commands of an installed tempest, run in a directory of their own."""

    def __init__(self, python: Path, home: Path) -> None:
        self._programs = python.parent
        self._home = home
        self._workspace = home / "workspace"
        # Nothing of this process's that would configure tempest or reach into its packages.
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "PYTHON", "TEMPEST_"))}
        self._environment = {**kept, "HOME": str(home)}
        self._workspace.mkdir()
        self._call("tempest", "init", ".")

    def run(self, each: Pass, configuration: Options) -> Results:
        """One pass with a tempest.conf of these sections."""
        file = self._home / "tempest.conf"
        write(file, configuration)
        chosen = ("run", "--config-file", str(file), "--regex", each.select, "--exclude-regex", each.leave_out)
        listed = self._call("tempest", *chosen, "--list-tests").stdout.decode().splitlines()
        done = self._call("tempest", *chosen, "--concurrency", str(WORKERS), codes=(0, 1))
        stream = self._call("stestr", "last", "--subunit", codes=(0, 1)).stdout
        told = self._call("python", str(SCRIPT), given=stream).stdout.decode().splitlines()
        names = frozenset(_plain(line) for line in listed if line.startswith("tempest."))
        results = Results(names, tuple(_outcome(line) for line in told))
        if done.returncode and not results.failed:
            # It broke off: what there is of the stream tells of no failure.
            raise RuntimeError(f"tempest ended with 1:\n{_ending(done)}")
        return results

    def _call(
        self, program: str, *arguments: str, given: bytes = b"", codes: tuple[int, ...] = (0,)
    ) -> subprocess.CompletedProcess[bytes]:
        command, at = [str(self._programs / program), *arguments], self._workspace
        done = subprocess.run(
            command, check=False, capture_output=True, cwd=at, env=self._environment, input=given, timeout=SECONDS
        )
        if done.returncode not in codes:
            raise RuntimeError(f"{program} {' '.join(arguments)} ended with {done.returncode}:\n{_ending(done)}")
        return done


def _outcome(line: str) -> Outcome:
    found = json.loads(line)
    fixture = _FIXTURE.fullmatch(found["id"])
    name = fixture["case"] if fixture else _plain(found["id"])
    return Outcome(name, found["status"], fixture["fixture"] if fixture else "", found["details"])


def _plain(identifier: str) -> str:
    return _ATTRIBUTES.sub("", identifier)


def _ending(done: subprocess.CompletedProcess[bytes]) -> str:
    return (done.stdout + done.stderr).decode(errors="replace")[-4000:]
