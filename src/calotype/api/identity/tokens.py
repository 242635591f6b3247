"""The calls on /v3/auth/tokens: issue, validate, check, revoke (spec: identity-and-huawei A.2, A.3)."""

import hashlib

from calotype.access.accounts import Accounts
from calotype.access.caller import Caller
from calotype.access.errors import Forbidden, NotFound, Unauthorized
from calotype.access.model import SYSTEM, UNSCOPED, Grant, Login, Scope
from calotype.access.tokens import Tokens
from calotype.api.identity import views
from calotype.api.identity.bodies import document
from calotype.api.identity.catalog import catalog
from calotype.api.identity.faults import expecting
from calotype.api.identity.login import LoginRequest, Reference, WantedScope, parse
from calotype.api.wire import Reply, Request, json_reply
from calotype.settings import Settings

_NO_STORE = (b"cache-control", b"no-store")
_RESCOPE = "Using a system-scoped token to create a project-scoped or domain-scoped token is not allowed."


class TokenCalls:
    """Answers the calls."""

    def __init__(self, settings: Settings, tokens: Tokens, accounts: Accounts) -> None:
        self._settings = settings
        self._tokens = tokens
        self._accounts = accounts

    async def issue(self, request: Request, url: str) -> Reply:
        """`POST`: a token for whoever proves who he is."""
        auth = (await document(request)).get("auth")
        if auth is None:
            raise expecting("auth", "request body")
        wanted = parse(auth)
        login = await self._prove(wanted)
        scopes = await self._scopes(login, wanted.scope)
        token, grant = await self._tokens.issue(login, scopes)
        return self._document(request, grant, token, 201)

    async def validate(self, request: Request, url: str) -> Reply:
        """`GET` and `HEAD`: what the subject token grants."""
        grant = await self._subject(request, "identity:validate_token", ("service",))
        return self._document(request, grant, request.field(b"x-subject-token") or "", 200)

    async def revoke(self, request: Request, url: str) -> Reply:
        """`DELETE`: end the subject token."""
        await self._subject(request, "identity:revoke_token", ())
        await self._tokens.revoke((request.field(b"x-subject-token") or "").strip())
        return Reply(204)

    async def _prove(self, wanted: LoginRequest) -> Login:
        """The login behind the proofs, which must all be of the same user."""
        by_password = by_token = None
        if wanted.user is not None and wanted.password is not None:
            by_password = await self._accounts.authenticate(
                wanted.password,
                user_id=wanted.user.id,
                name=wanted.user.name,
                domain_id=wanted.user.domain_id,
                domain_name=wanted.user.domain_name,
            )
        if wanted.token is not None:
            by_token = await self._of_token(wanted.token.strip(), by_password)
        login = by_token or by_password
        if login is None or (by_password is not None and by_password.user_id != login.user_id):
            raise Unauthorized
        return login

    async def _of_token(self, token: str, by_password: Login | None) -> Login:
        if not token:
            raise NotFound("No token in the request")
        grant = await self._tokens.validate(token)
        if grant is None:
            raise NotFound("Failed to validate token")
        user = await self._accounts.user(grant.user.id)
        return Login(
            user_id=grant.user.id,
            domain_id=grant.user_domain.id,
            default_project_id=user.default_project_id if user else None,
            methods=("token", *(method for method in _methods(grant, by_password) if method != "token")),
            verified=by_password.verified if by_password else None,
            parent=hashlib.sha256(token.encode()).hexdigest(),
            parent_scope=grant.scope,
            chain_id=grant.audit_ids[-1],
            expires_at=grant.expires_at,
        )

    async def _scopes(self, login: Login, wanted: WantedScope | None) -> list[Scope]:
        """The scopes to try, in this order; raises Unauthorized and Forbidden."""
        of_system = login.parent_scope.kind == "system"
        if wanted is None:
            if login.default_project_id is None or of_system:
                return [UNSCOPED]
            return [Scope("project", login.default_project_id), UNSCOPED]
        if wanted.target is None:
            return [SYSTEM if wanted.kind == "system" else UNSCOPED]
        if of_system:
            raise Forbidden(_RESCOPE)
        if wanted.kind == "domain":
            return [Scope("domain", await self._domain(wanted.target.id, wanted.target.name))]
        return [Scope("project", await self._project(wanted.target, login.domain_id))]

    async def _project(self, target: Reference, user_domain: str) -> str:
        """The project's id. A name without domain means the user's domain, which Keystone refuses."""
        if target.id is not None:
            return target.id
        domain_id = user_domain
        if target.domain_id is not None or target.domain_name is not None:
            domain_id = await self._domain(target.domain_id, target.domain_name)
        project = await self._accounts.project_named(target.name or "", domain_id)
        if project is None:
            raise Unauthorized
        return project.id

    async def _domain(self, id_: str | None, name: str | None) -> str:
        if id_ is not None:
            return id_
        domain = await self._accounts.domain_named(name or "")
        if domain is None:
            raise Unauthorized
        return domain.id

    async def _subject(self, request: Request, rule: str, roles: tuple[str, ...]) -> Grant:
        """The grant of the subject token, if the caller may ask for it."""
        caller = request.caller
        trusted = _trusted(caller, rule, roles)
        token = request.field(b"x-subject-token")
        if token is None and not trusted:
            raise Forbidden(rule)
        if not token or not token.strip():
            raise NotFound("No token in the request")
        expired = request.query_params.get("allow_expired", "").lower() in ("1", "true", "yes")
        expired = expired and request.method != "DELETE"
        grant = await self._tokens.validate(token.strip(), allow_expired=expired)
        if grant is None:
            raise NotFound("Failed to validate token")
        if not trusted and grant.user.id != caller.user_id:
            raise Forbidden(rule)
        return grant

    def _document(self, request: Request, grant: Grant, token: str, status: int) -> Reply:
        listed = None if "nocatalog" in request.query_params else catalog(self._settings, request)
        return json_reply(
            views.token(grant, listed), status, [(b"x-subject-token", token.strip().encode("latin-1")), _NO_STORE]
        )


def _trusted(caller: Caller, rule: str, roles: tuple[str, ...]) -> bool:
    """Whether the caller may ask about anybody's token."""
    reads = rule == "identity:validate_token" and caller.system and "reader" in caller.roles
    return caller.is_admin or reads or not caller.roles.isdisjoint(roles)


def _methods(grant: Grant, by_password: Login | None) -> tuple[str, ...]:
    added = by_password.methods if by_password else ()
    return tuple(dict.fromkeys((*grant.methods, *added)))
