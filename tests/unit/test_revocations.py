"""Which tokens a revocation event hits: what B.2 says, and what Keystone does (spec: identity-and-huawei B.2)."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calotype.access.keystone.revocations import Revocations, event
from calotype.access.keystone.validated import validated
from calotype.access.moments import microseconds
from tests.support.played_keystone import moment, token

NAMES = ("audit_id", "audit_chain_id", "user_id", "project_id", "domain_id", "domain_scope_id", "role_id",
         "OS-TRUST:trust_id", "OS-OAUTH1:consumer_id", "OS-OAUTH1:access_token_id", "expires_at")  # fmt: skip
VALUES = st.sampled_from("abc")
ISSUED = microseconds(moment(0))


@st.composite
def tokens(draw: st.DrawFn) -> dict[str, tuple[str, ...]]:
    """What a token has under each name; some names have none, some have several."""
    return {name: values for name in NAMES if (values := tuple(draw(st.lists(VALUES, max_size=3))))}


@st.composite
def events(draw: st.DrawFn) -> dict[str, str]:
    """An event as Keystone lists it, with a time near that at which the token was issued."""
    names = draw(st.sets(st.sampled_from([name for name in NAMES if name != "expires_at"]), max_size=3))
    before = draw(st.integers(-2, 2))
    return {name: draw(VALUES) for name in names} | {"issued_before": moment(before), "revoked_at": moment(9)}


def by_the_book(listed: dict[str, str], has: dict[str, tuple[str, ...]]) -> bool:
    """All fields present in the event equal the token's, and it was issued before."""
    fields = {name: value for name, value in listed.items() if name not in ("issued_before", "revoked_at")}
    equal = all(value in has.get(name, ()) for name, value in fields.items())
    return equal and microseconds(listed["issued_before"]) >= ISSUED


@given(listed=st.lists(events(), max_size=6), has=tokens())
def test_exactly_the_tokens_that_the_book_says_are_hit(
    listed: list[dict[str, str]], has: dict[str, tuple[str, ...]]
) -> None:
    wanted = any(by_the_book(each, has) for each in listed)
    assert Revocations(map(event, listed)).hit(has, ISSUED) is wanted


TRUST = {"OS-TRUST:trust": {"id": "t1", "trustor_user": {"id": "lender"}, "trustee_user": {"id": "borrower"}}}
OAUTH = {"OS-OAUTH1": {"access_token_id": "a1", "consumer_id": "c1"}}
RESCOPED = {"audit_ids": ["second", "first"]}
IN_DOMAIN = {"project": None, "domain": {"id": "acme", "name": "Acme"}}


@pytest.mark.parametrize(
    ("fields", "more", "hit"),
    [
        ({"audit_id": "audit-demo"}, {}, True),
        ({"audit_id": "another"}, {}, False),
        ({"audit_chain_id": "first"}, RESCOPED, True),
        ({"audit_id": "first"}, RESCOPED, False),
        ({"audit_chain_id": "audit-demo"}, {}, True),
        ({"user_id": "user-demo"}, {}, True),
        ({"user_id": "lender"}, TRUST, True),
        ({"user_id": "borrower"}, TRUST, True),
        ({"OS-TRUST:trust_id": "t1"}, TRUST, True),
        ({"OS-TRUST:trust_id": "t1"}, {}, False),
        ({"OS-OAUTH1:consumer_id": "c1"}, OAUTH, True),
        ({"OS-OAUTH1:access_token_id": "a1"}, OAUTH, True),
        ({"project_id": "project-demo"}, {}, True),
        ({"project_id": "project-demo"}, {"project": None}, False),
        ({"domain_id": "default"}, {}, True),
        ({"domain_id": "acme"}, {}, True),
        ({"domain_id": "acme"}, IN_DOMAIN, True),
        ({"domain_scope_id": "acme"}, IN_DOMAIN, True),
        ({"domain_scope_id": "acme"}, {}, False),
        ({"role_id": "r2"}, {}, True),
        ({"role_id": "r3"}, {}, False),
        ({"role_id": "r2", "user_id": "user-demo", "project_id": "project-demo"}, {}, True),
        ({"role_id": "r2", "user_id": "user-demo", "project_id": "another"}, {}, False),
        ({"expires_at": moment(86_400)}, {}, True),
        ({"expires_at": moment(86_400.0)[:-8] + "Z"}, {"expires_at": moment(86_400.75)}, True),
        ({"expires_at": moment(86_401)}, {}, False),
        ({"something_new": "x", "user_id": "user-demo"}, {}, True),
        ({}, {}, True),
    ],
)
def test_events_on_the_tokens_of_keystone(fields: dict[str, str], more: dict[str, Any], hit: bool) -> None:
    found = validated(_body(token(**more)))
    listed = fields | {"issued_before": moment(5), "revoked_at": moment(5)}
    assert Revocations([event(listed)]).hit(found.attributes, found.issued_at) is hit


@pytest.mark.parametrize(("seconds", "hit"), [(-0.000001, False), (0, True), (1, True)])
def test_only_what_was_issued_by_then_is_hit(seconds: float, hit: bool) -> None:
    found = validated(_body(token()))
    listed = {"user_id": "user-demo", "issued_before": moment(seconds), "revoked_at": moment(5)}
    assert Revocations([event(listed)]).hit(found.attributes, found.issued_at) is hit


def _body(document: dict[str, Any]) -> bytes:
    return json.dumps({"token": document}).encode()
