"""The Keystones that tests are given: their tokens end, and who asks for one of its own has it alone."""

from collections.abc import Callable

from tests.support.attacked import eventually
from tests.support.keystone import PASSWORD, RealKeystone


def test_a_token_is_withdrawn(shared_keystone: RealKeystone) -> None:
    token, other = (shared_keystone.log_in("admin", PASSWORD, "admin") for _ in range(2))
    assert shared_keystone.knows(token)
    shared_keystone.revoke(token)
    assert (shared_keystone.knows(token), shared_keystone.knows(other)) == (False, True)


def test_a_keystone_of_the_tests_own_has_its_settings_and_its_accounts(
    shared_keystone: RealKeystone, start_keystone: Callable[..., RealKeystone]
) -> None:
    keystone = start_keystone({"token": {"expiration": 2}})
    assert keystone.url in keystone.admin.sdk.session.get(f"{keystone.url}/auth/catalog").text
    user, made = keystone.admin.user("own", "secret"), keystone.admin.project("own")
    keystone.admin.grant(user, "member", made)
    token = keystone.log_in("own", "secret", "own")
    assert keystone.knows(token)
    assert eventually(lambda: not keystone.knows(token), 10)
    assert "own" not in {each.name for each in shared_keystone.admin.sdk.identity.projects()}
