"""Where settings come from: a TOML file, `CALOTYPE_*` variables, flags; a later one wins.

A variable is named after its place in the tree: `compute.link_prefix` is `CALOTYPE_COMPUTE_LINK_PREFIX`.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec

from calotype.settings.checks import checked
from calotype.settings.section import Section, SettingsError
from calotype.settings.tree import Settings

_OTHER_VARIABLES = ("CALOTYPE_ADMIN_PASSWORD", "CALOTYPE_CONFIG", "CALOTYPE_TESTS_NO_SKIP")


def load(path: str | None = None, environment: Mapping[str, str] = {}, flags: Mapping[str, Any] = {}) -> Settings:
    """Build the tree; `flags` are top-level settings, those with value None are left out. Raises SettingsError."""
    tree = _read(path) if path else {}
    for place, text in _variables(environment):
        _put(tree, place, text)
    tree.update({name: value for name, value in flags.items() if value is not None})
    try:
        settings = msgspec.convert(tree, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"settings: {_told(tree, error)}") from None
    return checked(settings)


def _told(tree: dict[str, Any], error: msgspec.ValidationError) -> str:
    """What is wrong and where; msgspec does not say which of the tables that an operator names, like [stores.NAME]."""
    for field in msgspec.structs.fields(Settings):
        if get_origin(field.type) is dict and isinstance(tree.get(field.name), dict):
            for name, table in tree[field.name].items():
                try:
                    msgspec.convert(table, get_args(field.type)[1], strict=False)
                except msgspec.ValidationError as found:
                    return f"{field.name}.{name}: {found}"
    return str(error)


def _read(path: str) -> dict[str, Any]:
    try:
        return tomllib.loads(Path(path).read_text())
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from None


def _places() -> list[tuple[list[str], Any]]:
    """Every setting's place in the tree and its type."""
    places: list[tuple[list[str], Any]] = []
    for top in msgspec.structs.fields(Settings):
        if isinstance(top.type, type) and issubclass(top.type, Section):
            places += [([top.name, field.name], field.type) for field in msgspec.structs.fields(top.type)]
        else:
            places.append(([top.name], top.type))
    return places


def _variables(environment: Mapping[str, str]) -> list[tuple[list[str], Any]]:
    found: list[tuple[list[str], Any]] = []
    for place, kind in _places():
        text = environment.get("CALOTYPE_" + "_".join(place).upper())
        if text is not None:
            found.append((place, _parsed(".".join(place), text, kind)))
    return found


def _parsed(name: str, text: str, kind: Any) -> Any:
    """The value of a variable: lists are `a,b`, tables `a=b,c=d`; in the file they may hold commas."""
    if get_origin(kind) is tuple:
        return _items(text)
    if get_origin(kind) is not dict:
        return text
    if wrong := [item for item in _items(text) if "=" not in item]:
        raise SettingsError(f"{name}: {wrong[0]!r} is not NAME=VALUE")
    return dict(item.split("=", 1) for item in _items(text))


def _items(text: str) -> list[str]:
    """The members of a list in a variable, separated by commas."""
    return [item.strip() for item in text.split(",")] if text.strip() else []


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Variables that look like settings and are none."""
    known = {"CALOTYPE_" + "_".join(place).upper() for place, _ in _places()} | set(_OTHER_VARIABLES)
    return sorted(name for name in environment if name.startswith("CALOTYPE_") and name not in known)


def _put(tree: dict[str, Any], place: list[str], value: Any) -> None:
    for name in place[:-1]:
        tree = tree.setdefault(name, {})
        if not isinstance(tree, dict):
            raise SettingsError(f"settings: `{name}` is a section, not a value")
    tree[place[-1]] = value
