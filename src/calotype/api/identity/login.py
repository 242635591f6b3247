"""What a token request says: its methods, its proofs and the scope it wants (spec: identity-and-huawei A.2, A.8).

The checks come in Keystone's order: the schema, what the schema cannot say, the methods, the scope.
"""

from typing import Any, NamedTuple

from calotype.access.errors import Invalid, Unauthorized, UnsupportedMethod
from calotype.api.identity.faults import expecting

METHODS = ("password", "token", "application_credential")

_TEXT = {"type": "string"}
_OPTIONAL = {"type": ("string", "null")}
_REFERENCE = {"type": "object", "properties": {"id": _TEXT, "name": _TEXT}}
_USER = {"type": "object", "properties": {"id": _TEXT, "name": _TEXT, "password": _TEXT, "domain": _REFERENCE}}
_PROJECT = {"type": "object", "properties": {"id": _TEXT, "name": _TEXT, "domain": _REFERENCE}}
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ("identity",),
    "properties": {
        "identity": {
            "type": "object",
            "required": ("methods",),
            "properties": {
                "methods": {"type": "array", "items": _TEXT},
                "password": {"type": "object", "properties": {"user": _USER}},
                "token": {"type": "object", "required": ("id",), "properties": {"id": _TEXT}},
                "application_credential": {
                    "type": "object",
                    "properties": {"id": _TEXT, "name": _TEXT, "secret": _OPTIONAL, "user": _USER},
                },
            },
        },
        "scope": {
            "type": ("object", "string"),
            "properties": {
                "project": _PROJECT,
                "domain": _REFERENCE,
                "OS-TRUST:trust": {"type": "object", "properties": {"id": _TEXT}},
                "system": {"type": "object", "properties": {"all": {"type": "boolean"}}},
            },
        },
    },
}
_TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
# Never echoed: what stands here may be a secret, or hold one.
_SECRET = (
    "",
    "identity",
    "identity/password",
    "identity/password/user",
    "identity/password/user/password",
    "identity/token",
    "identity/token/id",
    "identity/application_credential",
    "identity/application_credential/secret",
    "identity/application_credential/user",
    "identity/application_credential/user/password",
)
_NO_SCOPE = "Error authenticating with application credential: Application credentials cannot request a scope."
_SCOPES = ("system", "project", "domain", "OS-TRUST:trust", "unscoped")


class Reference(NamedTuple):
    """Something given by id, or by name in a domain that is given by id or name."""

    id: str | None
    name: str | None
    domain_id: str | None = None
    domain_name: str | None = None


class ShownCredential(NamedTuple):
    """An application credential: its id, or its name and user, and the secret."""

    id: str | None
    name: str | None
    user: Reference | None
    secret: str

    def __repr__(self) -> str:
        """Without the secret."""
        return f"ShownCredential(id={self.id!r}, name={self.name!r}, user={self.user!r})"


class WantedScope(NamedTuple):
    """The scope asked for: a project or domain comes with its reference. `kind` is as in `access.model.Scope`."""

    kind: str
    target: Reference | None = None


class LoginRequest(NamedTuple):
    """A token request; `scope` is None when it names none."""

    methods: tuple[str, ...]
    user: Reference | None
    password: str | None
    token: str | None
    credential: ShownCredential | None
    scope: WantedScope | None

    def __repr__(self) -> str:
        """Without the proofs."""
        return f"LoginRequest(methods={self.methods!r}, user={self.user!r}, scope={self.scope!r})"


def parse(auth: Any) -> LoginRequest:
    """Read the object under `auth`; raises Invalid and Unauthorized."""
    _check(auth, _SCHEMA, "")
    identity = auth["identity"]
    _check_references(identity, auth.get("scope"))
    methods = _methods(identity)
    user, password = _user(identity) if "password" in methods else (None, None)
    token = identity["token"]["id"] if "token" in methods else None
    credential = _credential(identity["application_credential"]) if "application_credential" in methods else None
    if credential is not None and "scope" in auth:
        raise Unauthorized(_NO_SCOPE)
    scope = _scope(auth["scope"]) if "scope" in auth else None
    return LoginRequest(methods, user, password, token, credential, scope)


