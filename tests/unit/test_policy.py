"""Policy rules: the decisions that are kept are oslo.policy's own, and what cannot be decided is refused at once."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oslo_config.cfg import ConfigOpts
from oslo_policy.policy import Enforcer, Rules

from calotype.access.caller import Caller
from calotype.access.policy.facts import OWN, Described, Proposal, Target
from calotype.access.policy.policy import Policy
from calotype.access.policy.rulebook import BadRules, Rulebook
from calotype.access.policy.rules import DEFAULTS
from calotype.images.model import Image
from calotype.metadefs.model import Namespace
from tests.support.catalogue import an_image

PROJECTS = st.sampled_from(["mine", "yours", "None"])
ROLES = st.frozensets(st.sampled_from(["admin", "member", "reader", "service", "auditor"]))
CALLERS = st.builds(
    Caller,
    user_id=st.sampled_from(["me", "you"]),
    user_domain_id=st.sampled_from([None, "default", "other"]),
    domain_id=st.sampled_from([None, "default"]),
    system=st.booleans(),
    project_id=PROJECTS,
    project_domain_id=st.sampled_from([None, "default"]),
    roles=ROLES,
    service_roles=ROLES,
)
IMAGES = st.builds(
    an_image,
    owner=st.one_of(st.none(), PROJECTS),
    visibility=st.sampled_from(["private", "shared", "community", "public"]),
    status=st.sampled_from(["queued", "active"]),
    protected=st.booleans(),
    os_hidden=st.booleans(),
    share=st.sampled_from([None, "accepted", "pending"]),
    tags=st.lists(st.sampled_from(["a", "b"]), unique=True),
    properties=st.dictionaries(st.sampled_from(["team", "reader"]), st.sampled_from(["red", "me", None])),
)
NAMESPACES = st.builds(
    Namespace,
    id=st.just("1"), name=st.just("n"), display_name=st.none(), description=st.none(), protected=st.booleans(),
    visibility=st.sampled_from(["private", "public"]), owner=PROJECTS, created_at=st.just(0), updated_at=st.just(0),
)  # fmt: skip
PROPOSALS = st.builds(Proposal, owner=st.one_of(st.none(), PROJECTS), visibility=st.sampled_from(["private", "public"]))
TARGETS = st.one_of(IMAGES, NAMESPACES, PROPOSALS, st.just(OWN), st.none())

_LEFT = [
    "role",
    "user_id",
    "project_id",
    "user_domain_id",
    "service_roles",
    "roles",
    "domain_id",
    "system_scope",
    "is_admin_project",
    "nonsense",
    "'red'",
    "True",
    "None",
]
_RIGHT = [
    "%(project_id)s", "%(owner)s", "%(member_id)s", "%(visibility)s", "%(team)s", "%(protected)s", "%(status)s",
    "%(reader)s", "%(tags)s", "%(absent)s", "member", "admin", "me", "mine", "%(team)s-%(owner)s", "%(member)s",
    "%(os_hidden)s", "all", "True", "default",
]  # fmt: skip
NAMES = ["one", "two", "three", "context_is_admin", "get_image"]
LEAVES = st.one_of(
    st.builds("{}:{}".format, st.sampled_from(_LEFT), st.sampled_from(_RIGHT)),
    st.sampled_from(["@", "!", "rule:context_is_admin", "rule:get_image", "rule:nowhere"]),
)
TEXTS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds("not ({})".format, inner),
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
    ),
    max_leaves=6,
)


class Original:
    """oslo.policy alone, told everything that is known of a caller and a target."""

    def __init__(self, texts: dict[str, str]) -> None:
        conf = ConfigOpts()
        conf([], default_config_files=[], default_config_dirs=[])
        rules = Rules.from_dict(texts, "default")
        self._enforcer = Enforcer(conf, rules=rules, default_rule="default", use_conf=False)

    def allows(self, rule: str, caller: Caller, target: Target) -> bool:
        """Its decision."""
        return bool(self._enforcer.enforce(rule, _target(caller, target), _credentials(caller)))


def _credentials(caller: Caller) -> dict[str, Any]:
    found = msgspec.structs.asdict(caller)
    found |= {"roles": sorted(caller.roles), "service_roles": sorted(caller.service_roles)}
    return {**found, "system_scope": "all" if caller.system else None, "is_admin_project": True}


def _target(caller: Caller, target: Target) -> dict[str, Any]:
    match target:
        case Image():
            found = {**target.properties, **msgspec.structs.asdict(target)}
            if target.visibility == "shared" and target.share and target.owner != caller.project_id:
                found["member_id"] = found["member"] = caller.project_id
            if target.owner is None:
                del found["owner"]
            return {**found, **({"project_id": target.owner} if target.owner is not None else {})}
        case Namespace():
            return {"project_id": target.owner, "visibility": target.visibility}
        case Proposal():
            owner = {} if target.owner is None else {"project_id": target.owner, "owner": target.owner}
            return {**owner, "visibility": target.visibility}
        case None:
            return {}
        case _:
            return {"project_id": caller.project_id}


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(["one", "two", "three"]), TEXTS, min_size=1),
    st.lists(st.tuples(CALLERS, TARGETS), min_size=1, max_size=12),
)
def test_kept_decisions_are_those_of_oslo_policy(texts: dict[str, str], calls: list[tuple[Caller, Target]]) -> None:
    policy, original = Policy(Rulebook(texts)), Original({**DEFAULTS, **texts})
    for rule in (*texts, "get_image", "add_image", "modify_member"):
        for caller, target in (*calls, *calls):
            assert policy.allows(rule, caller, target) is original.allows(rule, caller, target), (rule, caller, target)


@settings(deadline=None)
@given(TEXTS, CALLERS, TARGETS)
def test_a_target_that_is_described_is_as_good(text: str, caller: Caller, target: Target) -> None:
    policy = Policy(Rulebook({"x": text}))
    described = Described({name: str(value) for name, value in _target(caller, target).items()})
    assert policy.allows("x", caller, described) is policy.allows("x", caller, target)


@settings(deadline=None)
@given(st.sampled_from(sorted(DEFAULTS)), CALLERS, TARGETS)
def test_so_are_those_by_default(rule: str, caller: Caller, target: Target) -> None:
    assert _BY_DEFAULT.allows(rule, caller, target) is _ORIGINAL.allows(rule, caller, target)


_BY_DEFAULT, _ORIGINAL = Policy(), Original(DEFAULTS)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("rule:x", "x: it names itself: x -> x"),
        ("rule:y", "x: it names itself: x -> y -> x"),
        ("http://decider/%(name)s", "x: `http://decider/%(name)s` cannot be decided here: it asks another service"),
        ("role:a or", "x: not understood: 'role:a or'"),
        ("admin", "x: not understood: 'admin'"),
        ("(role:a", "x: not understood: '(role:a'"),
        ("1st:%(x)s", "x: `1st:%(x)s`: '1st' is neither a name nor a literal"),
        ("user_id:%s", "x: `user_id:%s`: only %(NAME)s can stand for a value"),
        ("user_id:%(x)d", "x: `user_id:%(x)d`: only %(NAME)s can stand for a value"),
        ("user_id:100%", "x: `user_id:100%`: only %(NAME)s can stand for a value"),
    ],
)
def test_what_cannot_be_decided_is_refused_at_once(text: str, told: str) -> None:
    with pytest.raises(BadRules) as refused:
        Rulebook({"x": text, "y": "rule:x"})
    assert str(refused.value) == told


@pytest.mark.parametrize(
    "text",
    ["! and", "! or nonsense", "nonsense and not !", "not !! or !", "(!", "!) or (!", "! !", ")!(", "!:x!", " ", "'!'"],
)
def test_a_rule_with_nobody_in_it_is_looked_at_as_well(text: str) -> None:
    with pytest.raises(BadRules) as refused:
        Rulebook({"x": text})
    assert str(refused.value).startswith("x: ")


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("!", False),
        ("not !", True),
        ("(!)", False),
        ("not (! or role:a!)", True),
        ("( ! ) or @", True),
        ("user_id:m!", False),
    ],
)
def test_nobody_is_nobody(text: str, allowed: bool) -> None:
    assert Policy(Rulebook({"x": text})).allows("x", Caller(user_id="me", project_id="mine")) is allowed


@pytest.mark.parametrize(
    ("rule", "caller", "image"),
    [
        ("system_scope:all", {"system": True}, {}),
        ("domain_id:mine", {"domain_id": "mine"}, {}),
        ("user_domain_id:mine", {"user_domain_id": "mine"}, {}),
        ("project_domain_id:mine", {"project_domain_id": "mine"}, {}),
        ("service_roles:service", {"service_roles": frozenset(("service",))}, {}),
        ("project_id:%(member)s", {}, {"visibility": "shared", "share": "pending"}),
        ("'True':%(os_hidden)s", {}, {"os_hidden": True}),
    ],
)
def test_a_fact(rule: str, caller: dict[str, Any], image: dict[str, Any]) -> None:
    policy = Policy(Rulebook({"x": rule}))
    who = Caller(user_id="me", project_id="mine")
    assert policy.allows("x", msgspec.structs.replace(who, **caller), an_image(**image))
    assert not policy.allows("x", who, an_image())


def test_every_project_is_an_administrators_as_in_oslo_context() -> None:
    """Without `admin_project_name` in Keystone, tokens say so."""
    assert Policy(Rulebook({"x": "is_admin_project:True"})).allows("x", Caller(user_id="me", project_id="mine"))


def test_without_a_project_everything_is_refused_unless_a_service_asks() -> None:
    policy = Policy(Rulebook({"x": "@"}))
    assert [policy.allows("x", Caller(user_id="me", service=service), OWN) for service in (False, True)] == [
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("changed", "sentences"),
    [
        ({}, []),
        ({"get_image": "rule:nowhere"}, ["get_image names nowhere, which is no rule: `default` stands in"]),
        ({"get_imag": "!"}, ["get_imag is no rule of Glance's, and nothing names it: it has no effect"]),
        ({"team": "role:a", "get_image": "not (rule:team)"}, []),
        ({"kept": "role:a"}, []),
        (
            {"get_image": "proejct_id:%(owner)s and user_id:%(x)s"},
            ["get_image reads proejct_id, which no caller has: it fits nothing"],
        ),
        (
            {"team": "proejct_id:x or proejct_id:y", "get_image": "rule:team", "delete_image": "proejct_id:x"},
            [
                "delete_image reads proejct_id, which no caller has: it fits nothing",
                "team reads proejct_id, which no caller has: it fits nothing",
            ],
        ),
    ],
)
def test_what_the_writer_of_rules_hardly_meant_is_told(changed: dict[str, str], sentences: list[str]) -> None:
    policy = Policy(Rulebook(changed))
    policy.keeps("kept")
    assert policy.warnings() == sentences


def test_a_rule_that_others_count_on_stays() -> None:
    policy = Policy(Rulebook({"team": "role:a"}))
    assert [policy.keeps(rule) for rule in ("team", "get_image", "nowhere")] == [True, True, False]
    policy.adopt(Rulebook({"team": "role:b"}))
    with pytest.raises(BadRules, match="team: a property protection names it, and it is no rule any more"):
        policy.adopt(Rulebook())
    allowed = [policy.allows("team", Caller(user_id="me", project_id="p", roles=frozenset((role,)))) for role in "ab"]
    assert allowed == [False, True]


def test_who_is_an_administrator_can_be_said() -> None:
    owner = Caller(user_id="me", project_id="mine", roles=frozenset(("owner",)))
    admin = Caller(user_id="you", project_id="mine", roles=frozenset(("admin",)))
    assert [Policy().judged(each).is_admin for each in (owner, admin)] == [False, True]
    changed = Policy(Rulebook({"context_is_admin": "role:owner"}))
    assert [changed.judged(each).is_admin for each in (owner, admin)] == [True, False]
    assert [changed.allows("publicize_image", each, an_image()) for each in (owner, admin)] == [True, False]


@pytest.mark.parametrize(
    ("changed", "narrows"),
    [
        ({}, False),
        ({"delete_image": "!"}, False),
        ({"get_image": "role:reader"}, True),
        ({"get_images": ""}, True),
        ({"context_is_admin": "role:owner"}, True),
        ({"get_image": DEFAULTS["get_image"]}, False),
        ({"get_image": f"( {DEFAULTS['get_image']} )"}, False),
    ],
)
def test_lists_are_looked_through_when_their_rules_differ(changed: dict[str, str], narrows: bool) -> None:
    assert Policy(Rulebook(changed)).narrows_lists is narrows


def test_what_is_kept_is_bounded() -> None:
    policy = Policy(Rulebook({"get_image": "user_id:%(name)s"}))
    for number in range(10_000):
        caller = Caller(user_id=str(number), project_id="mine")
        assert policy.allows("get_image", caller, an_image(name=str(number)))
        assert not policy.allows("get_image", caller, an_image(name="other"))
    assert max(len(each._kept) for each in policy._decisions.values()) <= 4096
