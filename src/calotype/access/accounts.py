"""The accounts of the built-in identity: what the API asks and what the operator commands."""

import secrets
import string
from collections.abc import Callable, Mapping
from typing import Any

from calotype.access import seed
from calotype.access.errors import Invalid, Refused, Unauthorized, missing
from calotype.access.lockout import Lockout, nobody
from calotype.access.model import Domain, Login, Project, Role, User
from calotype.access.passwords import Passwords, refuse_unfit
from calotype.access.records import Thing, amending, made, name_of, new_id, options_of, refuse_immutable, row_of, taken
from calotype.database import domains, login_failures, projects, roles, users
from calotype.database.engine import Database
from calotype.database.filters import Query
from calotype.database.statements import Statement
from calotype.images.model import now

DEFAULT_DOMAIN = "default"
EVERYTHING = Query()
Extra = Mapping[str, Any]
NO_EXTRA: Extra = {}
_LOCKED = (
    "You cannot change your password at this time due to password policy disallowing password changes. "
    "Please contact your administrator to reset your password."
)


class Accounts:
    """Domains, projects, users and roles.

    `changed` is called after a change that tokens must heed; `lockout` counts wrong passwords, if anybody does.
    """

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        changed: Callable[[], None] = lambda: None,
        lockout: Lockout | None = None,
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._changed = changed
        self._lockout = lockout

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

    # The same by id or name, the id first; these raise NotFound.

    async def find_domain(self, text: str) -> Domain:
        """The domain with this id or name."""
        return _found(await self.domain(text) or await self.domain_named(text), "domain", text)

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
            await self._passes(nobody(user_id, name, domain_id, domain_name), False)
            raise Unauthorized(reason="unknown user")
        *fields, domain_enabled, stored = row
        user = made(User, fields)
        good = await self._passwords.matches(user.id, stored, password)
        exempt = bool(user.extra.get("options", {}).get("ignore_lockout_failure_attempts"))
        if not await self._passes(user.id, good, exempt):
            raise Unauthorized(reason="locked out" if good else "wrong password", user_id=user.id)
        if not user.enabled or not domain_enabled:
            raise Unauthorized(reason="disabled", user_id=user.id)
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

    async def create_domain(
        self, name: str, *, description: str = "", enabled: bool = True, id_: str | None = None, extra: Extra = NO_EXTRA
    ) -> Domain:
        """A new domain, with the id given if there is one; raises Invalid and Conflict."""
        domain = Domain(id_ or new_id(), name_of("domain", name), description, enabled, dict(extra))
        await self._create(domains.create, row_of(domain), "domain")
        return domain

    async def create_project(
        self,
        name: str,
        *,
        description: str = "",
        domain_id: str = DEFAULT_DOMAIN,
        enabled: bool = True,
        extra: Extra = NO_EXTRA,
    ) -> Project:
        """A new project; raises Invalid, Conflict, and NotFound when there is no such domain."""
        project = Project(new_id(), domain_id, name_of("project", name), description, enabled, dict(extra))
        await self._create(projects.create, row_of(project), "project")
        return project

    async def create_user(
        self,
        name: str,
        password: str | None,
        *,
        email: str | None = None,
        description: str = "",
        default_project_id: str | None = None,
        domain_id: str = DEFAULT_DOMAIN,
        enabled: bool = True,
        extra: Extra = NO_EXTRA,
    ) -> User:
        """A new user, who cannot log in without a password; raises Invalid, Conflict, and NotFound for its domain."""
        user = User(
            new_id(), domain_id, name_of("user", name), default_project_id, email, description, enabled, dict(extra)
        )
        await self._create(users.create, row_of(user) | await self._secret(password), "user")
        return user

    async def create_role(self, name: str, *, extra: Extra = NO_EXTRA) -> Role:
        """A new role; raises Invalid and Conflict."""
        role = Role(new_id(), name_of("role", name), dict(extra))
        await self._create(roles.create, row_of(role), "role")
        return role

    # A change names fields with their new values; `extra` is added to what there is.

    async def change_domain(self, domain_id: str, changes: Mapping[str, Any]) -> Domain:
        """Change a domain; raises NotFound, Invalid, Conflict and Refused. Disabled is all that is in it, too."""
        return await self._change(Domain, domains.change, domain_id, changes)

    async def change_project(self, project_id: str, changes: Mapping[str, Any]) -> Project:
        """Change a project; raises NotFound, Invalid, Conflict and Refused."""
        return await self._change(Project, projects.change, project_id, changes)

    async def change_user(self, user_id: str, changes: Mapping[str, Any]) -> User:
        """Change a user; raises NotFound, Invalid and Conflict.

        A new `password`, or None, voids the user's tokens, and so does disabling: enabled again, he has to log in. A
        new password and enabling let in again who was locked out.
        """
        columns = {name: value for name, value in changes.items() if name != "password"}
        if columns.get("enabled") is False:
            columns["tokens_valid_from"] = now()
        if "password" in changes:
            columns |= await self._secret(changes["password"])
        user = await self._change(User, users.change, user_id, columns)
        if "password" in changes or changes.get("enabled"):
            await self._database.write(login_failures.forget, user_id)
        return user

    async def change_role(self, role_id: str, changes: Mapping[str, Any]) -> Role:
        """Change a role; raises NotFound, Invalid, Conflict and Refused."""
        return await self._change(Role, roles.change, role_id, changes)

    async def change_password(self, user_id: str, original: str, password: str) -> None:
        """Change one's own password, which voids one's tokens; raises Unauthorized and Invalid."""
        login = await self.authenticate(original, user_id=user_id)
        secret = await self._secret(password)

        def amend(row: dict[str, Any]) -> dict[str, Any]:
            if row["password_hash"] != login.verified:
                raise Unauthorized(reason="changed meanwhile", user_id=user_id)
            if options_of(row).get("lock_password"):
                raise Invalid(_LOCKED)
            return row | secret

        if not await self._database.write(users.change, user_id, amend, lambda new: taken("user", new)):
            raise Unauthorized(reason="deleted meanwhile", user_id=user_id)
        self._changed()

    async def set_password(self, user_id: str, password: str) -> None:
        """Change a password, which voids the user's tokens; raises NotFound and Invalid."""
        await self.change_user(user_id, {"password": password})

    async def delete_domain(self, domain_id: str) -> None:
        """Delete a disabled domain with its projects and users; raises NotFound and Refused."""

        def allow(row: dict[str, Any]) -> None:
            if domain_id == DEFAULT_DOMAIN:
                raise Refused("The default domain cannot be deleted.")
            refuse_immutable("domain", row, "delete")
            if row["enabled"]:
                raise Refused("Cannot delete a domain that is enabled, please disable it first.")

        await self._delete(domains.remove, "domain", domain_id, allow)

    async def delete_project(self, project_id: str) -> None:
        """Delete a project and the roles on it, not its images; raises NotFound and Refused."""
        await self._delete(
            projects.remove, "project", project_id, lambda row: refuse_immutable("project", row, "delete")
        )

    async def delete_user(self, user_id: str) -> None:
        """Delete a user with roles and tokens; raises NotFound."""
        await self._delete(users.remove, "user", user_id)

    async def delete_role(self, role_id: str) -> None:
        """Delete a role and take it from everybody; raises NotFound and Refused."""
        await self._delete(roles.remove, "role", role_id, lambda row: refuse_immutable("role", row, "delete"))

    async def _create(self, work: Callable[..., Any], row: dict[str, Any], kind: str) -> None:
        done = await self._database.write(work, row)
        if done is None:
            raise missing("domain", row["domain_id"])
        if not done:
            raise taken(kind, row)

    async def _change(self, kind: type[Thing], work: Callable[..., Any], id_: str, changes: Mapping[str, Any]) -> Thing:
        noun = kind.__name__.lower()
        row = await self._database.write(work, id_, amending(noun, changes), lambda new: taken(noun, new))
        if row is None:
            raise missing(noun, id_)
        self._changed()
        return made(kind, [row[name] for name in kind.__struct_fields__])

    async def _delete(self, work: Callable[..., Any], kind: str, id_: str, *allow: Callable[..., None]) -> None:
        if not await self._database.write(work, id_, *allow):
            raise missing(kind, id_)
        self._changed()

    async def _passes(self, user_id: str, good: bool, exempt: bool = False) -> bool:
        return good if self._lockout is None else await self._lockout.passes(user_id, good, exempt)

    async def _secret(self, password: str | None) -> dict[str, Any]:
        """The secret columns for a password; the hash of none is empty and matches nothing."""
        if password is not None:
            refuse_unfit(password)
        hashed = "" if password is None else await self._passwords.hash(password)
        return {"password_hash": hashed, "tokens_valid_from": now()}

    async def _one(self, kind: type[Thing], statement: Statement, **params: str) -> Thing | None:
        row = await self._database.one(statement, params)
        return None if row is None else made(kind, row)

    async def _all(self, kind: type[Thing], statement: Statement, params: dict[str, Any]) -> list[Thing]:
        return [made(kind, row) for row in await self._database.all(statement, params)]


def new_password() -> str:
    """A password nobody can guess, without characters that a shell or a YAML file would mistake."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(24))


def _found(thing: Thing | None, kind: str, text: str) -> Thing:
    if thing is None:
        raise missing(kind, text)
    return thing
