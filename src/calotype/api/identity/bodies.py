"""The bodies of writes: how they are read, and Keystone's schemas for them (spec: identity-and-huawei A.5, A.8).

Fields that no schema names are stored as they come and returned, as Keystone does with `email` and the like. What
Calotype would store without heeding it, and whose sense is a protection, is refused instead.
"""

from itertools import islice
from typing import Any, NamedTuple

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import best_match

from calotype.access.errors import Invalid
from calotype.access.records import NAME_LENGTH
from calotype.api.identity.faults import expecting
from calotype.api.wire import Request, decode

MAX_BODY = 1024 * 1024
_FAULTS = 100
"""How many faults of a body are looked at for the best to tell."""
_SHOWN = 200
_SECRETS = ("password", "original_password", "secret")
_READ_ONLY = ("id", "links", "password_expires_at", "original_password", "domain_id", "parent_id", "is_domain")

_TEXT = {"type": ["string", "null"], "maxLength": 65_535}
_FLAG = {"type": "boolean"}
_ID = {"type": ["string", "null"], "minLength": 1, "maxLength": 64, "pattern": "^[a-zA-Z0-9-]+$"}
_OPTION = {"type": ["boolean", "null"]}
_IMMUTABLE = {"type": "object", "properties": {"immutable": _OPTION}, "additionalProperties": False}
# There is no second factor here: to be asked for one and to let a password do would be a lie.
_USER_OPTIONS = {
    "type": "object",
    "properties": {
        **dict.fromkeys(
            (
                "ignore_change_password_upon_first_use",
                "ignore_password_expiry",
                "ignore_lockout_failure_attempts",
                "ignore_user_inactivity",
                "lock_password",
            ),
            _OPTION,
        ),
        "multi_factor_auth_enabled": {"enum": [False, None]},
        "multi_factor_auth_rules": {"enum": [[], None]},
    },
    "additionalProperties": False,
}
_TAGS = {
    "type": "array",
    "items": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[^,/]*$"},
    "maxItems": 80,
    "uniqueItems": True,
}


def _name(kind: str) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": NAME_LENGTH[kind], "pattern": r"[\S]+"}


_DOMAIN = {"name": _name("domain"), "description": _TEXT, "enabled": _FLAG, "tags": _TAGS, "options": _IMMUTABLE}
_PROJECT = {
    **_DOMAIN,
    "name": _name("project"),
    "domain_id": _ID,
    "parent_id": _ID,
    "is_domain": {"type": "boolean"},
}
_USER = {
    "name": _name("user"),
    "description": _TEXT,
    "enabled": _FLAG,
    "domain_id": _ID,
    "default_project_id": {"type": ["string", "null"], "maxLength": 64},
    "email": _TEXT,
    "password": {"type": ["string", "null"]},
    "options": _USER_OPTIONS,
    "federated": {"type": "array", "maxItems": 0},
}
_ROLE = {
    "name": _name("role"),
    "description": _TEXT,
    "domain_id": {"type": "null"},
    "options": _IMMUTABLE,
}
_METHODS = ["DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"]
_RULE = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "minLength": 1, "maxLength": 64},
        "service": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": r"^[a-zA-Z0-9-]+\Z"},
        "path": {"type": "string", "maxLength": 225, "pattern": "^/"},
        "method": {"type": "string", "enum": _METHODS},
    },
    "additionalProperties": False,
    "anyOf": [{"required": ["service", "path", "method"]}, {"required": ["id"], "maxProperties": 1}],
}
_CREDENTIAL = {
    "id": {"type": "string"},
    "name": _name("user"),
    "description": _TEXT,
    "secret": {"type": ["string", "null"]},
    "expires_at": {"type": ["string", "null"]},
    "project_id": {"type": "string"},
    "unrestricted": {"type": ["boolean", "null"]},
    "system": {"type": "null"},
    "roles": {
        "type": "array",
        "maxItems": 100,
        "items": {
            "type": "object",
            "properties": {"id": {"type": "string", "minLength": 1, "maxLength": 64}, "name": _name("role")},
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": False,
        },
    },
    "access_rules": {"type": "array", "maxItems": 100, "items": _RULE},
}
_COLUMNS = {
    "domain": ("name", "description", "enabled"),
    "project": ("name", "description", "enabled"),
    "user": ("name", "description", "enabled", "default_project_id", "email", "password"),
    "role": ("name",),
}


