"""The calls on domains (spec: identity-and-huawei A.5)."""

from calotype.access.accounts import Accounts
from calotype.access.administration import Target, enforce, home_of, visible
from calotype.access.errors import missing
from calotype.access.model import Domain, Filter, Query
from calotype.api.identity import bodies, views
from calotype.api.identity.lists import answer
from calotype.api.identity.queries import filters
from calotype.api.wire import Reply, Request, json_reply


class DomainCalls:
    """Answers the calls."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    async def index(self, request: Request, url: str) -> Reply:
        """`GET /v3/domains`: who reads one domain finds that one."""
        domain_id = visible("list_domains", request.caller)
        own = () if domain_id is None else (Filter("id", domain_id),)
        query = Query((*filters(request, {"name": "name", "enabled": "enabled"}), *own))
        return await answer(request, url, "domains", query, self._accounts.domains, views.domain, own)

    async def show(self, request: Request, url: str) -> Reply:
        """`GET /v3/domains/{domain_id}`: whoever has a token in a domain sees that domain."""
        domain_id, caller = request.parameters["domain_id"], request.caller
        project = await self._accounts.project(caller.project_id) if caller.project_id else None
        enforce("get_domain", caller, Target(domains=(domain_id,), home=home_of(project)))
        domain = await self._accounts.domain(domain_id)
        if domain is None:
            raise missing("domain", domain_id)
        return _reply(domain, url)

    async def create(self, request: Request, url: str) -> Reply:
        """`POST /v3/domains`."""
        enforce("create_domain", request.caller)
        given = await bodies.read(request, bodies.NEW_DOMAIN)
        id_ = given.get("explicit_domain_id")
        return _reply(await self._accounts.create_domain(id_=id_, **bodies.changes("domain", given)), url, 201)

    async def change(self, request: Request, url: str) -> Reply:
        """`PATCH /v3/domains/{domain_id}`."""
        enforce("update_domain", request.caller)
        domain_id = request.parameters["domain_id"]
        given = await bodies.read(request, bodies.DOMAIN)
        bodies.same(given, id=domain_id)
        return _reply(await self._accounts.change_domain(domain_id, bodies.changes("domain", given)), url)

    async def delete(self, request: Request, url: str) -> Reply:
        """`DELETE /v3/domains/{domain_id}`, once it is disabled."""
        enforce("delete_domain", request.caller)
        await self._accounts.delete_domain(request.parameters["domain_id"])
        return Reply(204)


def _reply(domain: Domain, url: str, status: int = 200) -> Reply:
    return json_reply({"domain": views.domain(domain, url)}, status)
