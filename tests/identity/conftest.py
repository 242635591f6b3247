"""A built-in identity in this process, on each database in turn, with hashing made cheap."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from calotype.access.accounts import Accounts
from calotype.access.application_credentials import ApplicationCredentials
from calotype.access.assignments import Assignments
from calotype.access.implications import Implications
from calotype.access.model import SYSTEM, UNSCOPED, Login, Scope
from calotype.access.passwords import Passwords
from calotype.access.policy.policy import Policy
from calotype.access.rates import Rates
from calotype.access.signers import Signers
from calotype.access.tokens import Tokens
from calotype.access.vault import Vault
from calotype.api.entrance import Entrance
from calotype.api.identity.routes import Directory, IdentityAPI
from calotype.app import build
from calotype.cli.prepare import prepare
from calotype.database.connect import connect
from calotype.database.engine import Database
from calotype.images.model import now
from calotype.settings import Identity, Log, Settings
from tests.support.inprocess import InProcess
from tests.support.site import Site

CHEAP = Identity(password_memory_kib=64, password_iterations=1)
PASSWORD = "correct horse battery staple"


class World:
    """An identity with a few people: `ids` and `tokens` are by name.

    admin is admin of everything, demo a member of project demo, reader a reader there, alt a member of project alt,
    auditor a reader of the system, checker has the role `service` on project alt. The roles of the
    start may be changed here.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.settings = Settings(database=url, identity=CHEAP)
        self.shift = 0
        """How far this world's clock is ahead, in microseconds."""
        self.ids: dict[str, str] = {}
        self.issued: dict[str, str] = {}
        self.databases: list[Database] = []
        self.passwords = Passwords(CHEAP)

    async def tokens_on_a_new_connection(self) -> Tokens:
        """What another worker has."""
        database = connect(self.settings)
        await database.open()
        self.databases.append(database)
        return Tokens(database, CHEAP, lambda: now() + self.shift)

    async def open(self) -> None:
        """Fill the accounts and log everybody in."""
        self.tokens = await self.tokens_on_a_new_connection()
        self.database = self.databases[0]
        self.accounts = Accounts(self.database, self.passwords, self.tokens.forget)
        self.assignments = Assignments(self.database, self.tokens.forget)
        self.implications = Implications(self.database, self.tokens.forget)
        self.credentials = ApplicationCredentials(self.database, self.passwords, self.tokens.forget)
        self.directory = Directory(self.accounts, self.assignments, self.implications, self.credentials)
        signers = Signers(self.database, Vault(self.settings.access_key_file), self.tokens, CHEAP)
        self.entrance = Entrance(self.settings, self.tokens, Policy(), signers, Rates(self.settings.rate))
        await self._people()
        transport = httpx.ASGITransport(IdentityAPI(self.settings, self.entrance, self.tokens, self.directory))
        self.client = httpx.AsyncClient(transport=transport, base_url="http://cloud:5000")
        for name, scope in {
            "admin": Scope("project", self.ids["admin"]),
            "demo": Scope("project", self.ids["demo"]),
            "reader": Scope("project", self.ids["demo"]),
            "alt": Scope("project", self.ids["alt"]),
            "auditor": SYSTEM,
            "checker": Scope("project", self.ids["alt"]),
        }.items():
            self.issued[name] = await self.issue(name, scope)
        self.issued["unscoped"] = await self.issue("demo", UNSCOPED)
        self.issued["system"] = await self.issue("admin", SYSTEM)

    async def close(self) -> None:
        """Let everything go."""
        await self.client.aclose()
        self.passwords.close()
        for database in self.databases:
            await database.close()

    async def issue(self, user: str, scope: Scope) -> str:
        """A token for a user by name, in a scope."""
        token, _ = await self.tokens.issue(Login(user_id=self.ids[f"user {user}"], domain_id="default"), [scope])
        return token

    async def call(
        self, method: str, path: str, who: str | None = None, about: str | None = None, **more: Any
    ) -> httpx.Response:
        """A request with the token of `who`, about the token of `about`; unknown names are sent as they are."""
        headers = dict(more.pop("headers", {}))
        if who is not None:
            headers["X-Auth-Token"] = self.issued.get(who, who)
        if about is not None:
            headers["X-Subject-Token"] = self.issued.get(about, about)
        return await self.client.request(method, path, headers=headers, **more)

    async def log_in(self, user: str = "demo", password: str = PASSWORD, scope: Any = None) -> httpx.Response:
        """A token request with name and password."""
        return await self.client.post("/v3/auth/tokens", json=login(user, password, scope))

    async def _people(self) -> None:
        await self.accounts.bootstrap()
        for role in await self.accounts.roles():
            await self.accounts.change_role(role.id, {"extra": {"options": {"immutable": False}}})
        project = await self.accounts.create_project("alt")
        self.ids |= {each.name: each.id for each in await self.accounts.projects()}
        for name in ("admin", "demo"):
            await self.accounts.set_password((await self.accounts.find_user(name)).id, PASSWORD)
        for name, role, scope in (
            ("reader", "reader", Scope("project", self.ids["demo"])),
            ("alt", "member", Scope("project", project.id)),
            ("auditor", "reader", SYSTEM),
            ("checker", "service", Scope("project", project.id)),
        ):
            user = await self.accounts.create_user(name, PASSWORD)
            await self.assignments.grant(user.id, (await self.accounts.find_role(role)).id, scope)
        self.ids |= {f"user {each.name}": each.id for each in await self.accounts.users()}
        self.ids |= {f"role {each.name}": each.id for each in await self.accounts.roles()}


def login(user: str = "demo", password: str = PASSWORD, scope: Any = None) -> dict[str, Any]:
    """The body of a token request with name and password."""
    person = {"name": user, "domain": {"id": "default"}, "password": password}
    auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": person}}}
    return {"auth": auth | ({} if scope is None else {"scope": scope})}


@pytest_asyncio.fixture
async def site(url: str, tmp_path: Path) -> AsyncIterator[Site]:
    """A running application, and its accounts."""
    settings = Settings(data=str(tmp_path / "data"), database=url, log=Log(requests=False), identity=CHEAP)
    await asyncio.to_thread(prepare, settings)
    async with InProcess(build(settings)) as running:
        found = Site(settings, running)
        await found.open()
        yield found
        await found.database.close()


@pytest_asyncio.fixture
async def world(url: str) -> AsyncIterator[World]:
    """A filled identity behind an HTTP client."""
    found = World(url)
    await found.open()
    yield found
    await found.close()


@pytest.fixture
def compared(world: World, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What became of each comparison of a password, or a secret, with a hash."""
    outcomes: list[bool] = []
    matches = world.passwords.matches

    async def kept(*arguments: Any) -> bool:
        outcomes.append(await matches(*arguments))
        return outcomes[-1]

    monkeypatch.setattr(world.passwords, "matches", kept)
    return outcomes
