"""What the accounts begin with: the same as after `keystone-manage bootstrap`, and a project to try things in."""

import uuid
from itertools import pairwise
from typing import Any, NamedTuple

from calotype.access.model import Scope
from calotype.database import assignments, domains, projects, revision, roles, users
from calotype.database.statements import Work

RANKS = ("admin", "manager", "member", "reader")
"""The roles that imply each the next."""
ROLES = (*RANKS, "service")
_IMMUTABLE = '{"options":{"immutable":true}}'
_DOMAIN = {"id": "default", "name": "Default", "description": "The default domain", "enabled": True, "extra": "{}"}


class Account(NamedTuple):
    """A user, named like its project, with its role there and perhaps on the system."""

    description: str
    role: str
    system: bool


ACCOUNTS = {
    "admin": Account("Bootstrap project for initializing the cloud.", "admin", True),
    "demo": Account("", "member", False),
}


def plant(hashes: dict[str, str], moment: int) -> Work:
    """Create everything in one transaction, once; answers the names of the users created.

    A second start changes nothing: accounts that were deleted and roles that were taken do not come back.
    """
    if not (yield from domains.create(_DOMAIN)):
        return set()
    ids = {name: uuid.uuid4().hex for name in ROLES}
    for name, role_id in ids.items():
        yield from roles.create({"id": role_id, "name": name, "extra": _IMMUTABLE})
    for prior, implied in pairwise(RANKS):
        yield from roles.imply(ids[prior], ids[implied], lambda _: None)
    for name, account in ACCOUNTS.items():
        project_id = yield from _project(name, account)
        user: dict[str, Any] = {
            "id": uuid.uuid4().hex,
            "domain_id": _DOMAIN["id"],
            "name": name,
            "password_hash": hashes[name],
            "default_project_id": None if account.system else project_id,
            "email": None,
            "description": "",
            "enabled": True,
            "tokens_valid_from": moment,
            "extra": "{}",
        }
        yield from users.create(user)
        yield from _assign(user["id"], account, project_id)
    yield from revision.bump()
    return set(ACCOUNTS)


def _project(name: str, account: Account) -> Work:
    row = {
        "id": uuid.uuid4().hex,
        "domain_id": _DOMAIN["id"],
        "name": name,
        "description": account.description,
        "enabled": True,
        "extra": "{}",
    }
    yield from projects.create(row)
    return row["id"]


def _assign(user_id: str, account: Account, project_id: str) -> Work:
    role = (yield roles.BY_NAME, {"name": account.role})[0][0]
    for scope in (Scope("project", project_id), *([Scope("system", "all")] if account.system else [])):
        row = {"user_id": user_id, "role_id": role, "scope": scope.kind, "scope_id": scope.id}
        yield from assignments.grant(row)
