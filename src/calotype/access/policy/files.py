"""The operator's policy files: YAML that gives rules other texts, as in Glance; changed files are read again."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import yaml

from calotype.access.policy.policy import Policy
from calotype.access.policy.rulebook import BadRules, Rulebook
from calotype.settings import Policy as Files
from calotype.settings import SettingsError
from calotype.telemetry.background import every

LOOK_SECONDS = 1.0
"""How soon a change is noticed."""

log = logging.getLogger("calotype.policy")

State = tuple[tuple[str, int, int, int], ...]


def rulebook(files: Files) -> Rulebook:
    """The rules that the files make; raises SettingsError."""
    changed: dict[str, str] = {}
    for path in _paths(files):
        changed |= _read(path)
    try:
        return Rulebook(changed)
    except BadRules as error:
        raise SettingsError(f"policy: {error}") from None


def load(files: Files) -> Policy:
    """The policy that the files make; raises SettingsError."""
    return Policy(rulebook(files))


class PolicyWatch:
    """Puts changed files in force; a part of the worker. Files that cannot be used leave the rules as they are."""

    def __init__(self, files: Files, policy: Policy) -> None:
        self._files = files
        self._policy = policy
        self._state: State | None = None  # the rules were read before: what changed since is not known

    async def open(self) -> None:
        """Begin to look."""
        if self._files.file or self._files.directory:
            self._looking = asyncio.create_task(every(LOOK_SECONDS, self.look, "looking at the policy files"))

    async def close(self) -> None:
        """End."""
        if self._files.file or self._files.directory:
            self._looking.cancel()

    async def look(self) -> None:
        """Read the files if they have changed."""
        state = await asyncio.to_thread(_state, self._files)
        if state == self._state:
            return
        self._state = state
        try:
            rules = await asyncio.to_thread(rulebook, self._files)
        except SettingsError as error:
            log.error("%s; the rules of before stay in force", error)
        else:
            self._policy.adopt(rules)
            log.info("the changed policy files are in force")


def _paths(files: Files) -> list[Path]:
    """The file, then those of the directory by name, without hidden ones, as in oslo.policy; a later one wins."""
    found = [Path(files.file)] if files.file else []
    if files.directory:
        try:
            inside = sorted(each for each in Path(files.directory).iterdir() if each.is_file())
        except OSError as error:
            raise SettingsError(f"policy.directory: {files.directory}: {error.strerror}") from None
        found += [each for each in inside if not each.name.startswith(".")]
    return found


def _state(files: Files) -> State:
    """What changes when a file does; one that is replaced has another inode."""
    try:
        stats = [(str(path), path.stat()) for path in _paths(files)]
    except (OSError, SettingsError):
        return ()
    return tuple((name, stat.st_ino, stat.st_size, stat.st_mtime_ns) for name, stat in stats)


def _read(path: Path) -> dict[str, str]:
    try:
        found: Any = yaml.safe_load(path.read_bytes()) or {}
    except OSError as error:
        raise SettingsError(f"policy: {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise SettingsError(f"policy: {path}: not YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(found, dict):
        raise SettingsError(f"policy: {path}: not a list of NAME: RULE")
    for name, text in found.items():
        if not isinstance(name, str) or not isinstance(text, str):
            raise SettingsError(f'policy: {path}: {name}: a rule is a text; "" lets everybody, "!" nobody')
    return found
