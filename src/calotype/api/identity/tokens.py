"""The calls on /v3/auth/tokens: issue, validate, check, revoke (spec: identity-and-huawei A.2, A.3)."""

import hashlib

import msgspec

from calotype.access.accounts import Accounts
from calotype.access.administration import Target, enforce
from calotype.access.application_credentials import ApplicationCredentials
from calotype.access.caller import Caller
from calotype.access.errors import Forbidden, NotFound, Unauthorized, missing
from calotype.access.model import SYSTEM, UNSCOPED, Grant, Login, Scope
from calotype.access.tokens import Tokens
from calotype.api.identity import views
from calotype.api.identity.audit import Attempt
from calotype.api.identity.bodies import document
from calotype.api.identity.catalog import catalog
from calotype.api.identity.faults import expecting
from calotype.api.identity.login import LoginRequest, Reference, ShownCredential, WantedScope, parse
from calotype.api.wire import Reply, Request, json_reply
from calotype.settings import Settings

_NO_STORE = (b"cache-control", b"no-store")
_RESCOPE = "Using a system-scoped token to create a project-scoped or domain-scoped token is not allowed."


_DELEGATED = "Using a delegated token to create another token is not allowed."
_TRUE = ("1", "t", "true", "on", "y", "yes")


class TokenCalls:
    """Answers the calls."""

    def __init__(
        self, settings: Settings, tokens: Tokens, accounts: Accounts, credentials: ApplicationCredentials
    ) -> None:
        self._settings = settings
        self._tokens = tokens
        self._accounts = accounts
        self._credentials = credentials

    async def issue(self, request: Request, url: str) -> Reply:
        """`POST`: a token for whoever proves who he is."""
        auth = (await document(request)).get("auth")
        if auth is None:
            raise expecting("auth", "request body")
        attempt = Attempt("log-in", request, self._settings)
        try:
            wanted = parse(auth)
            attempt.methods = wanted.methods
            login = await self._prove(wanted)
            attempt.user_id = login.user_id
            scopes = await self._scopes(login, wanted.scope)
            token, grant = await self._tokens.issue(login, scopes)
        except (Unauthorized, Forbidden, NotFound) as error:
            attempt.failed(error)
            raise
        attempt.succeeded(grant)
        return self._document(request, grant, token, 201)

    async def validate(self, request: Request, url: str) -> Reply:
        """`GET` and `HEAD`: what the subject token grants."""
        roles = ("service",) if request.method == "GET" else ()
        grant = await self._subject(request, "identity:validate_token", roles)
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
        by_credential = await self._of_credential(wanted.credential) if wanted.credential is not None else None
        logins = [login for login in (by_token, by_password, by_credential) if login is not None]
        if len({login.user_id for login in logins}) != 1:
            raise Unauthorized(reason="proofs of different users")
        return _joined(logins[0], by_credential)

    async def _of_credential(self, shown: ShownCredential) -> Login:
        user = shown.user or Reference(None, None)
        return await self._credentials.authenticate(
            shown.secret,
            credential_id=shown.id,
            name=shown.name,
            user_id=user.id,
            user_name=user.name,
            domain_id=user.domain_id,
            domain_name=user.domain_name,
        )

    async def _of_token(self, token: str, by_password: Login | None) -> Login:
        if not token:
            raise NotFound("No token in the request")
        grant = await self._tokens.validate(token)
        if grant is None or _ruled(grant):
            raise NotFound("Failed to validate token")
        if grant.credential is not None:
            raise Forbidden(_DELEGATED)
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
        if login.credential_scope is not None:
            return [login.credential_scope]
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
        expired = request.query_params.get("allow_expired", "").strip().lower() in _TRUE
        expired = expired and request.method != "DELETE"
        grant = await self._tokens.validate(token.strip(), allow_expired=expired)
        if grant is None or (_ruled(grant) and not _knows_rules(request) and request.method != "DELETE"):
            raise NotFound("Failed to validate token")
        if not trusted and grant.user.id != caller.user_id:
            raise Forbidden(rule)
        return grant

    def _document(self, request: Request, grant: Grant, token: str, status: int) -> Reply:
        listed = None if "nocatalog" in request.query_params else catalog(self._settings, request)
        return json_reply(
            views.token(grant, listed), status, [(b"x-subject-token", token.strip().encode("latin-1")), _NO_STORE]
        )

    async def revoke_user(self, request: Request, url: str) -> Reply:
        """`DELETE /v3/users/{user_id}/tokens`: end all tokens of a user, one's own or as an administrator."""
        user_id = request.parameters["user_id"]
        enforce("revoke_tokens_for_user", request.caller, Target(user_id=user_id))
        if await self._accounts.user(user_id) is None:
            raise missing("user", user_id)
        await self._tokens.revoke_user(user_id)
        return Reply(204)


def _joined(login: Login, by_credential: Login | None) -> Login:
    """A login with what an application credential shown beside it adds."""
    if by_credential is None or by_credential is login:
        return login
    return msgspec.structs.replace(
        login,
        methods=(*login.methods, *by_credential.methods),
        credential_id=by_credential.credential_id,
        credential_scope=by_credential.credential_scope,
        not_after=by_credential.not_after,
    )


def _ruled(grant: Grant) -> bool:
    return grant.credential is not None and bool(grant.credential.access_rules)


def _knows_rules(request: Request) -> bool:
    """Whether who asks says that he heeds access rules: others take the token for an unlimited one."""
    version = request.field(b"openstack-identity-access-rules") or ""
    whole, _, rest = version.strip().partition(".")
    return whole.isdecimal() and int(whole[:9]) >= 1 and (not rest or rest.isdecimal())


def _trusted(caller: Caller, rule: str, roles: tuple[str, ...]) -> bool:
    """Whether the caller may ask about anybody's token."""
    reads = rule == "identity:validate_token" and caller.system and "reader" in caller.roles
    return caller.is_admin or reads or not caller.roles.isdisjoint(roles)


def _methods(grant: Grant, by_password: Login | None) -> tuple[str, ...]:
    added = by_password.methods if by_password else ()
    return tuple(dict.fromkeys((*grant.methods, *added)))
