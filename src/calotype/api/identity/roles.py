"""The calls on roles (spec: identity-and-huawei A.5)."""

from calotype.access.accounts import Accounts
from calotype.access.administration import enforce
from calotype.access.errors import missing
from calotype.access.model import Query, Role
from calotype.api.identity import bodies, views
from calotype.api.identity.lists import answer
from calotype.api.identity.queries import filters
from calotype.api.wire import Reply, Request, json_reply


class RoleCalls:
    """Answers the calls."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    async def index(self, request: Request, url: str) -> Reply:
        """`GET /v3/roles`. All roles are the cloud's: of those of a domain there are none."""
        enforce("list_roles", request.caller)
        query = Query(filters(request, {"name": "name"}))
        of_domain = filters(request, {"domain_id": "domain_id"})
        return await answer(request, url, "roles", query, _none if of_domain else self._accounts.roles, views.role)

    async def show(self, request: Request, url: str) -> Reply:
        """`GET /v3/roles/{role_id}`."""
        enforce("get_role", request.caller)
        role_id = request.parameters["role_id"]
        role = await self._accounts.role(role_id)
        if role is None:
            raise missing("role", role_id)
        return _reply(role, url)

    async def create(self, request: Request, url: str) -> Reply:
        """`POST /v3/roles`."""
        enforce("create_role", request.caller)
        given = await bodies.read(request, bodies.NEW_ROLE)
        return _reply(await self._accounts.create_role(**bodies.changes("role", given)), url, 201)

    async def change(self, request: Request, url: str) -> Reply:
        """`PATCH /v3/roles/{role_id}`."""
        enforce("update_role", request.caller)
        role_id = request.parameters["role_id"]
        given = await bodies.read(request, bodies.ROLE)
        bodies.same(given, id=role_id)
        return _reply(await self._accounts.change_role(role_id, bodies.changes("role", given)), url)

    async def delete(self, request: Request, url: str) -> Reply:
        """`DELETE /v3/roles/{role_id}`."""
        enforce("delete_role", request.caller)
        await self._accounts.delete_role(request.parameters["role_id"])
        return Reply(204)


async def _none(_: Query) -> list[Role]:
    return []


def _reply(role: Role, url: str, status: int = 200) -> Reply:
    return json_reply({"role": views.role(role, url)}, status)
