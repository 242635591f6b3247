"""Identity v3: its table of calls, and what happens around each of them."""

from starlette.types import Receive, Scope, Send

from calotype.access.accounts import Accounts
from calotype.access.errors import Unauthorized
from calotype.access.tokens import Tokens
from calotype.api.identity import faults
from calotype.api.identity.accounts import AccountCalls
from calotype.api.identity.discovery import Discovery
from calotype.api.identity.projects import ProjectCalls
from calotype.api.identity.tokens import TokenCalls
from calotype.api.wire import Call, Reply, Request, Routes, identity_url
from calotype.images.model import keepable
from calotype.settings import Settings

_OPEN = {"open": True}


class IdentityAPI:
    """An ASGI application, at the root (`/v3/…`) or under a prefix."""

    def __init__(self, settings: Settings, tokens: Tokens, accounts: Accounts) -> None:
        self._settings = settings
        self._tokens = tokens
        self._routes = _calls(
            Discovery(), TokenCalls(settings, tokens, accounts), ProjectCalls(settings, accounts),
            AccountCalls(settings, accounts),
        )  # fmt: skip

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        request.path = request.path.rstrip("/") or "/"
        reply = await self._answer(request)
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
            reply: Reply = await call.handler(request, url)  # type: ignore[assignment]
        except faults.HANDLED as error:
            reply = faults.fault(error, url)
        return reply

    async def _authenticate(self, request: Request) -> None:
        caller = await self._tokens.caller(request.token)
        if caller is None:
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


def _calls(discovery: Discovery, tokens: TokenCalls, projects: ProjectCalls, accounts: AccountCalls) -> Routes:
    """GET answers HEAD too; `open` calls need no token."""
    return Routes(
        (
            Call("POST", "/v3/auth/tokens", tokens.issue, _OPEN),
            Call("GET", "/v3/auth/tokens", tokens.validate),
            Call("DELETE", "/v3/auth/tokens", tokens.revoke),
            Call("GET", "/v3", discovery.v3, _OPEN),
            Call("GET", "/", discovery.root, _OPEN),
            Call("GET", "/v3/auth/projects", projects.own),
            Call("GET", "/v3/auth/domains", projects.own_domains),
            Call("GET", "/v3/auth/system", projects.own_system),
            Call("GET", "/v3/auth/catalog", projects.catalog),
            Call("GET", "/v3/projects", projects.index),
            Call("GET", "/v3/projects/{project_id}", projects.show),
            Call("GET", "/v3/users", accounts.users),
            Call("GET", "/v3/users/{user_id}", accounts.user),
            Call("GET", "/v3/users/{user_id}/projects", projects.of_user),
            Call("GET", "/v3/domains", accounts.domains),
            Call("GET", "/v3/domains/{domain_id}", accounts.domain),
            Call("GET", "/v3/roles", accounts.roles),
            Call("GET", "/v3/roles/{role_id}", accounts.role),
            Call("GET", "/v3/regions", accounts.regions),
            Call("GET", "/v3/regions/{region_id}", accounts.region),
            Call("GET", "/v3/services", accounts.services),
            Call("GET", "/v3/services/{service_id}", accounts.service),
            Call("GET", "/v3/endpoints", accounts.endpoints),
            Call("GET", "/v3/endpoints/{endpoint_id}", accounts.endpoint),
        )
    )
