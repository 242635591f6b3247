"""From nouns to rows and back, and what may stand in a row."""

import secrets
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from calotype.access.errors import Conflict, Invalid, Refused
from calotype.images.model import keepable

Thing = TypeVar("Thing", bound=msgspec.Struct)
NAME_LENGTH = {"domain": 64, "project": 64, "user": 255, "role": 255}
EXTRA_BYTES = 65_535
"""How much a client may store with one thing besides its fields, as JSON."""
EXTRA_DEPTH = 20
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def new_id() -> str:
    """The id of a new thing."""
    return uuid.uuid4().hex


def random_text(size: int) -> str:
    """`size` random bytes as text; it begins with no dash, which a command line would take for an option."""
    while (text := secrets.token_urlsafe(size)).startswith("-"):
        pass
    return text


def made(kind: type[Thing], row: Sequence[Any]) -> Thing:
    """The thing in a row whose columns are the fields of `kind`."""
    values = dict(zip(kind.__struct_fields__, row, strict=True))
    if "enabled" in values:
        values["enabled"] = bool(values["enabled"])  # SQLite keeps 0 or 1
    return kind(**values | {"extra": _decode(values["extra"])})


def row_of(thing: msgspec.Struct) -> dict[str, Any]:
    """The columns of a thing."""
    row = {name: getattr(thing, name) for name in thing.__struct_fields__}
    return row | {"extra": _text(row["extra"])}


def name_of(kind: str, name: str) -> str:
    """A name as it is kept: without blanks around it; raises Invalid."""
    kept = name.strip()
    if not kept or len(name) > NAME_LENGTH[kind] or not keepable(kept):
        raise Invalid(f"Invalid input for field 'name': a {kind}'s name has 1 to {NAME_LENGTH[kind]} characters.")
    return kept


def amending(kind: str, changes: Mapping[str, Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """What makes the new row out of the old one: columns are replaced, `extra` and its `options` are added to.

    An option of null is dropped. Raises Invalid, and Refused when the thing is immutable and `changes` do more than to
    lift that.
    """
    columns = {name: value for name, value in changes.items() if name != "extra"}
    if "name" in columns:
        columns["name"] = name_of(kind, columns["name"])
    added = dict(changes.get("extra", {}))
    lifts = not columns and added in ({"options": {"immutable": False}}, {"options": {"immutable": None}})

    def amend(row: dict[str, Any]) -> dict[str, Any]:
        if not lifts:
            refuse_immutable(kind, row, "update")
        extra = _decode(row["extra"]) | added
        if "options" in added:
            options = _decode(row["extra"]).get("options", {}) | added["options"]
            extra["options"] = {name: value for name, value in options.items() if value is not None}
        return row | columns | {"extra": _text(extra)}

    return amend


def options_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """The options that stand in a row."""
    found: dict[str, Any] = _decode(row["extra"]).get("options", {})
    return found


def refuse_immutable(kind: str, row: Mapping[str, Any], verb: str) -> None:
    """Raise Refused when the row says that it is immutable."""
    if options_of(row).get("immutable"):
        raise Refused(
            f"Unable to {verb} immutable {kind} resource: `{row['id']}`. "
            'Set resource option "immutable" to false first.'
        )


def taken(kind: str, row: Mapping[str, Any]) -> Conflict:
    """Keystone's sentences for a name that is taken."""
    details = f"Duplicate entry found with name {row['name']}"
    if kind == "user":
        details += f" at domain ID {row['domain_id']}"
    elif kind == "project":
        details = (
            "it is not permitted to have two projects with either the same name or same id in the same domain: "
            f"name is {row['name']}, project id {row['id']}"
        )
    elif kind == "domain":
        kind = "project"
        details = f"it is not permitted to have two projects acting as domains with the same name: {row['name']}"
    return Conflict(f"Conflict occurred attempting to store {kind} - {details}.")


def _text(extra: Mapping[str, Any]) -> str:
    """`extra` as it is kept; raises Invalid when it is more than a table wants to hold."""
    if _deeper(extra, EXTRA_DEPTH):
        raise Invalid(f"Additional fields are nested at most {EXTRA_DEPTH} deep.")
    text: bytes = _encode(extra)
    if len(text) > EXTRA_BYTES:
        raise Invalid(f"Additional fields take at most {EXTRA_BYTES} bytes.")
    return text.decode()


def _deeper(value: Any, depth: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(depth == 0 or _deeper(each, depth - 1) for each in inner if isinstance(each, (dict, list)))
