"""Limits of a real Keystone: what is read of it, what is refused, and uploads that they hold (image-v2 5)."""

import time
from collections.abc import Callable

import httpx
import msgspec
import pytest

from calotype.access.keystone.kept_limits import RETRY_SECONDS
from calotype.access.keystone.limits import Source
from calotype.settings import SettingsError
from tests.support.attacked import OCTETS, eventually
from tests.support.keystone import RealKeystone
from tests.support.keystone_limits import OF_DEMO, OWN, PASSWORD, REGISTERED, asking, make, project, user
from tests.support.server import Server

MIB = 2**20
SLACK = 5.0
"""Seconds that a slow machine may take for what is due."""

# What is wrong with the settings, and the words for it.
WRONG = {
    "password": ({"password": "not it"}, "are name, password and domain right?"),
    "endpoint": ({"endpoint_id": "unknown"}, "Could not find endpoint: unknown"),
    "service": ({"service_name": "none"}, "Keystone has 0 services"),
    "region": ({"region": "Nowhere"}, "of that service in Nowhere"),
    "scope": ({"username": "narrow", "project": "narrow"}, "the role reader for the system"),
    "role": ({"username": "blind", "project": "narrow"}, "the role reader for the system"),
}


@pytest.fixture(scope="module")
def narrow(keystone: RealKeystone) -> RealKeystone:
    """Keystone with two users that do not do: of a project `narrow`, a member and one with the role `service`."""
    made = keystone.admin.project("narrow")
    for name, role in (("narrow", "member"), ("blind", "service")):
        keystone.admin.grant(keystone.admin.user(name, PASSWORD), role, made)
    return keystone


def upload(server: Server, owner: str, mib: int) -> httpx.Response:
    """What is answered to the creation of an image for a project of Keystone, or else to its data."""
    with server.client("admin") as admin:
        image = {"disk_format": "raw", "container_format": "bare", "owner": owner}
        made = admin.post("/v2/images", json=image)
        if made.status_code != 201:
            return made
        return admin.put(f"/v2/images/{made.json()['id']}/file", content=bytes(mib * MIB), headers=OCTETS)


def test_a_project_has_its_own_limits_and_the_registered_ones(keystone: RealKeystone) -> None:
    source = Source(user(keystone.url))
    assert source.limits(project(keystone.admin, "demo", OWN)) == OF_DEMO
    assert source.limits("another") == REGISTERED


@pytest.mark.parametrize("what", WRONG)
def test_what_the_operator_has_to_mend_is_said(narrow: RealKeystone, what: str) -> None:
    change, words = WRONG[what]
    with pytest.raises(SettingsError, match=words) as refused:
        Source(msgspec.structs.replace(user(narrow.url), **change)).check()
    assert PASSWORD not in str(refused.value)


def test_a_token_that_was_withdrawn_is_replaced(keystone: RealKeystone) -> None:
    locked = keystone.admin.user("locked", PASSWORD)
    keystone.admin.grant(locked, "reader")
    settings = msgspec.structs.replace(user(keystone.url), username="locked")
    token, source = keystone.log_in("locked", PASSWORD, None), Source(settings)
    assert source.limits("another") == REGISTERED
    keystone.admin.enable(locked, False)
    with pytest.raises(SettingsError, match="are name, password and domain right"):
        Source(settings).check()
    time.sleep(1.1)  # Keystone takes tokens of the same second for withdrawn, too.
    keystone.admin.enable(locked, True)
    assert not keystone.knows(token)
    assert source.limits("another") == REGISTERED


def test_limits_hold_and_a_raised_one_counts_in_time(
    keystone: RealKeystone, start_server: Callable[..., Server]
) -> None:
    owner = project(keystone.admin, "raised", {"image_size_total": 2})
    server = start_server(environment=asking(user(keystone.url), CALOTYPE_QUOTA_CACHE_SECONDS="1"))
    assert upload(server, owner, 2).status_code == 204
    refused = upload(server, owner, 1)
    text = "Resource image_size_total is over limit of 2 due to current usage 2 and delta 1"
    assert (refused.status_code, text in refused.json()["message"]) == (413, True)
    keystone.admin.limit("image", owner, {"image_size_total": 3})
    assert eventually(lambda: upload(server, owner, 1).status_code == 204, 1 + SLACK)
    assert upload(server, owner, 1).status_code == 413


def test_old_limits_count_for_a_while_without_keystone_and_fresh_ones_when_it_is_back(
    start_keystone: Callable[..., RealKeystone], start_server: Callable[..., Server]
) -> None:
    keystone = start_keystone()
    make(keystone.admin)
    owner = project(keystone.admin, "left", {"image_size_total": 2})
    server = start_server(environment=asking(user(keystone.url), CALOTYPE_QUOTA_STALE_SECONDS="4"))
    assert upload(server, owner, 1).status_code == 204
    keystone.kill()
    assert [upload(server, owner, 1).status_code for _ in range(2)] == [204, 413]
    assert eventually(lambda: upload(server, owner, 1).status_code == 503, 4 + SLACK)
    keystone.start()
    keystone.admin.limit("image", owner, {"image_size_total": 3})
    assert eventually(lambda: upload(server, owner, 1).status_code == 204, RETRY_SECONDS + SLACK)
    assert upload(server, owner, 1).status_code == 413
