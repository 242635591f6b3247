"""The accounts of the built-in identity: what the API asks and what the operator commands."""

import secrets
import string
import uuid
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from calotype.access import seed
from calotype.access.errors import Conflict, Invalid, NotFound, Unauthorized, missing
from calotype.access.model import SYSTEM, Assignment, Domain, Login, Project, Role, Scope, User
from calotype.access.passwords import Passwords
from calotype.database import domains, projects, roles, users
from calotype.database.engine import Database
from calotype.database.filters import Query
from calotype.database.statements import Statement
from calotype.images.model import keepable, now

DEFAULT_DOMAIN = "default"
_NAME_LENGTH = {"project": 64, "user": 255, "role": 255}
EVERYTHING = Query()
Thing = TypeVar("Thing")


class Accounts:
    """Domains, projects, users, roles and assignments. `changed` is called after a change that tokens must heed."""

    def __init__(self, database: Database, passwords: Passwords, changed: Callable[[], None] = lambda: None) -> None:
        self._database = database
        self._passwords = passwords
        self._changed = changed

    # Looking things up: None, or an empty list, when there is nothing.

    async def domain(self, domain_id: str) -> Domain | None:
        """The domain with an id."""
        return await self._one(Domain, domains.GET, id=domain_id)

    async def domain_named(self, name: str) -> Domain | None:
        """The domain with a name."""
        return await self._one(Domain, domains.BY_NAME, name=name)

    async def domains(self, query: Query = EVERYTHING) -> list[Domain]:
        """The domains that a query asks for."""
        return await self._all(Domain, *domains.listing(query))

    async def project(self, project_id: str) -> Project | None:
        """The project with an id."""
        return await self._one(Project, projects.GET, id=project_id)

    async def project_named(self, name: str, domain_id: str = DEFAULT_DOMAIN) -> Project | None:
        """The project with a name in a domain."""
        return await self._one(Project, projects.BY_NAME, name=name, domain_id=domain_id)

    async def projects(self, query: Query = EVERYTHING) -> list[Project]:
        """The projects that a query asks for."""
        return await self._all(Project, *projects.listing(query))

    async def user(self, user_id: str) -> User | None:
        """The user with an id."""
        return await self._one(User, users.GET, id=user_id)

    async def user_named(self, name: str, domain_id: str = DEFAULT_DOMAIN) -> User | None:
        """The user with a name in a domain."""
        return await self._one(User, users.BY_NAME, name=name, domain_id=domain_id)

    async def users(self, query: Query = EVERYTHING) -> list[User]:
        """The users that a query asks for."""
        return await self._all(User, *users.listing(query))

    async def role(self, role_id: str) -> Role | None:
        """The role with an id."""
        return await self._one(Role, roles.GET, id=role_id)

    async def roles(self, query: Query = EVERYTHING) -> list[Role]:
        """The roles that a query asks for."""
        return await self._all(Role, *roles.listing(query))

    async def held(self, user_id: str, scope: Scope) -> list[Role]:
        """The roles that a user was given in a scope, without the implied ones."""
        params = {"user_id": user_id, "scope": scope.kind, "scope_id": scope.id}
        return [Role(id_, name) for id_, name, has in await self._database.all(roles.HELD, params) if has]

    async def assignments(self, user_id: str) -> list[Assignment]:
        """Everything that a user was given."""
        return await self._all(Assignment, roles.OF_USER, {"user_id": user_id})

    # The same by id or name, the id first; these raise NotFound.

    async def find_project(self, text: str) -> Project:
        """The project with this id, or this name in the default domain."""
        return _found(await self.project(text) or await self.project_named(text), "project", text)

    async def find_user(self, text: str) -> User:
        """The user with this id, or this name in the default domain."""
        return _found(await self.user(text) or await self.user_named(text), "user", text)

    async def find_role(self, text: str) -> Role:
        """The role with this id or name."""
        return _found(await self.role(text) or await self._one(Role, roles.BY_NAME, name=text), "role", text)

    # Proving who one is.

    async def authenticate(
        self,
        password: str,
        *,
        user_id: str | None = None,
        name: str | None = None,
        domain_id: str | None = None,
        domain_name: str | None = None,
    ) -> Login:
        """The login of a user given by id, or by name in a domain given by id or name; raises Unauthorized.

        Whatever is wrong, the answer and the time until it are the same: one hash is spent, also on nobody.
        """
        if name is None:
            row = await self._database.one(users.LOGIN_BY_ID, {"id": user_id})
        elif domain_id is not None:
            row = await self._database.one(users.LOGIN_BY_NAME, {"domain_id": domain_id, "name": name})
        else:
            row = await self._database.one(users.LOGIN_BY_NAMES, {"domain_name": domain_name, "name": name})
        if row is None:
            await self._passwords.matches("", None, password)
            raise Unauthorized
        *fields, domain_enabled, stored = row
        user = User(*fields)
        if not await self._passwords.matches(user.id, stored, password) or not user.enabled or not domain_enabled:
            raise Unauthorized
        if self._passwords.outdated(stored):
            fresh = await self._passwords.hash(password)
            await self._database.write(users.rehash, user.id, stored, fresh)
            stored = fresh
        return Login(
            user_id=user.id,
            domain_id=user.domain_id,
            default_project_id=user.default_project_id,
            verified=stored,
        )

    # Changing things.

    async def bootstrap(self, passwords: Mapping[str, str] | None = None) -> dict[str, str]:
        """Create what a first start needs, unless it was done before; answers the new users' passwords by name.

        `passwords` are those wanted; a user that is not among them gets a random one.
        """
        if await self.domain(DEFAULT_DOMAIN) is not None:
            return {}
        made = {name: (passwords or {}).get(name) or new_password() for name in seed.ACCOUNTS}
        hashes = {name: await self._passwords.hash(password) for name, password in made.items()}
        created: set[str] = await self._database.write(seed.plant, hashes, now())
        self._changed()
        return {name: password for name, password in made.items() if name in created}

    async def create_project(
        self, name: str, *, description: str = "", domain_id: str = DEFAULT_DOMAIN, enabled: bool = True
    ) -> Project:
        """A new project; raises Invalid and Conflict."""
        project = Project(_new_id(), domain_id, _checked("project", name), description, enabled)
        await self._create(projects.create, _fields(project), "project", name)
        return project

    async def create_user(
        self,
        name: str,
        password: str,
        *,
        email: str | None = None,
        description: str = "",
        default_project_id: str | None = None,
        domain_id: str = DEFAULT_DOMAIN,
        enabled: bool = True,
    ) -> User:
        """A new user; raises Invalid and Conflict."""
        user = User(_new_id(), domain_id, _checked("user", name), default_project_id, email, description, enabled)
        secret = {"password_hash": await self._hash(password), "tokens_valid_from": now()}
        await self._create(users.create, _fields(user) | secret, "user", name)
        return user

    async def create_role(self, name: str) -> Role:
        """A new role; raises Invalid and Conflict."""
        role = Role(_new_id(), _checked("role", name))
        await self._create(roles.create, _fields(role), "role", name)
        return role

    async def enable_domain(self, domain_id: str, enabled: bool) -> None:
        """Switch a domain on or off, with all that is in it; raises NotFound."""
        await self._change(domains.enable, "domain", domain_id, enabled)

    async def enable_project(self, project_id: str, enabled: bool) -> None:
        """Switch a project on or off; raises NotFound."""
        await self._change(projects.enable, "project", project_id, enabled)

    async def enable_user(self, user_id: str, enabled: bool) -> None:
        """Switch a user on or off; raises NotFound."""
        await self._change(users.enable, "user", user_id, enabled)

    async def delete_project(self, project_id: str) -> None:
        """Delete a project and the roles on it, not its images; raises NotFound."""
        await self._change(projects.remove, "project", project_id)

    async def delete_user(self, user_id: str) -> None:
        """Delete a user with roles and tokens; raises NotFound."""
        await self._change(users.remove, "user", user_id)

    async def delete_role(self, role_id: str) -> None:
        """Delete a role and take it from everybody; raises NotFound."""
        await self._change(roles.remove, "role", role_id)

    async def set_password(self, user_id: str, password: str) -> None:
        """Change a password, which voids the user's tokens; raises NotFound and Invalid."""
        await self._change(users.set_password, "user", user_id, await self._hash(password), now())

    async def grant(self, user_id: str, role_id: str, scope: Scope = SYSTEM) -> None:
        """Give a role in a scope; raises NotFound."""
        if not await self._database.write(roles.grant, user_id, role_id, scope.kind, scope.id):
            raise missing("user or role", f"{user_id}, {role_id}")
        self._changed()

    async def revoke(self, user_id: str, role_id: str, scope: Scope = SYSTEM) -> None:
        """Take a role in a scope; raises NotFound."""
        if not await self._database.write(roles.revoke, user_id, role_id, scope.kind, scope.id):
            raise NotFound(f"Could not find role assignment with role: {role_id}, user or group: {user_id}.")
        self._changed()

    async def _create(self, work: Callable[..., Any], row: dict[str, Any], kind: str, name: str) -> None:
        if "domain_id" in row and await self.domain(row["domain_id"]) is None:
            raise missing("domain", row["domain_id"])
        if not await self._database.write(work, row):
            raise Conflict(f"Conflict occurred attempting to store {kind} - Duplicate entry found with name {name}.")

    async def _change(self, work: Callable[..., Any], kind: str, id_: str, *arguments: Any) -> None:
        if not await self._database.write(work, id_, *arguments):
            raise missing(kind, id_)
        self._changed()

    async def _hash(self, password: str) -> str:
        if not password or not keepable(password):
            raise Invalid("A password is not empty, and it is text without null characters.")
        return await self._passwords.hash(password)

    async def _one(self, kind: type[Thing], statement: Statement, **params: str) -> Thing | None:
        row = await self._database.one(statement, params)
        return None if row is None else _made(kind, row)

    async def _all(self, kind: type[Thing], statement: Statement, params: dict[str, Any]) -> list[Thing]:
        return [_made(kind, row) for row in await self._database.all(statement, params)]


def new_password() -> str:
    """A password nobody can guess, without characters that a shell or a YAML file would mistake."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(24))


def _new_id() -> str:
    return uuid.uuid4().hex


def _checked(kind: str, name: str) -> str:
    if not name.strip() or len(name) > _NAME_LENGTH[kind] or not keepable(name):
        raise Invalid(f"Invalid input for field 'name': a {kind}'s name has 1 to {_NAME_LENGTH[kind]} characters.")
    return name


def _fields(thing: Any) -> dict[str, Any]:
    return {name: getattr(thing, name) for name in thing.__struct_fields__}


def _made(kind: Callable[..., Thing], row: Any) -> Thing:
    # SQLite keeps a boolean as 0 or 1; `enabled` is the last column wherever there is one.
    return kind(*row[:-1], bool(row[-1])) if hasattr(kind, "enabled") else kind(*row)


def _found(thing: Thing | None, kind: str, text: str) -> Thing:
    if thing is None:
        raise missing(kind, text)
    return thing
