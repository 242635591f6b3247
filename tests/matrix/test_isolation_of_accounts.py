"""Users, projects, domains and roles that a caller may not see answer as those that do not exist."""

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from tests.matrix.cloud import Answer
from tests.matrix.conftest import Deployment
from tests.matrix.people import ALONE
from tests.matrix.play import whole

ABSENT = "0123456789abcdef0123456789abcdef"
UNTRUSTED = [each for each in ALONE if each not in ("none", "bad", "admin", "system")]

_PASSWORD = {"user": {"original_password": "wrong", "password": "new"}}
CALLS: list[tuple[str, str, Any]] = [
    *(
        (method, f"/v3/{noun}s/{{{noun}}}", {noun: {"name": "x"}} if method == "PATCH" else None)
        for noun in ("user", "project", "domain", "role")
        for method in ("GET", "PATCH", "DELETE")
    ),
    ("GET", "/v3/users/{user}/projects", None),
    ("POST", "/v3/users/{user}/password", _PASSWORD),
    *(
        (method, f"/v3/{place}/users/{{user}}/roles{tail}", None)
        for place in ("projects/{project}", "domains/{domain}", "system")
        for method, tail in (("GET", ""), ("GET", "/{role}"), ("PUT", "/{role}"), ("DELETE", "/{role}"))
    ),
    ("GET", "/v3/users?name={user_name}", None),
    ("GET", "/v3/users?domain_id={domain}", None),
    ("GET", "/v3/projects?name={project_name}", None),
    ("GET", "/v3/projects?domain_id={domain}", None),
    ("GET", "/v3/domains?name={domain_name}", None),
    ("GET", "/v3/roles?name={role_name}", None),
    ("GET", "/v3/role_assignments?user.id={user}", None),
    ("GET", "/v3/role_assignments?role.id={role}", None),
    ("GET", "/v3/role_assignments?scope.project.id={project}", None),
    ("GET", "/v3/role_assignments?scope.domain.id={domain}", None),
]


class Things(NamedTuple):
    """One user, project, domain and role, by id and name, as a path names them."""

    ids: dict[str, str]

    def fill(self, text: str) -> str:
        """The text with their ids and names."""
        for name, value in self.ids.items():
            text = text.replace(f"{{{name}}}", value)
        return text

    def plain(self, answer: Answer) -> str:
        """The answer without their ids and names."""
        text = whole(answer, "")
        for value in {*self.ids.values()}:
            text = text.replace(value, "…")
        return text


NOTHING = Things({each: ABSENT for noun in ("user", "project", "domain", "role") for each in (noun, f"{noun}_name")})


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def on(request: pytest.FixtureRequest, deployment: Callable[[str], Deployment]) -> Deployment:
    """The deployment on each database in turn."""
    return deployment(request.param)


@pytest.fixture(scope="module")
def there(on: Deployment) -> Things:
    """What none of the untrusted may see: all of it in a domain where none of them has a role."""
    name = "fedcba9876543210fedcba9876543210"  # as long as an id that does not exist
    domain = on.people.make("domain", name)
    made = {"user": {"domain_id": domain, "password": "of the user"}, "project": {"domain_id": domain}, "role": {}}
    ids = {noun: on.people.make(noun, name, **given) for noun, given in made.items()} | {"domain": domain}
    return Things(ids | {f"{noun}_name": name for noun in ids})


@pytest.mark.parametrize(("method", "path", "body"), CALLS, ids=lambda each: str(each).replace("/v3/", ""))
def test_what_may_not_be_seen_is_not_there(on: Deployment, there: Things, method: str, path: str, body: Any) -> None:
    told = {}
    for persona in UNTRUSTED:
        token = on.people.person[persona].token
        one, other = (on.cloud("identity", method, each.fill(path), token, body) for each in (there, NOTHING))
        assert other.status >= 400 or persona == "domain" or other.body["links"], other
        if there.plain(one) != NOTHING.plain(other):
            told[persona] = (there.plain(one), NOTHING.plain(other))
    assert not told


def _proofs(things: Things) -> Iterator[dict[str, Any]]:
    """Attempts to log in that fail, as whoever or for whatever."""
    domain = {"domain": {"id": things.ids["domain"]}}
    for user in ({"id": things.ids["user"]}, {"name": things.ids["user_name"], **domain}):
        yield {"user": {**user, "password": "wrong"}}


def test_who_logs_in_wrongly_learns_of_no_user(on: Deployment, there: Things) -> None:
    for one, other in zip(_proofs(there), _proofs(NOTHING), strict=True):
        answers = []
        for proof in (one, other):
            body = {"auth": {"identity": {"methods": ["password"], "password": proof}}}
            answers.append(whole(on.cloud("identity", "POST", "/v3/auth/tokens", json_body=body), ""))
        assert answers[0] == answers[1], json.dumps(one)


@pytest.mark.parametrize("scope", ["project", "project by name", "domain", "domain by name"])
def test_who_asks_for_a_scope_without_a_role_learns_of_no_project(on: Deployment, there: Things, scope: str) -> None:
    kind, by_name = scope.split()[0], scope.endswith("name")
    answers = []
    for things in (there, NOTHING):
        target: dict[str, Any] = {"name": things.ids[f"{kind}_name"]} if by_name else {"id": things.ids[kind]}
        if by_name and kind == "project":
            target["domain"] = {"id": things.ids["domain"]}
        identity = {"methods": ["token"], "token": {"id": on.people.person["unscoped"].token}}
        body = {"auth": {"identity": identity, "scope": {kind: target}}}
        answers.append(whole(on.cloud("identity", "POST", "/v3/auth/tokens", json_body=body), ""))
    assert answers[0] == answers[1]
    assert answers[0].startswith("401")
