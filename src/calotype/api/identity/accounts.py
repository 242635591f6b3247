"""The reads by which the `openstack` command turns names into ids (spec: identity-and-huawei A.5)."""

from typing import Any

from calotype.access.accounts import Accounts
from calotype.access.errors import Forbidden, missing
from calotype.access.model import Filter, Query
from calotype.api.identity import views
from calotype.api.identity.catalog import endpoints, regions, services
from calotype.api.identity.lists import administrator, answer, reads_all
from calotype.api.identity.queries import filters, parameters, self_link
from calotype.api.wire import Reply, Request, json_reply
from calotype.settings import Settings


class AccountCalls:
    """Answers the calls on users, domains, roles, regions, services and endpoints."""

    def __init__(self, settings: Settings, accounts: Accounts) -> None:
        self._settings = settings
        self._accounts = accounts

    async def users(self, request: Request, url: str) -> Reply:
        """`GET /v3/users`."""
        caller = request.caller
        found = filters(request, {"name": "name", "domain_id": "domain_id", "enabled": "enabled"})
        if not reads_all(caller):
            if caller.domain_id is None or "reader" not in caller.roles:
                raise Forbidden("identity:list_users")
            found = (*found, Filter("domain_id", caller.domain_id))
        return await answer(request, url, "users", Query(found), self._accounts.users, views.user)

    async def user(self, request: Request, url: str) -> Reply:
        """`GET /v3/users/{user_id}`: anybody sees himself."""
        user_id = request.parameters["user_id"]
        if request.caller.user_id != user_id:
            administrator(request, "identity:get_user")
        user = await self._accounts.user(user_id)
        if user is None:
            raise missing("user", user_id)
        return json_reply({"user": views.user(user, url)})

    async def domains(self, request: Request, url: str) -> Reply:
        """`GET /v3/domains`."""
        administrator(request, "identity:list_domains")
        query = Query(filters(request, {"name": "name", "enabled": "enabled"}))
        return await answer(request, url, "domains", query, self._accounts.domains, views.domain)

    async def domain(self, request: Request, url: str) -> Reply:
        """`GET /v3/domains/{domain_id}`: whoever has a token in a domain sees that domain."""
        domain_id = request.parameters["domain_id"]
        caller = request.caller
        project = await self._accounts.project(caller.project_id) if caller.project_id else None
        if domain_id not in (caller.domain_id, project and project.domain_id):
            administrator(request, "identity:get_domain")
        domain = await self._accounts.domain(domain_id)
        if domain is None:
            raise missing("domain", domain_id)
        return json_reply({"domain": views.domain(domain, url)})

    async def roles(self, request: Request, url: str) -> Reply:
        """`GET /v3/roles`."""
        administrator(request, "identity:list_roles")
        query = Query(filters(request, {"name": "name"}))
        return await answer(request, url, "roles", query, self._accounts.roles, views.role)

    async def role(self, request: Request, url: str) -> Reply:
        """`GET /v3/roles/{role_id}`: that there is none is told to anybody."""
        role_id = request.parameters["role_id"]
        role = await self._accounts.role(role_id)
        if role is None:
            raise missing("role", role_id)
        administrator(request, "identity:get_role")
        return json_reply({"role": views.role(role, url)})

    async def regions(self, request: Request, url: str) -> Reply:
        """`GET /v3/regions`: anybody with a token."""
        items = [views.region(each, url) for each in regions(self._settings)]
        return json_reply(views.collection("regions", items, self_link(request, url)))

    async def region(self, request: Request, url: str) -> Reply:
        """`GET /v3/regions/{region_id}`."""
        region_id = request.parameters["region_id"]
        if region_id not in regions(self._settings):
            raise missing("region", region_id)
        return json_reply({"region": views.region(region_id, url)})

    async def services(self, request: Request, url: str) -> Reply:
        """`GET /v3/services`."""
        administrator(request, "identity:list_services")
        items = _fitting(request, [views.service(each, url) for each in self._services(request)], ("name", "type"))
        return json_reply(views.collection("services", items, self_link(request, url)))

    async def service(self, request: Request, url: str) -> Reply:
        """`GET /v3/services/{service_id}`."""
        administrator(request, "identity:get_service")
        found = [views.service(each, url) for each in self._services(request)]
        return _one(found, "service", request.parameters["service_id"])

    async def endpoints(self, request: Request, url: str) -> Reply:
        """`GET /v3/endpoints`."""
        administrator(request, "identity:list_endpoints")
        found = [views.endpoint(each, url) for each in endpoints(self._settings, request)]
        items = _fitting(request, found, ("interface", "service_id", "region_id"))
        return json_reply(views.collection("endpoints", items, self_link(request, url)))

    async def endpoint(self, request: Request, url: str) -> Reply:
        """`GET /v3/endpoints/{endpoint_id}`."""
        administrator(request, "identity:get_endpoint")
        found = [views.endpoint(each, url) for each in endpoints(self._settings, request)]
        return _one(found, "endpoint", request.parameters["endpoint_id"])

    def _services(self, request: Request) -> Any:
        return services(self._settings, request)


def _fitting(request: Request, items: list[dict[str, Any]], names: tuple[str, ...]) -> list[dict[str, Any]]:
    asked = [(name, value) for name, value in parameters(request) if name in names]
    return [each for each in items if all(each[name] == value for name, value in asked)]


def _one(items: list[dict[str, Any]], kind: str, id_: str) -> Reply:
    for each in items:
        if each["id"] == id_:
            return json_reply({kind: each})
    raise missing(kind, id_)
