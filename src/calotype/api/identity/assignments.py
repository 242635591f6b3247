"""The calls that give and take roles, and that tell who has which (spec: identity-and-huawei A.5)."""

from calotype.access.accounts import Accounts
from calotype.access.administration import Target, enforce, home_of, visible
from calotype.access.assignments import Assignments, not_assigned
from calotype.access.errors import Invalid, missing
from calotype.access.model import SYSTEM, AssignmentQuery, Scope
from calotype.api.identity import views
from calotype.api.identity.queries import boolean, parameters, self_link
from calotype.api.wire import Reply, Request, json_reply

_SYSTEM_RULES = {
    "list_grants": "list_system_grants_for_user",
    "check_grant": "check_system_grant_for_user",
    "create_grant": "create_system_grant_for_user",
    "revoke_grant": "revoke_system_grant_for_user",
}
_EITHER = (
    ("scope.domain.id", "scope.project.id", "Specify a domain or project, not both"),
    ("scope.domain.id", "scope.system", "Specify system or domain, not both"),
    ("scope.project.id", "scope.system", "Specify system or project, not both"),
    ("user.id", "group.id", "Specify a user or group, not both"),
)
_FLAGS = ("effective", "include_names", "include_subtree")


class AssignmentCalls:
    """Answers the calls; those on one assignment come under a project, a domain or the system."""

    def __init__(self, accounts: Accounts, assignments: Assignments) -> None:
        self._accounts = accounts
        self._assignments = assignments

    async def of_user(self, request: Request, url: str) -> Reply:
        """`GET …/users/{user_id}/roles`: the roles given there, without those that follow from them."""
        scope = await self._scope(request, "list_grants")
        found = await self._assignments.held(request.parameters["user_id"], scope)
        return json_reply(views.collection("roles", [views.role(each, url) for each in found], self_link(request, url)))

    async def check(self, request: Request, url: str) -> Reply:
        """`GET` and `HEAD …/users/{user_id}/roles/{role_id}`."""
        scope = await self._scope(request, "check_grant")
        user_id, role_id = request.parameters["user_id"], request.parameters["role_id"]
        if not await self._assignments.has(user_id, role_id, scope):
            raise not_assigned(user_id, role_id, scope)
        return Reply(204)

    async def grant(self, request: Request, url: str) -> Reply:
        """`PUT …/users/{user_id}/roles/{role_id}`."""
        scope = _scope(request)
        enforce(_rule("create_grant", scope), request.caller)
        await self._assignments.grant(request.parameters["user_id"], request.parameters["role_id"], scope)
        return Reply(204)

    async def revoke(self, request: Request, url: str) -> Reply:
        """`DELETE …/users/{user_id}/roles/{role_id}`."""
        scope = _scope(request)
        enforce(_rule("revoke_grant", scope), request.caller)
        await self._assignments.revoke(request.parameters["user_id"], request.parameters["role_id"], scope)
        return Reply(204)

    async def index(self, request: Request, url: str) -> Reply:
        """`GET /v3/role_assignments`."""
        domain_id = visible("list_role_assignments", request.caller)
        given = dict(parameters(request))
        flags = {name for name in _FLAGS if boolean(given.get(name, "0"))}
        asked = {name: value for name, value in given.items() if value}
        query = _query(asked, flags)
        # There are no groups, and nothing is inherited.
        none = "group.id" in asked or asked.get("scope.OS-INHERIT:inherited_to") == "projects"
        found = (
            []
            if none
            else await self._assignments.listed(query._replace(domain_id=domain_id), effective="effective" in flags)
        )
        items = [views.assignment(each, url, "include_names" in flags) for each in found]
        return json_reply(views.collection("role_assignments", items, self_link(request, url)))

    async def _scope(self, request: Request, rule: str) -> Scope:
        """The scope in the path, once it is clear that the caller may read it and that it exists, as its user does."""
        scope, user_id = _scope(request), request.parameters["user_id"]
        user = await self._accounts.user(user_id)
        home: str | None = None
        if scope.kind == "project":
            project = await self._accounts.project(scope.id)
            home = home_of(project)
        elif scope.kind == "domain":
            domain = await self._accounts.domain(scope.id)
            home = None if domain is None else domain.id
        enforce(_rule(rule, scope), request.caller, Target(domains=(home_of(user), home)))
        if user is None:
            raise missing("user", user_id)
        if home is None and scope != SYSTEM:
            raise missing(scope.kind, scope.id)
        return scope


def _scope(request: Request) -> Scope:
    if "project_id" in request.parameters:
        return Scope("project", request.parameters["project_id"])
    if "domain_id" in request.parameters:
        return Scope("domain", request.parameters["domain_id"])
    return SYSTEM


def _rule(rule: str, scope: Scope) -> str:
    return _SYSTEM_RULES[rule] if scope == SYSTEM else rule


def _query(asked: dict[str, str], flags: set[str]) -> AssignmentQuery:
    """The filters of a list; raises Invalid for those that exclude each other."""
    for one, other, text in _EITHER:
        if one in asked and other in asked:
            raise Invalid(text)
    if "effective" in flags and "group.id" in asked:
        raise Invalid("Combining effective and group filter will always result in an empty list.")
    if "include_subtree" in flags and "scope.project.id" not in asked:
        raise Invalid("scope.project.id must be specified if include_subtree is also specified")
    query = AssignmentQuery(user_id=asked.get("user.id"), role_id=asked.get("role.id"))
    for kind in ("project", "domain"):
        if f"scope.{kind}.id" in asked:
            return query._replace(scope=kind, scope_id=asked[f"scope.{kind}.id"])
    return query._replace(scope=SYSTEM.kind) if asked.get("scope.system") == SYSTEM.id else query
