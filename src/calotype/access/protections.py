"""Who may create, read, update and delete which additional properties, by a file of the operator's (image-v2 6)."""

import configparser
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

import msgspec

from calotype.access.caller import Caller
from calotype.access.policy.policy import Policy
from calotype.images.errors import Forbidden
from calotype.images.model import Image
from calotype.settings import Image as Limits
from calotype.settings import SettingsError

Right = Literal["create", "read", "update", "delete"]
RIGHTS: tuple[Right, ...] = ("create", "read", "update", "delete")

Rule = Callable[[Caller], bool]
Section = Mapping[Right, Rule]

_OWN = "os_glance"
"""How the names begin that the service keeps for itself; no file can touch them."""
_LONGEST_NAME = 255
_REMEMBERED = 4096
"""For how many names a process remembers which section is theirs."""


def _everybody(_: Caller) -> bool:
    return True


def _nobody(_: Caller) -> bool:
    return False


_OPEN: Section = dict.fromkeys(RIGHTS, _everybody)


class Protections:
    """The sections of the file, tried from top to bottom: the first whose expression is found in a name decides.

    A name that no section fits is denied to everybody, admins included.
    """

    def __init__(self, sections: Sequence[tuple[re.Pattern[str], Section]]) -> None:
        self._sections = sections
        self._section = lru_cache(_REMEMBERED)(self._find)

    def _find(self, name: str) -> Section | None:
        if name.startswith(_OWN):
            return _OPEN
        if len(name) > _LONGEST_NAME:
            return None
        return next((section for pattern, section in self._sections if pattern.search(name)), None)

    def allows(self, caller: Caller, right: Right, name: str) -> bool:
        """Whether the caller has the right to properties of this name."""
        section = self._section(name)
        return section is not None and section[right](caller)

    def shown(self, caller: Caller, image: Image) -> Image:
        """The image without the properties that the caller may not read."""
        readable = {name: value for name, value in image.properties.items() if self.allows(caller, "read", name)}
        if len(readable) == len(image.properties):
            return image
        return msgspec.structs.replace(image, properties=readable)

    def refuse_new(self, caller: Caller, names: Iterable[str]) -> None:
        """Raise Forbidden unless the caller may give all of these properties to a new image."""
        for name in names:
            _demand(name, self.allows(caller, "create", name))

    def refuse_set(self, caller: Caller, name: str, present: bool) -> None:
        """Raise Forbidden unless the caller may give this property a value on an image where, as the caller sees it,
        it is present or not.
        """
        _demand(name, self._may_set(caller, name, present))

    def refuse_removal(self, caller: Caller, name: str) -> None:
        """Raise Forbidden unless the caller may take the property away."""
        _demand(name, self.allows(caller, "delete", name))

    def settable(self, caller: Caller, image: Image, wanted: Mapping[str, str]) -> dict[str, str]:
        """Those of the wanted properties that the caller may give to the image."""
        seen = self.shown(caller, image).properties
        return {name: value for name, value in wanted.items() if self._may_set(caller, name, name in seen)}

    def _may_set(self, caller: Caller, name: str, present: bool) -> bool:
        """Where the caller cannot see whether it is present, both rights are needed: the answer must not tell."""
        rights: tuple[Right, ...] = ("update",) if present else ("create",)
        if not present and not self.allows(caller, "read", name):
            rights = ("create", "update")
        return all(self.allows(caller, right, name) for right in rights)


def _demand(name: str, allowed: bool) -> None:
    if not allowed:
        raise Forbidden(f"Attribute '{name}' is reserved.")


def completed(whole: Image, seen: Image, changed: Image) -> Image:
    """What a change made of the part that the caller sees, with the properties that the caller does not see."""
    if seen is whole:
        return changed
    if changed.properties == seen.properties:
        return msgspec.structs.replace(changed, properties=whole.properties)
    hidden = {name: value for name, value in whole.properties.items() if name not in seen.properties}
    return msgspec.structs.replace(changed, properties={**hidden, **changed.properties})


