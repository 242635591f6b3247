"""The documents of identity v3 (spec: identity-and-huawei A.1, A.2, A.4). `url` is the identity URL, ending in /v3."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from calotype.access.model import (
    AccessRule,
    ApplicationCredential,
    Assignment,
    Domain,
    Grant,
    Named,
    Project,
    Role,
    User,
)
from calotype.api.identity.catalog import Service

_OF_PROJECT: dict[str, Any] = {"tags": [], "options": {}}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def version(url: str) -> dict[str, Any]:
    """The entry of the only version."""
    return {
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": url + "/"}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
    }


def token(grant: Grant, catalog: list[dict[str, Any]] | None) -> dict[str, Any]:
    """A token; `catalog` None leaves the catalogue out, as it is in an unscoped one."""
    user = {"domain": _named(grant.user_domain), **_named(grant.user), "password_expires_at": None}
    body: dict[str, Any] = {
        "methods": list(grant.methods),
        "user": user,
        "audit_ids": list(grant.audit_ids),
        "expires_at": time(grant.expires_at),
        "issued_at": time(grant.issued_at),
    }
    if grant.project is not None and grant.project_domain is not None:
        body["project"] = {"domain": _named(grant.project_domain), **_named(grant.project)}
        body["is_domain"] = False
    elif grant.domain is not None:
        body["domain"] = _named(grant.domain)
    elif grant.scope.kind == "system":
        body["system"] = {"all": True}
    if grant.scope.kind:
        body["roles"] = [_named(role) for role in grant.roles]
        if catalog is not None:
            body["catalog"] = catalog
    if grant.credential is not None:
        given = grant.credential
        body["application_credential"] = {"id": given.id, "name": given.name, "restricted": not given.unrestricted}
        if given.access_rules:
            body["application_credential"]["access_rules"] = [_rule(each) for each in given.access_rules]
    return {"token": body}


def project(each: Project, url: str) -> dict[str, Any]:
    """A project, at the top of its domain."""
    return {
        **_OF_PROJECT,
        **each.extra,
        "id": each.id,
        "name": each.name,
        "domain_id": each.domain_id,
        "description": each.description,
        "enabled": each.enabled,
        "parent_id": each.domain_id,
        "is_domain": False,
        "links": {"self": f"{url}/projects/{each.id}"},
    }


def domain_as_project(each: Domain, url: str) -> dict[str, Any]:
    """A domain in a list of projects."""
    whole = domain(each, url)
    return {
        **whole,
        "domain_id": None,
        "parent_id": None,
        "is_domain": True,
        "links": {"self": f"{url}/projects/{each.id}"},
    }


def domain(each: Domain, url: str) -> dict[str, Any]:
    """A domain."""
    return {
        **_OF_PROJECT,
        **each.extra,
        "id": each.id,
        "name": each.name,
        "description": each.description,
        "enabled": each.enabled,
        "links": {"self": f"{url}/domains/{each.id}"},
    }


def user(each: User, url: str) -> dict[str, Any]:
    """A user; optional fields are absent rather than null."""
    body: dict[str, Any] = {
        "options": {},
        **each.extra,
        "id": each.id,
        "name": each.name,
        "domain_id": each.domain_id,
        "enabled": each.enabled,
        "password_expires_at": None,
        "links": {"self": f"{url}/users/{each.id}"},
    }
    optional = {
        "default_project_id": each.default_project_id,
        "email": each.email,
        "description": each.description or None,
    }
    return body | {name: value for name, value in optional.items() if value is not None}


def role(each: Role, url: str) -> dict[str, Any]:
    """A role."""
    return {**_role(each), "links": {"self": f"{url}/roles/{each.id}"}}


def credential(
    each: ApplicationCredential, roles: Mapping[str, Role], url: str, secret: str | None = None
) -> dict[str, Any]:
    """An application credential, with the roles out of `roles` (by id) that are still there; `secret` right after it
    was made."""
    body: dict[str, Any] = {
        "id": each.id,
        "name": each.name,
        "description": each.description,
        "user_id": each.user_id,
        "project_id": each.project_id,
        "system": None,
        "expires_at": None if each.expires_at is None else time(each.expires_at).removesuffix("Z"),
        "unrestricted": each.unrestricted,
        "roles": [_role(roles[role_id]) for role_id in each.roles if role_id in roles],
    }
    if each.access_rules:
        body["access_rules"] = [_rule(rule) for rule in each.access_rules]
    if secret is not None:
        body["secret"] = secret
    return body | {"links": {"self": f"{url}/users/{each.user_id}/application_credentials/{each.id}"}}


def access_rule(each: AccessRule, user_id: str, url: str) -> dict[str, Any]:
    """An access rule of a user."""
    return {**_rule(each), "links": {"self": f"{url}/users/{user_id}/access_rules/{each.id}"}}


def inference(prior: Role | Named, implied: Role | Named | list[Named], url: str) -> dict[str, Any]:
    """A role with the one, or all, that it implies."""
    return {
        "prior_role": _linked(prior, url),
        "implies": [_linked(each, url) for each in implied] if isinstance(implied, list) else _linked(implied, url),
    }


def assignment(each: Assignment, url: str, names: bool) -> dict[str, Any]:
    """A role that a user has somewhere; `names` adds the names of everything to the ids."""
    place: dict[str, Any] = {"id": each.scope.id}
    if names and each.place is not None:
        place["name"] = each.place.name
        if each.place_domain is not None:
            place["domain"] = _named(each.place_domain)
    user: dict[str, Any] = {"id": each.user.id}
    if names:
        user = {**_named(each.user), "domain": _named(each.user_domain)}
    where = "system" if each.place is None else f"{each.scope.kind}s/{each.scope.id}"
    given = each.given or each.role
    links = {"assignment": f"{url}/{where}/users/{each.user.id}/roles/{given.id}"}
    if each.prior is not None:
        links["prior_role"] = f"{url}/prior_role/{each.prior.id}/implies/{each.role.id}"
    return {
        "links": links,
        "role": _named(each.role) if names else {"id": each.role.id},
        "scope": {"system": {"all": True}} if each.place is None else {each.scope.kind: place},
        "user": user,
    }


def region(name: str, url: str) -> dict[str, Any]:
    """The region of the catalogue."""
    return {
        "id": name,
        "description": "",
        "parent_region_id": None,
        "links": {"self": f"{url}/regions/{name}"},
    }


def service(each: Service, url: str) -> dict[str, Any]:
    """A service."""
    return {
        "name": each.name,
        "id": each.id,
        "type": each.type,
        "enabled": True,
        "links": {"self": f"{url}/services/{each.id}"},
    }


def endpoint(each: dict[str, Any], url: str) -> dict[str, Any]:
    """An endpoint of `catalog.endpoints`."""
    return {**each, "links": {"self": f"{url}/endpoints/{each['id']}"}}


def collection(name: str, items: Iterable[Any], self_link: str, next_link: str | None = None) -> dict[str, Any]:
    """A list under its name; `truncated` when there is more."""
    body: dict[str, Any] = {name: list(items), "links": {"next": next_link, "self": self_link, "previous": None}}
    return body | {"truncated": True} if next_link else body


def time(microseconds: int) -> str:
    """A time with its six digits."""
    return (_EPOCH + timedelta(microseconds=microseconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _named(thing: Named) -> dict[str, str]:
    return {"id": thing.id, "name": thing.name}


def _linked(each: Role | Named, url: str) -> dict[str, Any]:
    return {"id": each.id, "name": each.name, "links": {"self": f"{url}/roles/{each.id}"}}


def _role(each: Role) -> dict[str, Any]:
    return {
        "description": None,
        "options": {},
        **each.extra,
        "id": each.id,
        "name": each.name,
        "domain_id": None,
    }


def _rule(each: AccessRule) -> dict[str, str]:
    return {"id": each.id, "service": each.service, "path": each.path, "method": each.method}
