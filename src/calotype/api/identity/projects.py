"""The calls that find projects and scopes (spec: identity-and-huawei A.4)."""

from typing import Any

from calotype.access.accounts import Accounts
from calotype.access.errors import Forbidden, missing
from calotype.access.model import SYSTEM, Filter, Project, Query
from calotype.api.identity import views
from calotype.api.identity.catalog import catalog
from calotype.api.identity.lists import answer, reads_all
from calotype.api.identity.queries import boolean, filters, parameters, self_link
from calotype.api.wire import Reply, Request, json_reply
from calotype.settings import Settings

# A project stands at the top of its domain, so its parent is its domain.
_COLUMNS = {"name": "name", "domain_id": "domain_id", "parent_id": "domain_id", "enabled": "enabled"}
# No project has tags: to ask for one finds nothing, to exclude one excludes nothing.
_TAGS = ("tags", "tags-any")
_ENABLED = Filter("enabled", True)


class ProjectCalls:
    """Answers the calls."""

    def __init__(self, settings: Settings, accounts: Accounts) -> None:
        self._settings = settings
        self._accounts = accounts

    async def index(self, request: Request, url: str) -> Reply:
        """`GET /v3/projects`: all for an administrator, and for others their own, where Keystone refuses."""
        caller = request.caller
        query = Query(filters(request, _COLUMNS))
        if not reads_all(caller):
            if caller.domain_id is not None and "reader" in caller.roles:
                query = query._replace(filters=(*query.filters, Filter("domain_id", caller.domain_id)))
            else:
                query = query._replace(assigned_to=caller.user_id)
        asked = dict(parameters(request))
        if any(asked.get(name) for name in _TAGS):
            return json_reply(views.collection("projects", [], self_link(request, url)))
        if "is_domain" in asked and boolean(asked["is_domain"]):
            return await self._domains(request, url)
        find = self._accounts.projects if reads_all(caller) or "name" not in asked else self._own_named
        return await answer(request, url, "projects", query, find, views.project)

    async def _own_named(self, query: Query) -> list[Project]:
        """The caller's own projects of a name. For any other name Keystone's refusal: on it, and not on an empty list,
        the `openstack` command goes on with what it was given as an id."""
        found = await self._accounts.projects(query)
        if not found:
            raise Forbidden("identity:list_projects")
        return found

    async def show(self, request: Request, url: str) -> Reply:
        """`GET /v3/projects/{project_id}`."""
        caller = request.caller
        project_id = request.parameters["project_id"]
        project = await self._accounts.project(project_id)
        in_domain = project is not None and caller.domain_id == project.domain_id and "reader" in caller.roles
        if not reads_all(caller) and caller.project_id != project_id and not in_domain:
            raise Forbidden("identity:get_project")
        if project is None:
            raise missing("project", project_id)
        return json_reply({"project": views.project(project, url)})

    async def own(self, request: Request, url: str) -> Reply:
        """`GET /v3/auth/projects`: where the caller may go; filters do not count."""
        found = await self._of_user(request.caller.user_id, (_ENABLED,))
        return self._listed(request, url, found)

    async def of_user(self, request: Request, url: str) -> Reply:
        """`GET /v3/users/{user_id}/projects`."""
        caller = request.caller
        user_id = request.parameters["user_id"]
        if not reads_all(caller) and caller.user_id != user_id:
            raise Forbidden("identity:list_user_projects")
        if await self._accounts.user(user_id) is None:
            raise missing("user", user_id)
        return self._listed(request, url, await self._of_user(user_id, filters(request, _COLUMNS)))

    async def own_domains(self, request: Request, url: str) -> Reply:
        """`GET /v3/auth/domains`."""
        found = await self._accounts.domains(Query((_ENABLED,), assigned_to=request.caller.user_id))
        items = [views.domain(each, url) for each in found]
        return json_reply(views.collection("domains", items, self_link(request, url)))

    async def own_system(self, request: Request, url: str) -> Reply:
        """`GET /v3/auth/system`."""
        held = await self._accounts.held(request.caller.user_id, SYSTEM)
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
