"""Identity v3: its table of calls, and what happens around each of them."""

from typing import Any, NamedTuple

from starlette.types import Receive, Scope, Send

from calotype.access.accounts import Accounts
from calotype.access.application_credentials import ApplicationCredentials
from calotype.access.assignments import Assignments
from calotype.access.errors import Unauthorized
from calotype.access.implications import Implications
from calotype.access.tokens import Tokens
from calotype.api.entrance import Entrance, permitted
from calotype.api.identity import faults
from calotype.api.identity.application_credentials import ApplicationCredentialCalls
from calotype.api.identity.assignments import AssignmentCalls
from calotype.api.identity.discovery import Discovery
from calotype.api.identity.domains import DomainCalls
from calotype.api.identity.implications import ImplicationCalls
from calotype.api.identity.projects import ProjectCalls
from calotype.api.identity.roles import RoleCalls
from calotype.api.identity.services import ServiceCalls
from calotype.api.identity.tokens import TokenCalls
from calotype.api.identity.users import UserCalls
from calotype.api.wire import Call, Reply, Request, Routes, identity_url
from calotype.images.model import keepable
from calotype.settings import Settings

_OPEN = {"open": True}
_LOG_IN = {"open": True, "counted": True}


class Directory(NamedTuple):
    """What the calls work with."""

    accounts: Accounts
    assignments: Assignments
    implications: Implications
    credentials: ApplicationCredentials


class IdentityAPI:
    """An ASGI application, at the root (`/v3/…`) or under a prefix."""

    def __init__(self, settings: Settings, entrance: Entrance, tokens: Tokens, directory: Directory) -> None:
        self._settings = settings
        self._entrance = entrance
        self._routes = _calls(settings, tokens, directory)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        request.path = request.path.rstrip("/") or "/"
        reply = await self._answer(request)
        if reply.status_code >= 400 and request.has_body:
            await request.drain()
        reply.raw_headers += [
            (b"vary", b"X-Auth-Token"),
            (b"x-openstack-request-id", request.request_id.encode()),
        ]
        await reply(scope, receive, send)

    async def _answer(self, request: Request) -> Reply:
        if not keepable(request.path):
            return faults.not_found()
        found = self._routes.find("GET" if request.method == "HEAD" else request.method, request.path)
        if found is None:
            return self._unknown(request)
        call, request.parameters = found
        url = identity_url(self._settings, request)
        try:
            if not call.options.get("open"):
                await self._authenticate(request)
            elif call.options.get("counted"):
                self._entrance.knock(request)
            reply: Reply = await call.handler(request, url)  # type: ignore[assignment]
        except faults.HANDLED as error:
            reply = faults.fault(error, url)
        return reply

    async def _authenticate(self, request: Request) -> None:
        caller = await self._entrance.caller(request)
        # Any token may be looked at, as keystonemiddleware has it (B.1).
        looks = (request.method, request.path) == ("GET", "/v3/auth/tokens")
        if caller is None or not (looks or permitted(caller, "identity", request)):
            raise Unauthorized
        request.caller = caller

    def _unknown(self, request: Request) -> Reply:
        methods = self._routes.methods(request.path)
        if not methods:
            return faults.not_found()
        allowed = sorted({*methods, "OPTIONS", *(["HEAD"] if "GET" in methods else [])})
        if request.method == "OPTIONS":
            return faults.options(allowed)
        return faults.method_not_allowed(request.path, allowed)


