"""Who calls: the personas of the matrix, made through the Identity API of whatever cloud they are to call."""

import secrets
from typing import Any, NamedTuple

from tests.matrix.cloud import Cloud

DOMAIN = {"id": "default"}
MEMBERS = {"pending": "pending", "accepted": "accepted", "rejected": "rejected"}
"""Projects that shared images are shared with, and the status of each."""

_USERS = {
    "roleless": ("own", "auditor"),
    "reader": ("own", "reader"),
    "member": ("own", "member"),
    "stranger": ("strange", "member"),
    "pending": ("pending", "member"),
    "accepted": ("accepted", "member"),
    "rejected": ("rejected", "member"),
    "service": ("services", "service"),
    "admin": ("administration", "admin"),
}
"""Persona: the project its token is for, and its only role there."""
_PROJECTS = (*dict.fromkeys(project for project, _ in _USERS.values()), "foreign", "newcomer")
"""`foreign` and `newcomer` are nobody's."""

_BESIDE = {
    "reader + service": ("reader", "service"),
    "member + service": ("member", "service"),
    "stranger + service": ("stranger", "service"),
    "system + service": ("system", "service"),
    "domain + service": ("domain", "service"),
    "unscoped + service": ("unscoped", "service"),
    "none + service": ("none", "service"),
    "member + stranger": ("member", "stranger"),
    "system + stranger": ("system", "stranger"),
    "member + bad": ("member", "bad"),
}
"""Persona: whose token comes in X-Auth-Token, and whose beside it, in X-Service-Token."""

ALONE = ("none", "bad", "unscoped", *_USERS, "system", "domain")
"""`none` has no token, `bad` one that is not valid; `system` and `domain` are administrators of that scope alone."""
PERSONAS = (*ALONE, *_BESIDE)


class Person(NamedTuple):
    """A persona: its token, the id of its project if the token is for one, and the token of a service."""

    token: str | None
    project: str | None
    service: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """What carries its tokens."""
        sent = {"X-Auth-Token": self.token, "X-Service-Token": self.service}
        return {name: token for name, token in sent.items() if token is not None}


class People:
    """The personas and the projects, by name. `person` and `projects` hold ids of the cloud that they were made in."""

    def __init__(self, cloud: Cloud, password: str) -> None:
        """`password` is that of the user `admin` in the project `admin` of the domain `default`."""
        self._cloud = cloud
        self._root = self._log_in({"name": "admin", "domain": DOMAIN}, password, _project("admin"))[0]
        self._made: list[str] = []
        mark = secrets.token_hex(3)
        self.projects = {name: self.make("project", f"matrix-{mark}-{name}") for name in _PROJECTS}
        roles = {name: self._role(name) for name in sorted({role for _, role in _USERS.values()})}
        password = secrets.token_urlsafe(12)
        users = {
            name: self.make("user", f"matrix-{mark}-{name}", password=password, domain_id="default")
            for name in (*_USERS, "system", "domain")
        }
        for name, (project, role) in _USERS.items():
            self._grant(f"/projects/{self.projects[project]}/users/{users[name]}/roles/{roles[role]}")
        self._grant(f"/system/users/{users['system']}/roles/{roles['admin']}")
        self._grant(f"/domains/default/users/{users['domain']}/roles/{roles['admin']}")
        scopes: dict[str, Any] = {name: {"project": {"id": self.projects[p]}} for name, (p, _) in _USERS.items()}
        scopes |= {"system": {"system": {"all": True}}, "domain": {"domain": {"id": "default"}}}
        self.person = {"none": Person(None, None), "bad": Person("no token of anybody", None)}
        self.person["unscoped"] = Person(*self._log_in({"id": users["member"]}, password, None))
        for name, scope in scopes.items():
            self.person[name] = Person(*self._log_in({"id": users[name]}, password, scope))
        for name, (caller, beside) in _BESIDE.items():
            self.person[name] = self.person[caller]._replace(service=self.person[beside].token)
        self.person = {name: self.person[name] for name in PERSONAS}

    def plain(self, text: str) -> str:
        """The text with the names of projects instead of their ids."""
        for name, project in self.projects.items():
            text = text.replace(project, f"<{name}>")
        return text

    @property
    def admin(self) -> str:
        """A token of an administrator of images."""
        token = self.person["admin"].token
        assert token is not None
        return token

    def leave(self) -> None:
        """Remove what was made."""
        for path in reversed(self._made):
            self._cloud("identity", "DELETE", path, self._root)

    def _log_in(self, user: dict[str, Any], password: str, scope: Any) -> tuple[str, str | None]:
        auth = {"identity": {"methods": ["password"], "password": {"user": {**user, "password": password}}}}
        body = {"auth": {**auth, "scope": scope or "unscoped"}}
        answer = self._cloud.must("identity", "POST", "/v3/auth/tokens", json_body=body)
        return answer.headers["X-Subject-Token"], answer.body["token"].get("project", {}).get("id")

    def make(self, noun: str, name: str, **given: Any) -> str:
        """The id of a new user, project, domain or role."""
        body = {noun: {"name": name, **given}}
        made: str = self._cloud.must("identity", "POST", f"/v3/{noun}s", self._root, json_body=body).body[noun]["id"]
        self._made.append(f"/v3/{noun}s/{made}")
        return made

    def _role(self, name: str) -> str:
        found = self._cloud.must("identity", "GET", f"/v3/roles?name={name}", self._root).body["roles"]
        return found[0]["id"] if found else self.make("role", name)

    def _grant(self, path: str) -> None:
        self._cloud.must("identity", "PUT", f"/v3{path}", self._root)


def _project(name: str) -> dict[str, Any]:
    return {"project": {"name": name, "domain": DOMAIN}}