def _validator(member: str, properties: dict[str, Any], **more: Any) -> Draft202012Validator:
    inner = {"type": "object", "properties": properties, **more}
    schema = {"type": "object", "properties": {member: inner}, "required": [member], "additionalProperties": False}
    return Draft202012Validator(schema)


class Form(NamedTuple):
    """What the body of a call holds, under which name."""

    member: str
    validator: Draft202012Validator


NEW_DOMAIN = Form(
    "domain",
    _validator(
        "domain",
        {**_DOMAIN, "explicit_domain_id": {"type": "string", "pattern": "^[0-9a-f]{32}$"}},
        required=["name"],
    ),
)
NEW_PROJECT = Form("project", _validator("project", _PROJECT, required=["name"]))
NEW_USER = Form("user", _validator("user", _USER, required=["name"]))
NEW_ROLE = Form("role", _validator("role", _ROLE, required=["name"]))
DOMAIN = Form("domain", _validator("domain", _DOMAIN, minProperties=1))
PROJECT = Form("project", _validator("project", _PROJECT, minProperties=1))
USER = Form("user", _validator("user", _USER, minProperties=1))
ROLE = Form("role", _validator("role", _ROLE, minProperties=1))
NEW_CREDENTIAL = Form(
    "application_credential",
    _validator("application_credential", _CREDENTIAL, required=["name"], additionalProperties=False),
)
PASSWORD = Form(
    "user",
    _validator(
        "user",
        {"original_password": {"type": "string"}, "password": {"type": "string"}},
        required=["original_password", "password"],
        additionalProperties=False,
    ),
)


async def document(request: Request) -> dict[str, Any]:
    """The JSON object that is the body, empty when there is none; raises Invalid, BadBody and BodyTooLarge."""
    body = await request.content(MAX_BODY)
    if not body:
        return {}
    kind = (request.field(b"content-type") or "").partition(";")[0].strip().lower()
    if kind and kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise expecting("application/json", "Content-Type header")
    found = decode(body, finite=True)
    if not isinstance(found, dict):
        raise expecting("valid JSON", "request body")
    return found


async def read(request: Request, form: Form) -> dict[str, Any]:
    """What the body holds, checked; raises Invalid, BadBody and BodyTooLarge."""
    body = await document(request)
    error = best_match(islice(form.validator.iter_errors(body), _FAULTS))
    if error is not None:
        raise Invalid(_reason(error, form.member))
    found: dict[str, Any] = body[form.member]
    return found


def changes(kind: str, given: dict[str, Any]) -> dict[str, Any]:
    """The fields of `given` as the accounts take them; what is no column goes into `extra`."""
    columns = {name: given[name] for name in _COLUMNS[kind] if name in given}
    if "description" in columns:
        columns["description"] = columns["description"] or ""
    others = (*_COLUMNS[kind], *_READ_ONLY, "explicit_domain_id", "federated")
    extra = {name: value for name, value in given.items() if name not in others}
    return columns | {"extra": extra} if extra else columns


def same(given: dict[str, Any], **current: object) -> None:
    """Raise Invalid when a field that stays as it is, like the id, is given another value."""
    for name, value in current.items():
        if given.get(name) not in (None, value):
            word = {"id": "ID", "domain_id": "Domain ID"}.get(name, f"`{name}`")
            raise Invalid(f"Cannot change {word}")


def _reason(error: ValidationError, member: str) -> str:
    """The fault in Keystone's form. What is secret, may hold a secret, or is long is not shown."""
    path = [str(each) for each in error.path]
    shown, message = repr(error.instance), error.message
    if path in ([], [member]) or path[-1] in _SECRETS or len(shown) > _SHOWN:
        message = message.replace(shown, "the value")
    message = message[: 2 * _SHOWN]
    return f"Invalid input for field '{'/'.join(path)}': {message}" if path else message