def _calls(settings: Settings, tokens: Tokens, directory: Directory) -> Routes:
    """GET answers HEAD too; `open` calls need no token; those that prove who one is are `counted`."""
    accounts, assignments, implications, credentials = directory
    discovery, user = Discovery(), UserCalls(settings, accounts)
    token = TokenCalls(settings, tokens, accounts, credentials)
    project, domain = ProjectCalls(settings, accounts, assignments), DomainCalls(accounts)
    return Routes(
        (
            Call("POST", "/v3/auth/tokens", token.issue, _LOG_IN),
            Call("GET", "/v3/auth/tokens", token.validate),
            Call("DELETE", "/v3/auth/tokens", token.revoke),
            Call("GET", "/v3", discovery.v3, _OPEN),
            Call("GET", "/", discovery.root, _OPEN),
            Call("GET", "/v3/auth/projects", project.own),
            Call("GET", "/v3/auth/domains", project.own_domains),
            Call("GET", "/v3/auth/system", project.own_system),
            Call("GET", "/v3/auth/catalog", project.catalog),
            *_noun("project", project),
            *_noun("user", user),
            Call("GET", "/v3/users/{user_id}/projects", project.of_user),
            Call("POST", "/v3/users/{user_id}/password", user.change_password, _LOG_IN),
            Call("DELETE", "/v3/users/{user_id}/tokens", token.revoke_user),
            *_credentials(ApplicationCredentialCalls(accounts, credentials)),
            *_noun("domain", domain),
            *_noun("role", RoleCalls(accounts)),
            *_implications(ImplicationCalls(accounts, implications)),
            *_assignments(AssignmentCalls(accounts, assignments)),
            *_catalogue(ServiceCalls(settings)),
        )
    )


def _noun(name: str, calls: Any) -> tuple[Call, ...]:
    collection, item = f"/v3/{name}s", f"/v3/{name}s/{{{name}_id}}"
    return (
        Call("GET", collection, calls.index),
        Call("POST", collection, calls.create),
        Call("GET", item, calls.show),
        Call("PATCH", item, calls.change),
        Call("DELETE", item, calls.delete),
    )


def _assignments(calls: AssignmentCalls) -> tuple[Call, ...]:
    lists, items = [], []
    for place in ("projects/{project_id}", "domains/{domain_id}", "system"):
        path = f"/v3/{place}/users/{{user_id}}/roles"
        lists.append(Call("GET", path, calls.of_user))
        for method, handler in (("PUT", calls.grant), ("GET", calls.check), ("DELETE", calls.revoke)):
            items.append(Call(method, path + "/{role_id}", handler))
    return (*items, *lists, Call("GET", "/v3/role_assignments", calls.index))


def _credentials(calls: ApplicationCredentialCalls) -> tuple[Call, ...]:
    credentials, rules = "/v3/users/{user_id}/application_credentials", "/v3/users/{user_id}/access_rules"
    return (
        Call("GET", credentials, calls.index),
        Call("POST", credentials, calls.create),
        Call("GET", credentials + "/{credential_id}", calls.show),
        Call("DELETE", credentials + "/{credential_id}", calls.delete),
        Call("GET", rules, calls.rules),
        Call("GET", rules + "/{rule_id}", calls.rule),
        Call("DELETE", rules + "/{rule_id}", calls.delete_rule),
    )


def _implications(calls: ImplicationCalls) -> tuple[Call, ...]:
    implies = "/v3/roles/{prior_id}/implies"
    return (
        Call("GET", "/v3/role_inferences", calls.index),
        Call("GET", implies, calls.of_role),
        Call("GET", implies + "/{implied_id}", calls.show),
        Call("PUT", implies + "/{implied_id}", calls.add),
        Call("DELETE", implies + "/{implied_id}", calls.remove),
    )


def _catalogue(calls: ServiceCalls) -> tuple[Call, ...]:
    reads = (
        Call("GET", "/v3/regions", calls.regions),
        Call("GET", "/v3/regions/{region_id}", calls.region),
        Call("GET", "/v3/services", calls.services),
        Call("GET", "/v3/services/{service_id}", calls.service),
        Call("GET", "/v3/endpoints", calls.endpoints),
        Call("GET", "/v3/endpoints/{endpoint_id}", calls.endpoint),
    )
    writes = (Call("POST" if "{" not in read.path else "PATCH", read.path, calls.change) for read in reads)
    ends = (Call("DELETE", read.path, calls.change) for read in reads if "{" in read.path)
    return (*reads, *writes, *ends)
