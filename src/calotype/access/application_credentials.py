"""Application credentials: made, shown, shown to log in with, and ended (identity-and-huawei A.2, A.5, A.8)."""

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from calotype.access.caller import Caller
from calotype.access.errors import Conflict, Forbidden, Invalid, NotFound, Refused, Unauthorized, missing
from calotype.access.grants import rules_of
from calotype.access.implications import Implications, following
from calotype.access.model import AccessRule, ApplicationCredential, Filter, Login, Query, Role, Scope
from calotype.access.passwords import Passwords, refuse_unfit
from calotype.access.records import made, new_id, random_text
from calotype.database import application_credentials as rows
from calotype.database import roles as role_rows
from calotype.database.engine import Database
from calotype.database.statements import Statement
from calotype.images.model import now

RESTRICTED = "Using method 'application_credential' is not allowed for managing additional application credentials."
SECRET_BYTES = 64
_RANDOM = "sha256$"
_PAST = (
    "The 'expires_at' must not be before now. The server could not comply with the request since it is either "
    "malformed or otherwise incorrect. The client is assumed to be in error."
)


class ApplicationCredentials:
    """The application credentials of users. `changed` is called after a change that tokens must heed."""

    def __init__(self, database: Database, passwords: Passwords, changed: Callable[[], None] = lambda: None) -> None:
        self._database = database
        self._passwords = passwords
        self._changed = changed

    async def listed(self, query: Query) -> list[ApplicationCredential]:
        """The credentials that a query asks for."""
        return [_credential(row) for row in await self._database.all(*rows.listing(query))]

    async def of_user(self, user_id: str, credential_id: str) -> ApplicationCredential:
        """A user's credential by its id; raises NotFound."""
        row = await self._database.one(rows.GET, {"id": credential_id, "user_id": user_id})
        if row is None:
            raise missing("Application Credential", credential_id)
        return _credential(row)

    async def create(
        self,
        caller: Caller,
        name: str,
        *,
        description: str | None = None,
        secret: str | None = None,
        roles: Sequence[Mapping[str, str]] = (),
        access_rules: Sequence[Mapping[str, str]] = (),
        unrestricted: bool | None = None,
        expires_at: int | None = None,
    ) -> tuple[ApplicationCredential, str]:
        """A new credential of the caller on his project, and its secret, which is not kept; raises Forbidden, Invalid,
        NotFound and Conflict.

        `roles` are ids or names of roles that the caller has, none of them are all; `access_rules` are whole rules, or
        ids of such as he has. `expires_at` is in microseconds since 1970.
        """
        refuse_restricted(caller)
        if caller.project_id is None:
            raise Forbidden("identity:create_application_credential")
        if expires_at is not None and expires_at <= now():
            raise Invalid(_PAST)
        chosen = await self._roles(caller, roles)
        told = secret or random_text(SECRET_BYTES)
        new = ApplicationCredential(
            id=new_id(),
            user_id=caller.user_id,
            project_id=caller.project_id,
            name=name,
            description=description,
            roles=tuple(chosen),
            access_rules=None,
            unrestricted=unrestricted,
            expires_at=expires_at,
        )
        row = {field: getattr(new, field) for field in _COLUMNS} | {
            "roles": _json(chosen),
            "secret_hash": await self._hash(secret) if secret else _hash_of_random(told),
        }
        wanted = [{**rule, "id": new_id()} if "path" in rule else dict(rule) for rule in access_rules]
        found = await self._database.write(rows.create, row, wanted, _json, lambda: _taken(name), missing)
        rules = tuple(AccessRule(**rule) for rule in found) or None
        return msgspec.structs.replace(new, access_rules=rules), told

    async def delete(self, caller: Caller, user_id: str, credential_id: str) -> None:
        """Delete a user's credential, which ends its tokens; raises Forbidden and NotFound."""
        refuse_restricted(caller)
        if not await self._database.write(rows.remove, credential_id, user_id):
            raise missing("Application Credential", credential_id)
        self._changed()

    async def rules(self, query: Query) -> list[AccessRule]:
        """The access rules that a query asks for."""
        return [AccessRule(*row) for row in await self._database.all(*rows.rules(query))]

    async def rule(self, user_id: str, rule_id: str) -> AccessRule:
        """A user's access rule by its id; raises NotFound."""
        found = await self.rules(Query((Filter("user_id", user_id), Filter("id", rule_id))))
        if not found:
            raise missing("Access Rule", rule_id)
        return found[0]

    async def delete_rule(self, user_id: str, rule_id: str) -> None:
        """Delete a user's access rule; raises NotFound, and Refused while a credential has it."""

        def allow(texts: list[str]) -> None:
            if any(rule.id == rule_id for text in texts for rule in rules_of(text) or ()):
                raise Refused("May not delete access rule in use")

        if not await self._database.write(rows.remove_rule, rule_id, user_id, allow):
            raise missing("Access Rule", rule_id)

    async def authenticate(
        self,
        secret: str,
        *,
        credential_id: str | None = None,
        name: str | None = None,
        user_id: str | None = None,
        user_name: str | None = None,
        domain_id: str | None = None,
        domain_name: str | None = None,
    ) -> Login:
        """The login of who shows the secret of a credential, given by id, or by name and user; raises Unauthorized.

        A name can be guessed, so finding out by name costs a slow hash whatever is wrong. An id is random.
        """
        statement, params = _asked(credential_id, name, user_id, user_name, domain_id, domain_name)
        row = await self._database.one(statement, params)
        if row is None:
            if credential_id is None:
                await self._passwords.matches("", None, secret)
            raise Unauthorized(reason="unknown application credential")
        *columns, domain, stored = row
        credential = _credential(columns)
        if not await self._matches(credential, stored, secret, slow=credential_id is None):
            raise Unauthorized(reason="wrong secret", user_id=credential.user_id)
        if credential.expires_at is not None and credential.expires_at <= now():
            raise Unauthorized(reason="expired application credential", user_id=credential.user_id)
        return Login(
            user_id=credential.user_id,
            domain_id=domain,
            methods=("application_credential",),
            credential_id=credential.id,
            credential_scope=Scope("project", credential.project_id),
            not_after=credential.expires_at,
        )

    async def _matches(self, credential: ApplicationCredential, stored: str, secret: str, slow: bool) -> bool:
        if not stored.startswith(_RANDOM):
            return await self._passwords.matches(credential.id, stored, secret)
        good = hmac.compare_digest(stored, _hash_of_random(secret))
        if slow and not good:
            await self._passwords.matches("", None, secret)
        return good

    async def _hash(self, secret: str) -> str:
        refuse_unfit(secret, "secret")
        return await self._passwords.hash(secret)

    async def _roles(self, caller: Caller, asked: Sequence[Mapping[str, str]]) -> list[str]:
        """The ids of the roles asked for and of those that follow, in the order of the ids; those of the caller if none
        are. No role is passed on that the caller's token does not have."""
        known = [made(Role, row) for row in await self._database.all(*role_rows.listing(Query()))]
        held = {role.id for role in known if role.name.lower() in caller.roles}
        if not asked:
            return sorted(held)
        by_name = {role.name: role.id for role in known}
        for each in asked:
            if "id" not in each and each["name"] not in by_name:
                raise NotFound(f"Role {each['name']} is not defined")
        wanted = {each["id"] if "id" in each else by_name[each["name"]] for each in asked}
        wanted |= {role.id for role, _ in following(wanted, await Implications(self._database).all())}
        if not wanted <= held:
            raise Invalid(
                "Invalid application credential: Cannot create an application credential with unassigned role"
            )
        return sorted(wanted)


