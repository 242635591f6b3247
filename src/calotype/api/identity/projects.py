"""The calls on projects and scopes (spec: identity-and-huawei A.4, A.5)."""

from collections.abc import Awaitable, Callable
from typing import Any

from calotype.access.accounts import DEFAULT_DOMAIN, Accounts
from calotype.access.administration import Target, allows, enforce, home_of, reads_all, visible
from calotype.access.assignments import Assignments
from calotype.access.errors import Forbidden, Invalid, NotFound, missing
from calotype.access.model import SYSTEM, Filter, Project, Query
from calotype.api.identity import bodies, views
from calotype.api.identity.catalog import catalog
from calotype.api.identity.lists import answer, of_domain
from calotype.api.identity.queries import boolean, filters, parameters, self_link, tagged
from calotype.api.wire import Reply, Request, json_reply
from calotype.settings import Settings

# A project stands at the top of its domain, so its parent is its domain.
_COLUMNS = {"name": "name", "domain_id": "domain_id", "parent_id": "domain_id", "enabled": "enabled"}
_FLAT = "Projects stand at the top of their domain: a project has no other parent, and a domain is made by itself."
_ENABLED = Filter("enabled", True)
Find = Callable[[Query], Awaitable[list[Project]]]


class ProjectCalls:
    """Answers the calls."""

    def __init__(self, settings: Settings, accounts: Accounts, assignments: Assignments) -> None:
        self._settings = settings
        self._accounts = accounts
        self._assignments = assignments

    async def index(self, request: Request, url: str) -> Reply:
        """`GET /v3/projects`: all for an administrator, and for others their own, where Keystone refuses."""
        caller, query = request.caller, Query(filters(request, _COLUMNS))
        asked = dict(parameters(request))
        find: Find = self._accounts.projects
        bounds: tuple[Filter, ...] = ()
        if allows("list_projects", caller):
            bounds = of_domain(visible("list_projects", caller))
            query = query._replace(filters=(*query.filters, *bounds))
        else:
            query = query._replace(assigned_to=caller.user_id)
            find = self._own_named if "name" in asked else find
        if "is_domain" in asked and boolean(asked["is_domain"]):
            return await self._domains(request, url)
        return await answer(request, url, "projects", query, find, views.project, bounds, _tagged(request))

    async def _own_named(self, query: Query) -> list[Project]:
        """The caller's own projects of a name. For any other name Keystone's refusal: on it, and not on an empty list,
        the `openstack` command goes on with what it was given as an id."""
        found = await self._accounts.projects(query)
        if not found:
            raise Forbidden("identity:list_projects")
        return found

    async def show(self, request: Request, url: str) -> Reply:
        """`GET /v3/projects/{project_id}`."""
        project_id = request.parameters["project_id"]
        project = await self._accounts.project(project_id)
        target = Target(project_id=project_id, domains=(home_of(project),))
        enforce("get_project", request.caller, target)
        if project is None:
            raise missing("project", project_id)
        return _reply(project, url)

    async def create(self, request: Request, url: str) -> Reply:
        """`POST /v3/projects`."""
        enforce("create_project", request.caller)
        given = await bodies.read(request, bodies.NEW_PROJECT)
        domain_id = given.get("domain_id") or given.get("parent_id") or DEFAULT_DOMAIN
        if given.get("is_domain") or given.get("parent_id") not in (None, domain_id):
            raise Invalid(_FLAT)
        try:
            made = await self._accounts.create_project(domain_id=domain_id, **bodies.changes("project", given))
        except NotFound as error:
            raise Invalid(error.text) from None
        return _reply(made, url, 201)

    async def change(self, request: Request, url: str) -> Reply:
        """`PATCH /v3/projects/{project_id}`."""
        enforce("update_project", request.caller)
        project_id = request.parameters["project_id"]
        old = await self._accounts.project(project_id)
        if old is None:
            raise missing("project", project_id)
        given = await bodies.read(request, bodies.PROJECT)
        bodies.same(given, id=project_id, domain_id=old.domain_id, parent_id=old.domain_id, is_domain=False)
        return _reply(await self._accounts.change_project(project_id, bodies.changes("project", given)), url)

    async def delete(self, request: Request, url: str) -> Reply:
        """`DELETE /v3/projects/{project_id}`; the project's images stay."""
        enforce("delete_project", request.caller)
        await self._accounts.delete_project(request.parameters["project_id"])
        return Reply(204)

    async def own(self, request: Request, url: str) -> Reply:
        """`GET /v3/auth/projects`: where the caller may go; filters do not count."""
        found = await self._of_user(request.caller.user_id, (_ENABLED,))
        return self._listed(request, url, found)

    async def of_user(self, request: Request, url: str) -> Reply:
        """`GET /v3/users/{user_id}/projects`."""
        user_id = request.parameters["user_id"]
        user = await self._accounts.user(user_id)
        target = Target(user_id=user_id, domains=(home_of(user),))
        enforce("list_user_projects", request.caller, target)
        if user is None:
            raise missing("user", user_id)
        return self._listed(request, url, await self._of_user(user_id, filters(request, _COLUMNS)))

    async def own_domains(self, request: Request, url: str) -> Reply:
        """`GET /v3/auth/domains`."""
        found = await self._accounts.domains(Query((_ENABLED,), assigned_to=request.caller.user_id))
        items = [views.domain(each, url) for each in found]
        return json_reply(views.collection("domains", items, self_link(request, url)))

    async def own_system(self, request: Request, url: str) -> Reply:
        """`GET /v3/auth/system`."""
        held = await self._assignments.held(request.caller.user_id, SYSTEM)
        links = {"self": self_link(request, url)}
        return json_reply({"system": [{"all": True}] if held else [], "links": links})

    async def catalog(self, request: Request, url: str) -> Reply:
        """`GET /v3/auth/catalog`, for tokens of a project only."""
        if request.caller.project_id is None:
            raise Forbidden
        links = {"self": self_link(request, url)}
        return json_reply({"catalog": catalog(self._settings, request), "links": links})

    async def _of_user(self, user_id: str, conditions: tuple[Filter, ...]) -> list[Project]:
        return await self._accounts.projects(Query(conditions, assigned_to=user_id))

    async def _domains(self, request: Request, url: str) -> Reply:
        found: list[Any] = await self._accounts.domains() if reads_all(request.caller) else []
        items = [views.domain_as_project(each, url) for each in found]
        return json_reply(views.collection("projects", items, self_link(request, url)))

    def _listed(self, request: Request, url: str, found: list[Project]) -> Reply:
        items = [views.project(each, url) for each in found]
        return json_reply(views.collection("projects", items, self_link(request, url)))


def _reply(project: Project, url: str, status: int = 200) -> Reply:
    return json_reply({"project": views.project(project, url)}, status)


def _tagged(request: Request) -> Callable[[Project], bool] | None:
    """Whether a project has the tags that the query asks for; None when it asks for none."""
    fits = tagged(request)
    return None if fits is None else lambda project: fits(project.extra.get("tags", []))
