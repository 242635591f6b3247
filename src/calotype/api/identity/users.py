"""The calls on users (spec: identity-and-huawei A.5)."""

from typing import Any

from calotype.access.accounts import DEFAULT_DOMAIN, Accounts
from calotype.access.administration import Target, enforce, home_of, visible
from calotype.access.errors import Invalid, Unauthorized, missing
from calotype.access.model import Query, User
from calotype.api.identity import bodies, views
from calotype.api.identity.audit import Attempt
from calotype.api.identity.lists import answer, inside, of_domain
from calotype.api.identity.queries import filters
from calotype.api.wire import Reply, Request, json_reply
from calotype.settings import Settings


class UserCalls:
    """Answers the calls. No answer holds a password."""

    def __init__(self, settings: Settings, accounts: Accounts) -> None:
        self._settings = settings
        self._accounts = accounts

    async def index(self, request: Request, url: str) -> Reply:
        """`GET /v3/users`."""
        domain_id = visible("list_users", request.caller)
        query = Query(filters(request, {"name": "name", "domain_id": "domain_id", "enabled": "enabled"}))
        return await answer(
            request, url, "users", inside(query, domain_id), self._accounts.users, views.user, of_domain(domain_id)
        )

    async def show(self, request: Request, url: str) -> Reply:
        """`GET /v3/users/{user_id}`: anybody sees himself."""
        return _reply(await self._found(request, "get_user"), url)

    async def create(self, request: Request, url: str) -> Reply:
        """`POST /v3/users`."""
        enforce("create_user", request.caller)
        given = await self._read(request, bodies.NEW_USER)
        fields = {"password": None, **bodies.changes("user", given)}
        domain_id = given.get("domain_id") or DEFAULT_DOMAIN
        return _reply(await self._accounts.create_user(domain_id=domain_id, **fields), url, 201)

    async def change(self, request: Request, url: str) -> Reply:
        """`PATCH /v3/users/{user_id}`."""
        old = await self._found(request, "update_user")
        given = await self._read(request, bodies.USER)
        bodies.same(given, id=old.id, domain_id=old.domain_id)
        return _reply(await self._accounts.change_user(old.id, bodies.changes("user", given)), url)

    async def change_password(self, request: Request, url: str) -> Reply:
        """`POST /v3/users/{user_id}/password`: the old password proves who asks, no token does."""
        given = await bodies.read(request, bodies.PASSWORD)
        attempt = Attempt("password change", request, self._settings)
        attempt.methods = ("password",)
        try:
            await self._accounts.change_password(
                request.parameters["user_id"], given["original_password"], given["password"]
            )
        except Unauthorized as error:
            attempt.failed(error)
            raise
        attempt.user_id = request.parameters["user_id"]
        attempt.succeeded()
        return Reply(204)

    async def delete(self, request: Request, url: str) -> Reply:
        """`DELETE /v3/users/{user_id}`."""
        enforce("delete_user", request.caller)
        await self._accounts.delete_user(request.parameters["user_id"])
        return Reply(204)

    async def _read(self, request: Request, form: bodies.Form) -> dict[str, Any]:
        """What the body holds; a default project may be absent, but is no domain."""
        given = await bodies.read(request, form)
        project_id = given.get("default_project_id")
        if project_id and await self._accounts.domain(project_id) is not None:
            raise Invalid(f"User's default project ID cannot be a domain ID: {project_id}")
        return given

    async def _found(self, request: Request, rule: str) -> User:
        user_id = request.parameters["user_id"]
        user = await self._accounts.user(user_id)
        enforce(rule, request.caller, Target(user_id=user_id, domains=(home_of(user),)))
        if user is None:
            raise missing("user", user_id)
        return user


def _reply(user: User, url: str, status: int = 200) -> Reply:
    return json_reply({"user": views.user(user, url)}, status)
