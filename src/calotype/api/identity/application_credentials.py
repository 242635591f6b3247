"""The calls on application credentials and their access rules (spec: identity-and-huawei A.2, A.5)."""

import re

from calotype.access.accounts import Accounts
from calotype.access.administration import Target, enforce
from calotype.access.application_credentials import ApplicationCredentials
from calotype.access.errors import Invalid
from calotype.access.model import AccessRule, ApplicationCredential, Filter, Query
from calotype.access.moments import microseconds
from calotype.api.identity import bodies, views
from calotype.api.identity.faults import MALFORMED
from calotype.api.identity.lists import answer
from calotype.api.identity.queries import filters
from calotype.api.wire import Reply, Request, json_reply

# ISO 8601 in UTC, with or without its marks and its seconds; offsets Keystone refuses.
_TIME = re.compile(r"\d{4}-?\d\d-?\d\d[T ]\d\d(:?\d\d(:?\d\d([.,]\d+)?)?)?Z?", re.ASCII).fullmatch
_RULE_FILTERS = {name: name for name in ("service", "path", "method")}


class ApplicationCredentialCalls:
    """Answers the calls, which are all below a user."""

    def __init__(self, accounts: Accounts, credentials: ApplicationCredentials) -> None:
        self._accounts = accounts
        self._credentials = credentials

    async def index(self, request: Request, url: str) -> Reply:
        """`GET /v3/users/{user_id}/application_credentials`."""
        own = _allowed(request, "list_application_credentials")
        query = Query((*own, *filters(request, {"name": "name"})))
        roles = {role.id: role for role in await self._accounts.roles()}

        def view(each: ApplicationCredential, url: str) -> dict[str, object]:
            return views.credential(each, roles, url)

        return await answer(request, url, "application_credentials", query, self._credentials.listed, view, own)

    async def create(self, request: Request, url: str) -> Reply:
        """`POST /v3/users/{user_id}/application_credentials`: for oneself, on the project of the token."""
        enforce("create_application_credential", request.caller, _target(request))
        given = await bodies.read(request, bodies.NEW_CREDENTIAL)
        expires_at = given.get("expires_at")
        made, secret = await self._credentials.create(
            request.caller,
            given["name"],
            description=given.get("description"),
            secret=given.get("secret"),
            roles=given.get("roles", ()),
            access_rules=given.get("access_rules", ()),
            unrestricted=given.get("unrestricted"),
            expires_at=None if expires_at is None else _moment(expires_at),
        )
        return await self._reply(made, url, secret, 201)

    async def show(self, request: Request, url: str) -> Reply:
        """`GET /v3/users/{user_id}/application_credentials/{credential_id}`."""
        enforce("get_application_credential", request.caller, _target(request))
        user_id, credential_id = request.parameters["user_id"], request.parameters["credential_id"]
        return await self._reply(await self._credentials.of_user(user_id, credential_id), url)

    async def delete(self, request: Request, url: str) -> Reply:
        """`DELETE /v3/users/{user_id}/application_credentials/{credential_id}`."""
        enforce("delete_application_credential", request.caller, _target(request))
        user_id, credential_id = request.parameters["user_id"], request.parameters["credential_id"]
        await self._credentials.delete(request.caller, user_id, credential_id)
        return Reply(204)

    async def rules(self, request: Request, url: str) -> Reply:
        """`GET /v3/users/{user_id}/access_rules`."""
        own = _allowed(request, "list_access_rules")
        query = Query((*own, *filters(request, _RULE_FILTERS)))
        user_id = request.parameters["user_id"]

        def view(each: AccessRule, url: str) -> dict[str, object]:
            return views.access_rule(each, user_id, url)

        return await answer(request, url, "access_rules", query, self._credentials.rules, view, own)

    async def rule(self, request: Request, url: str) -> Reply:
        """`GET /v3/users/{user_id}/access_rules/{rule_id}`."""
        enforce("get_access_rule", request.caller, _target(request))
        user_id = request.parameters["user_id"]
        found = await self._credentials.rule(user_id, request.parameters["rule_id"])
        return json_reply({"access_rule": views.access_rule(found, user_id, url)})

    async def delete_rule(self, request: Request, url: str) -> Reply:
        """`DELETE /v3/users/{user_id}/access_rules/{rule_id}`, once no credential has it."""
        enforce("delete_access_rule", request.caller, _target(request))
        await self._credentials.delete_rule(request.parameters["user_id"], request.parameters["rule_id"])
        return Reply(204)

    async def _reply(
        self, each: ApplicationCredential, url: str, secret: str | None = None, status: int = 200
    ) -> Reply:
        roles = {role.id: role for role in await self._accounts.roles()}
        return json_reply({"application_credential": views.credential(each, roles, url, secret)}, status)


def _target(request: Request) -> Target:
    return Target(user_id=request.parameters["user_id"])


def _allowed(request: Request, rule: str) -> tuple[Filter, ...]:
    """The condition that keeps a list to the user in the path, if the caller may read it."""
    enforce(rule, request.caller, _target(request))
    return (Filter("user_id", request.parameters["user_id"]),)


def _moment(text: str) -> int:
    """A time in UTC, in microseconds since 1970; raises Invalid."""
    try:
        if _TIME(text):
            return microseconds(text)
    except ValueError:
        pass
    raise Invalid(f"Timestamp not in expected format. {MALFORMED}")
