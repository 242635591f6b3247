"""The calls that tempest's provider of dynamic credentials makes, in its order, by two test runners at once.

Source: tempest 47, lib/common/dynamic_creds.py and lib/common/cred_client.py.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.support.personas import Persona, log_in
from tests.support.server import Server

SCOPES = ("project", "domain", "system")
ROLES = ("admin", "member", "reader")


class Provider:
    """One test runner: makes a user for each scope and role, and clears up."""

    def __init__(self, base: str, admin: Persona, name: str) -> None:
        self._name = name
        token, _ = log_in(base, admin.user_name, admin.password, admin.project_name)
        self._api = httpx.Client(base_url=f"{base}/v3", headers={"X-Auth-Token": token}, timeout=30)
        (self._domain,) = self._call("GET", "/domains?name=Default", 200)["domains"]
        self._made: list[tuple[str, str, str]] = []

    def create(self, scope: str, role: str) -> None:
        """A user with a role in a scope of its own, who then logs in there."""
        name = f"{self._name}-{scope}-{role}"
        place = self._place(scope, name)
        body = {"name": f"{name}-user", "password": f"secret of {name}", "domain_id": self._domain["id"]}
        user = self._call("POST", "/users", 201, {"user": body})["user"]
        if role == "member":
            assert role in {each["name"] for each in self._call("GET", "/roles", 200)["roles"]}
        roles = self._call("GET", "/roles", 200)["roles"]
        role_id = next(each["id"] for each in roles if each["name"].lower() == role)
        self._call("PUT", f"/{place}/users/{user['id']}/roles/{role_id}", 204)
        self._made.append((scope, place, user["id"]))
        self._log_in(user["id"], body["password"], scope, place.partition("/")[2], role)

    def clear(self) -> None:
        """Delete all, the projects last."""
        for scope, place, user_id in self._made:
            self._call("DELETE", f"/users/{user_id}", 204)
            if scope == "domain":
                self._call("PATCH", f"/{place}", 200, {"domain": {"enabled": False}})
                self._call("DELETE", f"/{place}", 204)
        for place in {place for scope, place, _ in self._made if scope == "project"}:
            self._call("DELETE", f"/{place}", 204)
        self._api.close()

    def _place(self, scope: str, name: str) -> str:
        if scope == "system":
            return scope
        body = {"name": name, "description": f"{name}-desc"}
        if scope == "project":
            body["domain_id"] = self._domain["id"]
        return f"{scope}s/{self._call('POST', f'/{scope}s', 201, {scope: body})[scope]['id']}"

    def _log_in(self, user_id: str, password: str, scope: str, place_id: str, role: str) -> None:
        wanted = {"system": {"all": True}} if scope == "system" else {scope: {"id": place_id}}
        identity = {"methods": ["password"], "password": {"user": {"id": user_id, "password": password}}}
        token = self._call("POST", "/auth/tokens", 201, {"auth": {"identity": identity, "scope": wanted}})["token"]
        assert role in {each["name"] for each in token["roles"]}

    def _call(self, method: str, path: str, status: int, body: Any = None) -> Any:
        answer = self._api.request(method, path, json=body)
        assert answer.status_code == status, (method, path, answer.text)
        return answer.json() if answer.content else None


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_two_runners_make_and_clear_their_credentials(start_server: Callable[..., Server], database: str) -> None:
    server = start_server(database, options=("--workers", "2"))

    def run(name: str) -> None:
        provider = Provider(server.base, server.personas["admin"], name)
        for scope in SCOPES:
            for role in ROLES:
                provider.create(scope, role)
        provider.clear()

    with ThreadPoolExecutor(2) as runners:
        list(runners.map(run, ("tempest-one", "tempest-two")))
    with server.client("admin") as admin:
        for kind in ("users", "projects", "domains"):
            names = [each["name"] for each in admin.get(f"/v3/{kind}").json()[kind]]
            assert not [name for name in names if name.startswith("tempest")]
    assert '"status":5' not in server.log
    assert "secret of" not in server.log
