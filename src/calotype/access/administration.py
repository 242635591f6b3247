"""May they administer accounts: Keystone's rule names, and who may do what they guard (identity-and-huawei A.4, A.5).

An administrator has the role `admin` on a project or on the system. A domain-scoped token reads its domain and writes
nothing: whoever could set the passwords of a domain's users would have the rights of the administrators among them.
"""

from collections.abc import Callable
from typing import NamedTuple

from calotype.access.caller import Caller
from calotype.access.errors import Forbidden
from calotype.access.model import Project, User


class Target(NamedTuple):
    """What a call is about, as far as rules ask: a user, a project, and the domains in which all of it lies.

    `home` is the domain of the caller's own project.
    """

    user_id: str | None = None
    project_id: str | None = None
    domains: tuple[str | None, ...] = ()
    home: str | None = None


NOTHING = Target()


def home_of(thing: User | Project | None) -> str | None:
    """The domain in which a user or project lies; None for nothing, which lies nowhere."""
    return None if thing is None else thing.domain_id


def administers(caller: Caller) -> bool:
    """Whether the caller is an administrator of the cloud."""
    return caller.is_admin and (caller.project_id is not None or caller.system)


def reads_all(caller: Caller) -> bool:
    """Whether the caller may see every account: an administrator, or a reader of the system."""
    return administers(caller) or (caller.system and "reader" in caller.roles)


def reads_domain(caller: Caller) -> str | None:
    """The domain whose accounts the caller may see."""
    return caller.domain_id if "reader" in caller.roles else None


def _administrator(caller: Caller, _: Target) -> bool:
    return administers(caller)


def _reader(caller: Caller, target: Target) -> bool:
    inside = bool(target.domains) and all(each == reads_domain(caller) is not None for each in target.domains)
    return reads_all(caller) or inside


def _lister(caller: Caller, _: Target) -> bool:
    return reads_all(caller) or reads_domain(caller) is not None


def _cloud_reader(caller: Caller, _: Target) -> bool:
    return reads_all(caller)


def _reader_or_self(caller: Caller, target: Target) -> bool:
    return _reader(caller, target) or caller.user_id == target.user_id


def _reader_or_inside(caller: Caller, target: Target) -> bool:
    return _reader(caller, target) or (caller.project_id is not None and caller.project_id == target.project_id)


def _resident(caller: Caller, target: Target) -> bool:
    return reads_all(caller) or target.domains[0] in (caller.domain_id, target.home)


def _cloud_reader_or_self(caller: Caller, target: Target) -> bool:
    return reads_all(caller) or caller.user_id == target.user_id


def _administrator_or_self(caller: Caller, target: Target) -> bool:
    return administers(caller) or caller.user_id == target.user_id


def _self_in_project(caller: Caller, target: Target) -> bool:
    return caller.user_id == target.user_id and caller.project_id is not None


def _system_reader_or_self(caller: Caller, target: Target) -> bool:
    return (caller.system and "reader" in caller.roles) or caller.user_id == target.user_id


def _system_administrator_or_self(caller: Caller, target: Target) -> bool:
    return (caller.system and caller.is_admin) or caller.user_id == target.user_id


_WRITES = tuple(
    f"{verb}_{noun}"
    for noun in ("user", "project", "domain", "role", "region", "service", "endpoint")
    for verb in ("create", "update", "delete")
)
_GRANTS = (
    "create_grant",
    "revoke_grant",
    "create_system_grant_for_user",
    "revoke_system_grant_for_user",
    "create_implied_role",
    "delete_implied_role",
)
_CLOUD_READS = (
    "list_roles",
    "get_role",
    "list_services",
    "get_service",
    "list_endpoints",
    "get_endpoint",
    "list_system_grants_for_user",
    "check_system_grant_for_user",
    "list_implied_roles",
    "get_implied_role",
    "check_implied_role",
    "list_role_inference_rules",
)

_RULES: dict[str, Callable[[Caller, Target], bool]] = {
    "list_users": _lister,
    "get_user": _reader_or_self,
    "list_projects": _lister,
    "get_project": _reader_or_inside,
    "list_user_projects": _reader_or_self,
    "list_domains": _lister,
    "get_domain": _resident,
    "list_grants": _reader,
    "check_grant": _reader,
    "list_role_assignments": _lister,
    "list_application_credentials": _cloud_reader_or_self,
    "get_application_credential": _cloud_reader_or_self,
    "create_application_credential": _self_in_project,
    "delete_application_credential": _administrator_or_self,
    "list_access_rules": _system_reader_or_self,
    "get_access_rule": _system_reader_or_self,
    "delete_access_rule": _system_administrator_or_self,
    "revoke_tokens_for_user": _administrator_or_self,
    **dict.fromkeys(_CLOUD_READS, _cloud_reader),
    **dict.fromkeys((*_WRITES, *_GRANTS), _administrator),
}


def allows(rule: str, caller: Caller, target: Target = NOTHING) -> bool:
    """Whether `caller` may do what `rule` guards to `target`."""
    return _RULES[rule](caller, target)


def enforce(rule: str, caller: Caller, target: Target = NOTHING) -> None:
    """Raise Forbidden, naming the rule, unless it allows the call."""
    if not allows(rule, caller, target):
        raise Forbidden(f"identity:{rule}")


def visible(rule: str, caller: Caller) -> str | None:
    """The domain to which a list is cut for the caller, None for no cut; raises Forbidden."""
    enforce(rule, caller)
    return None if reads_all(caller) else reads_domain(caller)
