"""Roles that imply others: what follows, what is refused, and that live tokens learn of it, on each database."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calotype.access.errors import Conflict, NotFound, Refused
from calotype.access.implications import following
from calotype.access.model import Implication, Named, Scope


def _implications(*pairs: str) -> list[Implication]:
    return [Implication(Named(pair[0], pair[0].upper()), Named(pair[1], pair[1].upper())) for pair in pairs]


def test_what_follows_comes_nearest_first_with_what_implies_it() -> None:
    known = _implications("ab", "bc", "cd", "ax", "xd")
    found = [(role.id, prior.id) for role, prior in following(["a"], known)]
    assert found == [("b", "a"), ("x", "a"), ("c", "b"), ("d", "x")]
    assert [role.id for role, _ in following(["b", "d"], known)] == ["c"]
    assert following(["d"], known) == []


@given(st.sets(st.text("abcde", min_size=2, max_size=2)), st.sets(st.sampled_from("abcde")))
def test_everything_that_can_be_reached_follows_once(pairs: set[str], held: set[str]) -> None:
    reached = set(held)
    for _ in "abcde":
        reached |= {pair[1] for pair in pairs if pair[0] in reached}
    found = [role.id for role, _ in following(held, _implications(*pairs))]
    assert len(found) == len(set(found))
    assert set(found) == reached - held


async def _roles(world: Any, *names: str) -> list[Any]:
    return [await world.accounts.create_role(name) for name in names]


async def test_a_token_has_all_that_follows_and_learns_of_changes_at_once(world: Any) -> None:
    one, two, three = await _roles(world, "one", "two", "three")
    await world.assignments.grant(world.ids["user demo"], one.id, Scope("project", world.ids["demo"]))
    token = world.issued["demo"]

    async def seen() -> set[str]:
        caller = await world.tokens.caller(token)
        grant = await world.tokens.validate(token)
        assert caller.roles == {role.name for role in grant.roles}
        return set(caller.roles) - {"member", "reader"}

    assert await seen() == {"one"}
    await world.implications.add(two, three)
    await world.implications.add(one, two)
    assert await seen() == {"one", "two", "three"}
    await world.implications.remove(two.id, three.id)
    assert await seen() == {"one", "two"}
    await world.accounts.delete_role(two.id)
    assert await seen() == {"one"}
    assert [each for each in await world.implications.all() if each.prior.id == one.id] == []


async def test_what_is_refused(world: Any) -> None:
    one, two, three = await _roles(world, "one", "two", "three")
    admin = await world.accounts.find_role("admin")
    await world.implications.add(one, two)
    await world.implications.add(two, three)
    with pytest.raises(Conflict, match="Duplicate entry"):
        await world.implications.add(one, two)
    for prior, implied in ((three, one), (two, one), (one, one)):
        with pytest.raises(Conflict, match="circle"):
            await world.implications.add(prior, implied)
    with pytest.raises(Refused, match=f"{admin.id} cannot be an implied roles"):
        await world.implications.add(one, admin)
    with pytest.raises(NotFound, match=f"{three.id} does not imply {one.id}"):
        await world.implications.remove(three.id, one.id)
    await world.accounts.delete_role(three.id)
    with pytest.raises(NotFound, match=f"Could not find role: {three.id}"):
        await world.implications.add(one, three)


async def test_of_those_who_close_a_circle_together_one_is_refused(world: Any) -> None:
    roles = await _roles(world, *"abcd")
    pairs = list(zip(roles, [*roles[1:], roles[0]], strict=True))
    results = await asyncio.gather(
        *(world.implications.add(prior, implied) for prior, implied in pairs), return_exceptions=True
    )
    assert sorted(type(result).__name__ for result in results) == ["Conflict", "NoneType", "NoneType", "NoneType"]


async def test_effective_assignments_name_the_role_that_was_given(world: Any) -> None:
    one, two, three = await _roles(world, "one", "two", "three")
    await world.implications.add(one, two)
    await world.implications.add(two, three)
    user_id, project_id = world.ids["user alt"], world.ids["alt"]
    await world.assignments.grant(user_id, one.id, Scope("project", project_id))
    path = f"/v3/role_assignments?user.id={user_id}&scope.project.id={project_id}&effective"
    listed = (await world.call("GET", path, "admin")).json()["role_assignments"]
    links = {each["role"]["id"]: each["links"] for each in listed}
    given_ = f"http://cloud:5000/v3/projects/{project_id}/users/{user_id}/roles/{one.id}"
    assert {links[role.id]["assignment"] for role in (one, two, three)} == {given_}
    prior = "http://cloud:5000/v3/prior_role"
    assert links[two.id]["prior_role"] == f"{prior}/{one.id}/implies/{two.id}"
    assert links[three.id]["prior_role"] == f"{prior}/{two.id}/implies/{three.id}"
    assert "prior_role" not in links[one.id]


async def test_who_may(world: Any) -> None:
    prior, implied = world.ids["role member"], world.ids["role reader"]
    one = f"/v3/roles/{prior}/implies/{implied}"
    rules = {
        ("GET", "/v3/role_inferences"): "list_role_inference_rules",
        ("GET", f"/v3/roles/{prior}/implies"): "list_implied_roles",
        ("GET", one): "get_implied_role",
        ("PUT", one): "create_implied_role",
        ("DELETE", one): "delete_implied_role",
    }
    for (method, path), rule in rules.items():
        for who in ("demo", "reader", "checker", "unscoped", *(["auditor"] if method != "GET" else [])):
            answer = await world.call(method, path, who)
            expected = f"You are not authorized to perform the requested action: identity:{rule}."
            assert (answer.status_code, answer.json()["error"]["message"]) == (403, expected), (method, path, who)
        assert (await world.call(method, path)).status_code == 401
    for who in ("auditor", "admin", "system"):
        answers = [await world.call("GET", path, who) for method, path in rules if method == "GET"]
        assert [answer.status_code for answer in answers] == [200] * 3
        assert (await world.call("HEAD", one, who)).status_code == 204
