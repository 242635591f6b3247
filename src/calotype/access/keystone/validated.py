"""A Keystone's answer to the validation of a token, read (spec: identity-and-huawei A.2, B.2)."""

from datetime import datetime
from typing import NamedTuple

import msgspec

from calotype.access.access_rules import AccessRule
from calotype.access.caller import Caller
from calotype.access.keystone.revocations import Attributes, second
from calotype.access.moments import microseconds


class _Thing(msgspec.Struct):
    id: str


class _Home(_Thing):
    domain: _Thing | None = None


class _Role(_Thing):
    name: str


class _Rule(msgspec.Struct):
    service: str
    path: str
    method: str
    id: str = ""


class _Credential(msgspec.Struct):
    id: str
    restricted: bool = True
    access_rules: tuple[_Rule, ...] | None = None

    @property
    def rules(self) -> tuple[AccessRule, ...] | None:
        if self.access_rules is None:
            return None
        return tuple(
            AccessRule(id=rule.id, service=rule.service, path=rule.path, method=rule.method)
            for rule in self.access_rules
        )


class _Trust(_Thing):
    trustor_user: _Thing
    trustee_user: _Thing


class _Consumer(msgspec.Struct):
    access_token_id: str
    consumer_id: str


class _Token(msgspec.Struct):
    user: _Home
    issued_at: str
    expires_at: str
    audit_ids: tuple[str, ...] = ()
    roles: tuple[_Role, ...] = ()
    project: _Home | None = None
    domain: _Thing | None = None
    system: dict[str, bool] | None = None
    application_credential: _Credential | None = None
    trust: _Trust | None = msgspec.field(default=None, name="OS-TRUST:trust")
    consumer: _Consumer | None = msgspec.field(default=None, name="OS-OAUTH1")


class _Answer(msgspec.Struct):
    token: _Token


class Validated(NamedTuple):
    """What a token grants, and by what it may be revoked; `issued_at` is in microseconds since 1970."""

    caller: Caller
    attributes: Attributes
    issued_at: int


_read_answer = msgspec.json.Decoder(_Answer).decode


def validated(body: bytes) -> Validated:
    """What the answer says; raises MsgspecError, ValueError."""
    token = _read_answer(body).token
    credential = token.application_credential
    caller = Caller(
        user_id=token.user.id,
        user_domain_id=_id(token.user.domain),
        project_id=_id(token.project),
        project_domain_id=_id(token.project.domain) if token.project else None,
        domain_id=_id(token.domain),
        system=bool(token.system and token.system.get("all")),
        roles=frozenset(role.name.lower() for role in token.roles),
        expires_at=microseconds(token.expires_at),
        credential_id=credential.id if credential else None,
        unrestricted=credential is not None and not credential.restricted,
        access_rules=credential.rules if credential else None,
    )
    return Validated(caller, _attributes(token, caller), microseconds(token.issued_at))


def _id(thing: _Thing | None) -> str | None:
    return thing.id if thing else None


def _attributes(token: _Token, caller: Caller) -> Attributes:
    found: dict[str, tuple[str | None, ...]] = {
        "audit_id": token.audit_ids[:1],
        "audit_chain_id": token.audit_ids[-1:],
        "user_id": (caller.user_id,),
        "project_id": (caller.project_id,),
        "domain_id": (caller.user_domain_id, caller.project_domain_id, caller.domain_id),
        "domain_scope_id": (caller.domain_id,),
        "role_id": tuple(role.id for role in token.roles),
        "expires_at": (second(datetime.fromisoformat(token.expires_at)),),
    }
    if token.trust:
        found["OS-TRUST:trust_id"] = (token.trust.id,)
        found["user_id"] = (caller.user_id, token.trust.trustor_user.id, token.trust.trustee_user.id)
    if token.consumer:
        found["OS-OAUTH1:consumer_id"] = (token.consumer.consumer_id,)
        found["OS-OAUTH1:access_token_id"] = (token.consumer.access_token_id,)
    known = {name: tuple(dict.fromkeys(value for value in values if value)) for name, values in found.items()}
    return {name: values for name, values in known.items() if values}