def _check(value: Any, schema: dict[str, Any], path: str) -> None:
    kinds = (schema["type"],) if isinstance(schema["type"], str) else schema["type"]
    if not any(isinstance(value, _TYPES[kind]) for kind in kinds):
        shown = "the value" if path in _SECRET and value is not None else repr(value)[:100]
        expected = ", ".join(repr(kind) for kind in kinds)
        raise _refused(path, f"{shown} is not of type {expected}")
    if isinstance(value, dict):
        for name in schema.get("required", ()):
            if name not in value:
                raise _refused(path, f"'{name}' is a required property")
        for name, inner in schema["properties"].items():
            if name in value:
                _check(value[name], inner, f"{path}/{name}" if path else name)
    elif isinstance(value, list):
        for number, each in enumerate(value):
            _check(each, schema["items"], f"{path}/{number}")


def _refused(path: str, what: str) -> Invalid:
    return Invalid(f"Invalid input for field '{path}': {what}" if path else what)


def _check_references(identity: dict[str, Any], scope: Any) -> None:
    """Whoever is referred to has an id or a name."""
    user = identity.get("password", {}).get("user")
    _named(user, "identity/password/user")
    _named(user and user.get("domain"), "identity/password/user/domain")
    if isinstance(scope, dict):
        project = scope.get("project")
        _named(project, "scope/project")
        _named(project and project.get("domain"), "scope/project/domain")
        _named(scope.get("domain"), "scope/domain")


def _named(reference: dict[str, Any] | None, path: str) -> None:
    if reference is not None and "id" not in reference and "name" not in reference:
        raise Invalid(f"Invalid input for field {path}: id or name must be present.")


def _methods(identity: dict[str, Any]) -> tuple[str, ...]:
    methods = tuple(dict.fromkeys(identity["methods"]))
    for method in methods:
        if method not in identity:
            raise expecting(method, "identity")
    if any(method not in METHODS for method in methods):
        raise UnsupportedMethod(METHODS)
    if not methods:
        raise Unauthorized
    return methods


def _user(identity: dict[str, Any]) -> tuple[Reference, str]:
    user = identity["password"].get("user")
    if user is None:
        raise expecting("user", "password")
    reference = _person(user)
    if "password" not in user:
        raise Unauthorized(reason="no password")
    return reference, user["password"]


def _credential(given: dict[str, Any]) -> ShownCredential:
    """By id, in which case the user does not count, or by name and user."""
    id_, name, user = given.get("id") or None, given.get("name") or None, given.get("user")
    if id_ is None and name is None:
        raise expecting("name or ID", "application credential")
    if id_ is None and user is None:
        raise expecting("user", "application credential")
    _named(user, "identity/application_credential/user")
    reference = None if id_ is not None else _person(user)
    if not given.get("secret"):
        raise Unauthorized(reason="no secret")
    return ShownCredential(id_, name, reference, given["secret"])


def _person(user: Any) -> Reference:
    reference = _reference(user)
    if reference.id is None and reference.name is None:
        raise expecting("id or name", "user")
    if reference.name is not None and reference.domain_id is None and reference.domain_name is None:
        raise expecting("domain", "user")
    return reference


def _scope(scope: Any) -> WantedScope:
    kinds = [kind for kind in _SCOPES if kind in scope] if isinstance(scope, dict) else [scope]
    if len(kinds) != 1 or kinds[0] not in ((*_SCOPES,) if isinstance(scope, dict) else ("unscoped",)):
        raise expecting("system, project, domain, OS-TRUST:trust or unscoped", "scope")
    kind = kinds[0]
    if kind == "OS-TRUST:trust":
        raise Unauthorized
    if kind == "unscoped":
        return WantedScope("")
    if kind == "system":
        if scope["system"].get("all") is not True:
            raise Invalid("Invalid input for field scope/system: all must be true.")
        return WantedScope("system")
    return WantedScope(kind, _reference(scope[kind]))


def _reference(given: dict[str, Any]) -> Reference:
    return Reference(*_id_or_name(given), *_id_or_name(given.get("domain", {})))


def _id_or_name(given: dict[str, Any]) -> tuple[str | None, str | None]:
    """One of both, as Keystone has it: the name where there are both. What is empty is not there."""
    name = given.get("name") or None
    return (None if name else given.get("id") or None), name
