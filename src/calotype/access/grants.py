"""From rows to what a token grants: every condition under which it grants nothing is here."""

from collections.abc import Sequence
from typing import Any

import msgspec

from calotype.access.caller import Caller
from calotype.access.model import AccessRule, Grant, GrantedBy, Named, Scope


def grant_of(whole: Sequence[Any], held: Sequence[Sequence[Any]], moment: int) -> Grant | None:
    """The grant in a row of `database.tokens.GET` and rows of `database.roles.HELD`; None when it is void.

    Void is a token that expired before `moment` or is older than its user's password, whose user, project or domain
    is disabled or gone, whose application credential is gone, or that is scoped to where its user has no role, or none
    that the credential has.
    """
    (user_id, kind, scope_id, methods, audit_id, chain_id, issued_at, expires_at, credential_id, *rest) = whole
    (user_name, user_enabled, valid_from, domain_id, domain_name, domain_enabled, *places) = rest
    if expires_at <= moment or issued_at < valid_from or not user_enabled or not domain_enabled:
        return None
    project, project_domain, domain = (_named(*places[start : start + 3]) for start in (0, 3, 6))
    roles = tuple(Named(*row) for row in held)
    credential = None
    if credential_id is not None:
        name, unrestricted, granted, rules = places[9:]
        if name is None:
            return None
        credential = GrantedBy(credential_id, name, bool(unrestricted), rules_of(rules))
        roles = tuple(role for role in roles if role.id in role_ids(granted))
    missing = {
        "project": project is None or project_domain is None,
        "domain": domain is None,
        "system": False,
        "": False,
    }[kind]
    if missing or (kind and not roles):
        return None
    return Grant(
        user=Named(user_id, user_name),
        user_domain=Named(domain_id, domain_name),
        methods=tuple(methods.split(",")),
        audit_ids=(audit_id,) if audit_id == chain_id else (audit_id, chain_id),
        issued_at=issued_at,
        expires_at=expires_at,
        scope=Scope(kind, scope_id),
        roles=roles,
        project=project,
        project_domain=project_domain,
        domain=domain,
        credential=credential,
    )


def as_caller(grant: Grant) -> Caller:
    """What the other APIs need to know of a grant."""
    return Caller(
        user_id=grant.user.id,
        user_domain_id=grant.user_domain.id,
        project_id=grant.project and grant.project.id,
        project_domain_id=grant.project_domain.id if grant.project and grant.project_domain else None,
        domain_id=grant.domain and grant.domain.id,
        system=grant.scope.kind == "system",
        roles=frozenset(role.name.lower() for role in grant.roles),
        expires_at=grant.expires_at,
        credential_id=grant.credential and grant.credential.id,
        unrestricted=grant.credential is not None and grant.credential.unrestricted,
        access_rules=grant.credential and grant.credential.access_rules,
    )


def rules_of(text: str | None) -> tuple[AccessRule, ...] | None:
    """The access rules in a row."""
    return None if text is None else msgspec.json.decode(text, type=tuple[AccessRule, ...])


def role_ids(text: str) -> frozenset[str]:
    """The ids of roles in a row."""
    return frozenset(msgspec.json.decode(text))


def _named(id_: str | None, name: str | None, enabled: bool | None) -> Named | None:
    return Named(id_, name) if id_ is not None and name is not None and enabled else None
