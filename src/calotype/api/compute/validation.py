"""The bodies of metadata writes (spec: compute-images 8.3, 12.4).

The schemas keep Nova's order, so that of several faults the same one is told.
"""

from typing import Any

from jsonschema import Draft202012Validator, ValidationError

from calotype.api.compute.faults import Fault

_METADATA: dict[str, Any] = {
    "type": "object",
    # Python reads the dash after a range as itself; messages quote the pattern, so it stays as Nova has it.
    "patternProperties": {"^[a-zA-Z0-9-_:. ]{1,255}$": {"type": "string", "maxLength": 255}},
    "additionalProperties": False,
}


def _validator(member: str, schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator(
        {"type": "object", "properties": {member: schema}, "required": [member], "additionalProperties": False}
    )


_VALIDATORS = {
    "metadata": _validator("metadata", _METADATA),
    "meta": _validator("meta", {**_METADATA, "minProperties": 1, "maxProperties": 1}),
}


def member(document: Any, name: str, relaxed: bool) -> dict[str, str]:
    """The object under `metadata` or `meta`; Fault 400. `relaxed` (`/v2`) drops other members unseen (5.6)."""
    if relaxed and isinstance(document, dict):
        document = {key: value for key, value in document.items() if key == name}
    try:
        # Not `validate`: it looks for the best match, Nova tells the first fault in the order of the schema.
        for error in _VALIDATORS[name].iter_errors(document):
            raise Fault(400, _message(error))
    except RecursionError:
        raise Fault(400, "Malformed request body") from None
    found: dict[str, str] = document[name]
    return found


def _message(error: ValidationError) -> str:
    if not error.path:
        return str(error.message)
    return f"Invalid input for field/attribute {error.path[-1]}. Value: {error.instance}. {error.message}"