def refuse_restricted(caller: Caller) -> None:
    """Raise Forbidden when the caller's token comes from a credential that may not make or delete others."""
    if caller.credential_id is not None and not caller.unrestricted:
        raise Forbidden(RESTRICTED)


def _asked(
    credential_id: str | None,
    name: str | None,
    user_id: str | None,
    user_name: str | None,
    domain_id: str | None,
    domain_name: str | None,
) -> tuple[Statement, dict[str, Any]]:
    if credential_id is not None:
        return rows.LOGIN_BY_ID, {"id": credential_id}
    if user_name is None:
        return rows.LOGIN_BY_NAME, {"name": name, "user_id": user_id}
    if domain_id is not None:
        return rows.LOGIN_BY_NAMES, {"name": name, "user_name": user_name, "domain_id": domain_id}
    return rows.LOGIN_BY_DOMAIN_NAME, {"name": name, "user_name": user_name, "domain_name": domain_name}


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _hash_of_random(secret: str) -> str:
    """512 random bits need no slow hash and no salt: nobody tries them out."""
    return _RANDOM + hashlib.sha256(secret.encode()).hexdigest()


def _credential(row: Sequence[Any]) -> ApplicationCredential:
    values = dict(zip(_COLUMNS, row, strict=True))
    unrestricted = values["unrestricted"]
    return ApplicationCredential(
        **values
        | {
            "roles": tuple(msgspec.json.decode(values["roles"])),
            "access_rules": rules_of(values["access_rules"]),
            "unrestricted": None if unrestricted is None else bool(unrestricted),
        }
    )


_COLUMNS = ApplicationCredential.__struct_fields__


def _taken(name: str) -> Conflict:
    return Conflict(
        f"Conflict occurred attempting to store application_credential - Duplicate entry found with name {name}."
    )
