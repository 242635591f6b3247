"""The people of the stories: accounts made through the Identity API, as an operator would make them."""

from typing import Any

import httpx
import msgspec

DOMAIN = {"id": "default"}

# Name of the user: its project and its role there. The first start makes `admin` and `demo`.
MADE = {
    "reader": ("demo", "reader"),
    "alt": ("alt", "member"),
    "roleless": ("demo", "auditor"),
}


class Persona(msgspec.Struct, frozen=True):
    """A user with a token for one project."""

    user_name: str
    user_id: str
    password: str
    project_name: str
    project_id: str
    token: str


def prepare(base: str, clouds: dict[str, Any]) -> dict[str, Persona]:
    """Make the accounts that are missing and log everybody in."""
    passwords = {name: str(clouds[f"calotype-{name}"]["auth"]["password"]) for name in ("admin", "demo")}
    admin = log_in(base, "admin", passwords["admin"], "admin")[0]
    with httpx.Client(base_url=f"{base}/v3", headers={"X-Auth-Token": admin}, timeout=30) as api:
        _post(api, "project", name="alt")
        _post(api, "role", name="auditor")
        projects = {each["name"]: each["id"] for each in _get(api, "projects")}
        roles = {each["name"]: each["id"] for each in _get(api, "roles")}
        for name, (project, role) in MADE.items():
            passwords[name] = f"the password of {name}"
            user = _post(api, "user", name=name, password=passwords[name])["id"]
            api.put(f"/projects/{projects[project]}/users/{user}/roles/{roles[role]}").raise_for_status()
    of_user = {"admin": "admin", "demo": "demo", **{name: project for name, (project, _) in MADE.items()}}
    return {name: _persona(base, name, passwords[name], project) for name, project in of_user.items()}


def log_in(base: str, user: str, password: str, project: str | None) -> tuple[str, dict[str, Any]]:
    """A token for a project, or without scope, and what is said about it."""
    scope: Any = {"project": {"name": project, "domain": DOMAIN}} if project else "unscoped"
    who = {"user": {"name": user, "domain": DOMAIN, "password": password}}
    body = {"auth": {"identity": {"methods": ["password"], "password": who}, "scope": scope}}
    answer = httpx.post(f"{base}/v3/auth/tokens", json=body, timeout=30)
    assert answer.status_code == 201, answer.text
    return answer.headers["X-Subject-Token"], answer.json()["token"]


def _persona(base: str, name: str, password: str, project: str) -> Persona:
    token, about = log_in(base, name, password, project)
    return Persona(name, about["user"]["id"], password, project, about["project"]["id"], token)


def _post(api: httpx.Client, noun: str, **fields: str) -> dict[str, Any]:
    answer = api.post(f"/{noun}s", json={noun: fields})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()[noun]
    return made


def _get(api: httpx.Client, nouns: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get(f"/{nouns}").raise_for_status().json()[nouns]
    return found
