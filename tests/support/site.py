"""A whole application with accounts and access keys, in this process."""

import asyncio
import time
from typing import Any

import httpx

from calotype.access.access_keys import AccessKeys
from calotype.access.accounts import Accounts
from calotype.access.assignments import Assignments
from calotype.access.model import Scope
from calotype.access.passwords import Passwords
from calotype.access.signers import Signers
from calotype.access.tokens import Tokens
from calotype.access.vault import Vault
from calotype.cli import clouds
from calotype.database.connect import connect
from calotype.settings import Settings
from tests.support.access_key import Pair, Signing, signed
from tests.support.inprocess import InProcess

HOST = {"Host": "calotype.test"}
JSON = {**HOST, "Content-Type": "application/json"}
PATCH = {**HOST, "Content-Type": "application/openstack-images-v2.1-json-patch"}
UNSIGNED = {"X-Sdk-Content-Sha256": "UNSIGNED-PAYLOAD"}
RENAME = b'[{"op": "replace", "path": "/name", "value": "new"}]'


class Site:
    """A running application, and the accounts behind it as another process sees them."""

    def __init__(self, settings: Settings, running: InProcess) -> None:
        self.settings = settings
        self.running = running
        self.database = connect(settings)
        self.tokens = Tokens(self.database, settings.identity)
        self.accounts = Accounts(self.database, Passwords(settings.identity))
        self.assignments = Assignments(self.database)
        self.keys = AccessKeys(self.database, Vault(settings.access_key_file))

    async def open(self) -> None:
        await self.database.open()
        self.demo = await self.accounts.find_user("demo")
        self.project = (await self.accounts.find_project("demo")).id
        self.pair = await self.new_key("demo")

    async def new_key(self, user: str) -> Pair:
        made, secret = await self.keys.create((await self.accounts.find_user(user)).id, "of a test")
        return Pair(made.id, secret)

    async def another_project(self, name: str, role: str = "member") -> str:
        """A second project of the demo user."""
        made = await self.accounts.create_project(name)
        role_id = (await self.accounts.find_role(role)).id
        await self.assignments.grant(self.demo.id, role_id, Scope("project", made.id))
        return made.id

    def signers(self, ahead: float = 0) -> Signers:
        """What another worker has, whose clock is so many seconds ahead."""
        vault = Vault(self.settings.access_key_file)
        return Signers(self.database, vault, self.tokens, self.settings.identity, lambda: time.time() + ahead)

    async def noticed(self) -> None:
        """Wait until the application has seen what was changed beside it."""
        await asyncio.sleep(1.3)

    async def ask(self, method: str, path: str, pair: Pair | None = None, **options: Any) -> httpx.Response:
        """One request, signed by httpx."""
        headers = options.pop("signed", {})
        return await self.running.client.request(method, path, auth=Signing(pair or self.pair, **headers), **options)

    async def send(
        self, method: str, path: str, headers: dict[str, str], body: bytes = b"", **how: Any
    ) -> httpx.Response:
        """One request, signed in a certain way; `sent` are the headers that differ from what was signed."""
        differing = how.pop("sent", {})
        lines = signed(how.pop("pair", self.pair), method, path, headers, body=how.pop("hashed", body), **how)
        return await self.running.client.request(method, path, headers={**lines, **differing}, content=body)

    async def image(self, name: str = "n") -> str:
        """A new image of the demo user."""
        answer = await self.ask("POST", "/v2/images", json={"name": name})
        assert answer.status_code == 201, answer.text
        found: str = answer.json()["id"]
        return found

    async def log_in(self) -> str:
        """A token of the demo user."""
        login = clouds.read(self.settings)["calotype-demo"]["auth"]
        user = {"name": "demo", "password": login["password"], "domain": {"id": "default"}}
        scope = {"project": {"id": self.project}}
        auth = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}
        answer = await self.running.client.post("/v3/auth/tokens", json={"auth": auth})
        return answer.headers["X-Subject-Token"]
