"""The calls on roles that imply others (spec: identity-and-huawei A.2, A.5)."""

from calotype.access.accounts import Accounts
from calotype.access.administration import enforce
from calotype.access.errors import missing
from calotype.access.implications import Implications, not_implied
from calotype.access.model import Implication, Named, Role
from calotype.api.identity import views
from calotype.api.wire import Reply, Request, json_reply


class ImplicationCalls:
    """Answers the calls. That there is no such role is told to anybody, as Keystone does."""

    def __init__(self, accounts: Accounts, implications: Implications) -> None:
        self._accounts = accounts
        self._implications = implications

    async def index(self, request: Request, url: str) -> Reply:
        """`GET /v3/role_inferences`."""
        enforce("list_role_inference_rules", request.caller)
        inferences: dict[Named, list[Named]] = {}
        for each in await self._implications.all():
            inferences.setdefault(each.prior, []).append(each.implied)
        items = [views.inference(prior, implied, url) for prior, implied in inferences.items()]
        return json_reply({"role_inferences": items})

    async def of_role(self, request: Request, url: str) -> Reply:
        """`GET /v3/roles/{prior_id}/implies`."""
        prior = await self._role(request.parameters["prior_id"])
        enforce("list_implied_roles", request.caller)
        implied = [each.implied for each in await self._implications.all() if each.prior.id == prior.id]
        return _reply(prior, implied, request, url)

    async def show(self, request: Request, url: str) -> Reply:
        """`GET` and `HEAD /v3/roles/{prior_id}/implies/{implied_id}`; HEAD answers 204."""
        prior, implied = await self._roles(request)
        enforce("check_implied_role" if request.method == "HEAD" else "get_implied_role", request.caller)
        if not any(_of(each, prior, implied) for each in await self._implications.all()):
            raise not_implied(prior.id, implied.id)
        return Reply(204) if request.method == "HEAD" else _reply(prior, implied, request, url)

    async def add(self, request: Request, url: str) -> Reply:
        """`PUT /v3/roles/{prior_id}/implies/{implied_id}`."""
        prior, implied = await self._roles(request)
        enforce("create_implied_role", request.caller)
        await self._implications.add(prior, implied)
        return _reply(prior, implied, request, url, 201)

    async def remove(self, request: Request, url: str) -> Reply:
        """`DELETE /v3/roles/{prior_id}/implies/{implied_id}`."""
        prior, implied = await self._roles(request)
        enforce("delete_implied_role", request.caller)
        await self._implications.remove(prior.id, implied.id)
        return Reply(204)

    async def _roles(self, request: Request) -> tuple[Role, Role]:
        return await self._role(request.parameters["prior_id"]), await self._role(request.parameters["implied_id"])

    async def _role(self, role_id: str) -> Role:
        role = await self._accounts.role(role_id)
        if role is None:
            raise missing("role", role_id)
        return role


def _of(each: Implication, prior: Role, implied: Role) -> bool:
    return (each.prior.id, each.implied.id) == (prior.id, implied.id)


def _reply(prior: Role, implied: Role | list[Named], request: Request, url: str, status: int = 200) -> Reply:
    links = {"self": url + request.path.removeprefix("/v3")}
    return json_reply({"role_inference": views.inference(prior, implied, url), "links": links}, status)