def read(settings: Limits) -> bytes:
    """What the file holds, nothing if none is named; raises SettingsError."""
    path = settings.property_protection_file
    try:
        return Path(path).read_bytes() if path else b""
    except OSError as error:
        raise SettingsError(f"image.property_protection_file: {path}: {error.strerror}") from None


def load(settings: Limits, policy: Policy, content: bytes) -> Protections | None:
    """The configured protections, None if none are, from what the file holds; raises SettingsError."""
    path = settings.property_protection_file
    if not path:
        return None
    make = _role_rule if settings.property_protection_rule_format == "roles" else _policy_rule(policy)
    try:
        file = _parsed(content)
        # What the file says of the service's own names is not even looked at, as in Glance.
        return Protections([_section(file, name, make) for name in file.sections() if not name.startswith(_OWN)])
    except _Wrong as wrong:
        raise SettingsError(f"image.property_protection_file: {path}: {wrong}") from None


class _Wrong(Exception):
    """What is wrong with the file."""


def _parsed(content: bytes) -> configparser.RawConfigParser:
    file = configparser.RawConfigParser()
    try:
        file.read_string(content.decode())
    except UnicodeDecodeError:
        raise _Wrong("not UTF-8") from None
    except (configparser.DuplicateSectionError, configparser.DuplicateOptionError) as error:
        what = f"[{error.section}]"
        if isinstance(error, configparser.DuplicateOptionError):
            what += f": {error.option}"
        raise _Wrong(f"line {error.lineno}: section {what} is there twice") from None
    except configparser.MissingSectionHeaderError as error:
        raise _Wrong(f"line {error.lineno}: a section [EXPRESSION] comes first") from None
    except configparser.ParsingError as error:
        raise _Wrong(f"line {error.errors[0][0]}: neither a section [EXPRESSION] nor RIGHT = WHO") from None
    return file


def _section(
    file: configparser.RawConfigParser, name: str, make: Callable[[str], Rule]
) -> tuple[re.Pattern[str], Section]:
    try:
        pattern = re.compile(name)
    except (re.error, OverflowError, RecursionError) as error:
        raise _Wrong(f"section [{name}]: not a regular expression: {error}") from None
    rules: dict[Right, Rule] = {}
    for right in RIGHTS:
        if not file.has_option(name, right):
            raise _Wrong(f"section [{name}]: {right} is missing; each section has {', '.join(RIGHTS)}")
        try:
            rules[right] = make(file.get(name, right).strip())
        except _Wrong as wrong:
            raise _Wrong(f"section [{name}]: {right}: {wrong}") from None
    return pattern, rules


def _role_rule(text: str) -> Rule:
    roles = frozenset(each.strip().lower() for each in text.split(","))
    if {"@", "!"} <= roles:
        raise _Wrong("'@' (everybody) and '!' (nobody) exclude each other")
    if "!" in roles:
        return _nobody
    if "@" in roles:
        return _everybody
    roles -= {""}
    return lambda caller: not roles.isdisjoint(caller.roles) or not roles.isdisjoint(caller.service_roles)


def _with_service(caller: Caller) -> Caller:
    """The caller with the roles of the service as well, which count for properties."""
    if caller.service_roles <= caller.roles:
        return caller
    return msgspec.structs.replace(caller, roles=caller.roles | caller.service_roles)


def _policy_rule(policy: Policy) -> Callable[[str], Rule]:
    def make(text: str) -> Rule:
        if text in ("", "!"):
            return _nobody
        if text == "@":
            return _everybody
        if "," in text:
            raise _Wrong(f"{text!r} is a list; it is one policy rule that may combine others")
        if not policy.keeps(text):
            raise _Wrong(f"{text!r} is no policy rule")
        # Asked about no image, as in Glance: what it allows has to hold for every image of a list.
        return lambda caller: policy.allows(text, _with_service(caller))

    return make
