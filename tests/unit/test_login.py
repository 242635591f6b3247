"""Reading a token request: every refusal of the schema, and that no refusal repeats a secret."""

from typing import Any

import pytest

from calotype.access.errors import AccessError, Invalid, Unauthorized, UnsupportedMethod
from calotype.api.identity.login import Reference, ShownCredential, WantedScope, parse

USER = {"name": "demo", "domain": {"id": "default"}, "password": "p"}


def auth(user: Any = USER, **more: Any) -> dict[str, Any]:
    return {"identity": {"methods": ["password"], "password": {"user": user}}, **more}


def robot(**shown: Any) -> dict[str, Any]:
    return {"identity": {"methods": ["application_credential"], "application_credential": shown}}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("x", "the value is not of type 'object'"),
        ({}, "'identity' is a required property"),
        ({"identity": []}, "field 'identity': the value is not of type 'object'"),
        ({"identity": {}}, "field 'identity': 'methods' is a required property"),
        ({"identity": {"methods": "password"}}, "field 'identity/methods': 'password' is not of type 'array'"),
        ({"identity": {"methods": [1]}}, "field 'identity/methods/0': 1 is not of type 'string'"),
        ({"identity": {"methods": ["password"]}}, "Expecting to find password in identity."),
        ({"identity": {"methods": ["password"], "password": {}}}, "Expecting to find user in password."),
        (auth({}), "field identity/password/user: id or name must be present."),
        (auth({"name": 1}), "field 'identity/password/user/name': 1 is not of type 'string'"),
        (auth({"id": None}), "field 'identity/password/user/id': None is not of type 'string'"),
        (auth({"name": "demo", "password": "p"}), "Expecting to find domain in user."),
        (auth({"name": "demo", "domain": {}}), "field identity/password/user/domain: id or name must be present."),
        (auth(scope=None), "field 'scope': None is not of type 'object', 'string'"),
        (auth(scope={}), "Expecting to find system, project, domain, OS-TRUST:trust or unscoped in scope."),
        (auth(scope="project"), "Expecting to find system, project, domain, OS-TRUST:trust or unscoped in scope."),
        (auth(scope={"project": {"id": "x"}, "domain": {"id": "x"}}), "Expecting to find system, project"),
        (auth(scope={"project": {}}), "field scope/project: id or name must be present."),
        (auth(scope={"project": {"name": "x", "domain": {}}}), "field scope/project/domain: id or name"),
        (auth(scope={"domain": {}}), "field scope/domain: id or name must be present."),
        (auth(scope={"system": {"all": "x"}}), "field 'scope/system/all': 'x' is not of type 'boolean'"),
        (auth(scope={"system": {"all": False}}), "field scope/system: all must be true."),
        (auth(scope={"system": {}}), "field scope/system: all must be true."),
        ({"identity": {"methods": ["token"], "token": {}}}, "field 'identity/token': 'id' is a required property"),
        (robot(), "Expecting to find name or ID in application credential."),
        (robot(id="", name=""), "Expecting to find name or ID in application credential."),
        (robot(id=1), "field 'identity/application_credential/id': 1 is not of type 'string'"),
        (robot(id="i", secret=1), "field 'identity/application_credential/secret': the value is not of type"),
        (robot(name="n"), "Expecting to find user in application credential."),
        (robot(name="n", user={}), "field identity/application_credential/user: id or name must be present."),
        (robot(name="n", user={"name": "u"}), "Expecting to find domain in user."),
        (robot(name="n", user="u"), "field 'identity/application_credential/user': the value is not of type 'object'"),
    ],
)
def test_invalid(given: Any, message: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse(given)
    assert message in refused.value.text


@pytest.mark.parametrize(
    "given",
    [
        {"identity": {"methods": []}},
        auth({"name": "demo", "domain": {"id": "default"}}),
        auth(scope={"OS-TRUST:trust": {"id": "x"}}),
        robot(id="i"),
        robot(id="i", secret=None),
        robot(id="i", secret=""),
        {**robot(id="i", secret="s"), "scope": "unscoped"},
    ],
)
def test_unauthorized(given: Any) -> None:
    with pytest.raises(Unauthorized):
        parse(given)


@pytest.mark.parametrize("method", ["mapped", "identity", "methods", "totp"])
def test_an_unknown_method_is_told_the_known_ones(method: str) -> None:
    given = {"identity": {"methods": [method], method: {}}}
    if method == "methods":
        given["identity"]["methods"] = ["methods"]
    with pytest.raises(UnsupportedMethod) as refused:
        parse(given)
    assert refused.value.supported == ("password", "token", "application_credential")


@pytest.mark.parametrize(
    ("scope", "wanted"),
    [
        ("unscoped", WantedScope("")),
        ({"unscoped": {}}, WantedScope("")),
        ({"system": {"all": True}}, WantedScope("system")),
        ({"project": {"id": "p"}}, WantedScope("project", Reference("p", None))),
        (
            {"project": {"name": "p", "domain": {"name": "Default"}}},
            WantedScope("project", Reference(None, "p", None, "Default")),
        ),
        ({"domain": {"id": "d"}}, WantedScope("domain", Reference("d", None))),
    ],
)
def test_scopes(scope: Any, wanted: WantedScope) -> None:
    assert parse(auth(scope=scope)).scope == wanted


def test_an_application_credential() -> None:
    by_id = parse(robot(id="i", secret="s", name="n", user={"id": "u"})).credential
    assert by_id == ShownCredential("i", "n", None, "s")
    user = {"name": "u", "domain": {"id": "d"}}
    by_name = parse(robot(name="n", user=user, secret="s")).credential
    assert by_name == ShownCredential(None, "n", Reference(None, "u", "d"), "s")


def test_no_scope() -> None:
    assert parse(auth()).scope is None


def test_a_method_twice_is_once() -> None:
    given = auth()
    given["identity"]["methods"] = ["password", "password"]
    assert parse(given).methods == ("password",)


SECRET = "hunter2"


@pytest.mark.parametrize(
    "given",
    [
        SECRET,
        {"identity": SECRET},
        {"identity": {"methods": ["password"], "password": SECRET}},
        auth(SECRET),
        auth({**USER, "password": [SECRET]}),
        {"identity": {"methods": ["token"], "token": SECRET}},
        {"identity": {"methods": ["token"], "token": {"id": [SECRET]}}},
        {"identity": {"methods": ["application_credential"], "application_credential": SECRET}},
        robot(id="i", secret=[SECRET]),
        robot(id="i", secret={"x": SECRET}),
        robot(name="n", user=SECRET, secret=SECRET),
    ],
)
def test_no_refusal_repeats_a_secret(given: Any) -> None:
    with pytest.raises(AccessError) as refused:
        parse(given)
    assert SECRET not in refused.value.text


def test_no_repr_shows_a_secret() -> None:
    assert SECRET not in repr(parse(auth({**USER, "password": SECRET})))
    assert SECRET not in repr(parse({"identity": {"methods": ["token"], "token": {"id": SECRET}}}))
    shown = parse(robot(id="i", secret=SECRET))
    assert SECRET not in repr(shown) + repr(shown.credential)
