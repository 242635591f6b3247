"""The operator's policy files: YAML that gives rules other texts, as in Glance; changed files are read again."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import yaml

from calotype.access.policy.policy import Policy
from calotype.access.policy.rulebook import BadRules, Rulebook
from calotype.settings import Policy as Settings
from calotype.settings import SettingsError
from calotype.telemetry.background import every

LOOK_SECONDS = 1.0
"""How long lies between two looks; a change is put in force by the second one that finds it."""

log = logging.getLogger("calotype.policy")

Texts = dict[Path, bytes]
"""What the files hold, in the order in which they count."""


def read(files: Settings) -> Texts:
    """What the files hold; raises SettingsError."""
    return {path: _content(path) for path in _paths(files)}


def load(texts: Texts) -> Policy:
    """The policy that the files make; raises SettingsError."""
    return Policy(rulebook(texts))


def rulebook(texts: Texts) -> Rulebook:
    """The rules that the files make; raises SettingsError."""
    changed: dict[str, str] = {}
    places: dict[str, str] = {}
    for path, content in texts.items():
        rules = _rules(path, content)
        changed |= {name: text for name, (text, _) in rules.items()}
        places |= {name: place for name, (_, place) in rules.items()}
    try:
        return Rulebook(changed)
    except BadRules as error:
        place = next(places[rule] for rule in error.rules if rule in places)
        raise SettingsError(f"policy: {place}: {error}") from None
    except RecursionError:
        raise SettingsError("policy: a rule is nested too deep, or names others too deep") from None


def refuse_emptied(found: Texts, in_force: Texts) -> None:
    """Raise SettingsError for a file that held something: an editor or a full disk leaves it so."""
    for path, text in found.items():
        if not text.strip() and in_force.get(path, b"").strip():
            raise SettingsError(f"policy: {path}: empty; a file without rules holds {{}}")


class PolicyWatch:
    """Puts changed files in force; a part of the worker. Files that cannot be used leave the rules as they are.

    `texts` is what the policy was made of.
    """

    def __init__(self, files: Settings, policy: Policy, texts: Texts) -> None:
        self._files = files
        self._policy = policy
        self._in_force = texts
        self._found: Texts | str = texts
        self._judged: Texts | str = texts

    async def open(self) -> None:
        """Begin to look, with what has changed since the server's start in force."""
        if self._files.file or self._files.directory:
            await self.look()
            if self._found != self._judged:
                await asyncio.sleep(LOOK_SECONDS)
                await self.look()
            self._looking = asyncio.create_task(every(LOOK_SECONDS, self.look, "looking at the policy files"))

    async def close(self) -> None:
        """End."""
        if self._files.file or self._files.directory:
            self._looking.cancel()

    async def look(self) -> None:
        """Put in force what this look and the one before have found: whoever writes a file may not be through."""
        before, self._found = self._found, await asyncio.to_thread(_found, self._files)
        if self._found != before or self._found == self._judged:
            return
        self._judged = self._found
        try:
            await self._adopt(self._found)
        except SettingsError as error:
            log.error("%s; the rules of before stay in force", error)

    async def _adopt(self, found: Texts | str) -> None:
        if isinstance(found, str):
            raise SettingsError(found)
        refuse_emptied(found, self._in_force)
        rules = await asyncio.to_thread(rulebook, found)
        try:
            self._policy.adopt(rules)
        except BadRules as error:
            raise SettingsError(f"policy: {error}") from None
        self._in_force = found
        log.info("the changed policy files are in force")
        for sentence in self._policy.warnings():
            log.warning("policy: %s", sentence)


def _paths(files: Settings) -> list[Path]:
    """The file, then those of the directory by name, without hidden ones, as in oslo.policy; a later one wins."""
    found = [Path(files.file)] if files.file else []
    if files.directory:
        try:
            inside = sorted(each for each in Path(files.directory).iterdir() if each.is_file())
        except OSError as error:
            raise SettingsError(f"policy.directory: {files.directory}: {error.strerror}") from None
        found += [each for each in inside if not each.name.startswith(".")]
    return found


def _found(files: Settings) -> Texts | str:
    """What the files hold, or why they cannot be read."""
    try:
        return read(files)
    except SettingsError as error:
        return str(error)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(f"policy: {path}: {error.strerror}") from None


def _rules(path: Path, content: bytes) -> dict[str, tuple[str, str]]:
    """The rules of a file by name: their texts and where they are."""
    found, lines = _parsed(path, content)
    rules = {}
    for name, text in found.items():
        place = _place(path, lines.get(str(name)))
        if not isinstance(name, str) or not isinstance(text, str):
            raise SettingsError(f'policy: {place}: {name}: a rule is a text; "" lets everybody, "!" nobody')
        rules[name] = text, place
    return rules


def _parsed(path: Path, content: bytes) -> tuple[dict[Any, Any], dict[str, int]]:
    """What the YAML says, and the lines of its names."""
    try:
        loader = yaml.SafeLoader(content)
        root = loader.get_single_node()
        found: Any = loader.construct_document(root) if root else {}
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise SettingsError(f"policy: {_place(path, line)}: not YAML: {error.problem}") from None
    except Exception as error:  # PyYAML fails in many ways at a value that is not what its tag says
        why = (str(error) or type(error).__name__).splitlines()[0]
        raise SettingsError(f"policy: {path}: not YAML: {why}") from None
    if not isinstance(root, yaml.MappingNode) or not isinstance(found, dict):
        if root is not None and (found or isinstance(root, yaml.MappingNode)):
            raise SettingsError(f"policy: {path}: not a list of NAME: RULE")
        return {}, {}
    return found, {key.value: key.start_mark.line + 1 for key, _ in root.value}


def _place(path: Path, line: int | None) -> str:
    return f"{path}: line {line}" if line else str(path)
