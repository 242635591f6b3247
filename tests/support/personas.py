"""The people of the stories, and how they log in."""

import asyncio
from typing import Any

import httpx
import msgspec

from calotype.access.accounts import Accounts
from calotype.access.assignments import Assignments
from calotype.access.model import Scope
from calotype.access.passwords import Passwords
from calotype.database.connect import connect
from calotype.settings import Settings

DOMAIN = {"id": "default"}

# Name of the user: its project and its role there. The first start makes `admin` and `demo`.
MADE = {
    "reader": ("demo", "reader"),
    "alt": ("alt", "member"),
    "roleless": ("demo", "auditor"),
    "service": ("service", "service"),
}


class Persona(msgspec.Struct, frozen=True):
    """A user with a token for one project."""

    user_name: str
    user_id: str
    password: str
    project_name: str
    project_id: str
    token: str


def prepare(base: str, database_url: str, clouds: dict[str, Any]) -> dict[str, Persona]:
    """Make the accounts that are missing and log everybody in."""
    passwords = {name: str(clouds[f"calotype-{name}"]["auth"]["password"]) for name in ("admin", "demo")}
    made = {name: f"the password of {name}" for name in MADE}
    asyncio.run(_make(Settings(database=database_url), made))
    projects = {"admin": "admin", "demo": "demo", **{name: project for name, (project, _) in MADE.items()}}
    return {name: _persona(base, name, (passwords | made)[name], project) for name, project in projects.items()}


async def _make(settings: Settings, passwords: dict[str, str]) -> None:
    database = connect(settings)
    await database.open()
    try:
        accounts = Accounts(database, Passwords(settings.identity))
        await accounts.create_project("alt")
        await accounts.create_project("service")
        await accounts.create_role("auditor")
        for name, (project_name, role_name) in MADE.items():
            user = await accounts.create_user(name, passwords[name])
            project, role = await accounts.find_project(project_name), await accounts.find_role(role_name)
            await Assignments(database).grant(user.id, role.id, Scope("project", project.id))
    finally:
        await database.close()


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
