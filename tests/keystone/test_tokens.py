"""Tokens of a real Keystone: used, withdrawn, expired, and what becomes of them while Keystone is away (B)."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import httpx
import msgspec
import pytest

from calotype.access.keystone.account import REFUSED_SECONDS
from calotype.access.keystone.client import KeystoneClient
from calotype.access.keystone.errors import Unreachable
from calotype.settings import SettingsError
from tests.support.attacked import eventually
from tests.support.keystone import RealKeystone
from tests.support.keystone_tokens import PASSWORD, believing, by_password, connect, make, member, settings
from tests.support.server import Server
from tests.support.servers import Servers

DATA = b"not a known disk format\n" * 1000
SLACK = 4.0
"""Seconds that a slow machine may take for what is due."""


class Cloud(NamedTuple):
    """A Keystone, and a server whose tokens are that one's."""

    keystone: RealKeystone
    server: Server


@pytest.fixture(scope="module")
def cloud(
    prepared_keystone: RealKeystone, tmp_path_factory: pytest.TempPathFactory, servers: Servers
) -> Iterator[Cloud]:
    """Both, with the server in Keystone's catalogue."""
    keystone = prepared_keystone.copy(tmp_path_factory.mktemp("keystone")).start()
    try:
        make(keystone)
        member(keystone, "bystander")
        server = servers.unstarted("sqlite", accounts=False, environment=believing(keystone))
        keystone.admin.service("image", server.base)
        keystone.admin.service("compute", f"{server.base}/v2.1")
        server.start()
        yield Cloud(keystone, server)
        server.kill()
    finally:
        keystone.kill()


def status(server: Server, token: str, path: str = "/v2/images", **headers: str) -> int:
    """What a call with a token is answered."""
    return httpx.get(server.base + path, headers={"X-Auth-Token": token, **headers}, timeout=30).status_code


def both(server: Server, token: str) -> tuple[int, int]:
    """What a call to each API with a token is answered."""
    return status(server, token), status(server, token, "/v2.1/images")


def test_openstacksdk_logs_in_there_and_works_here(cloud: Cloud) -> None:
    _, project = member(cloud.keystone, "sdk")
    sdk = connect(cloud.keystone, **by_password("sdk"))
    made = sdk.image.create_image("disk", data=DATA, disk_format="raw", container_format="bare")
    assert sdk.image.download_image(made).content == DATA
    assert (made.owner_id, [each.id for each in sdk.image.images()]) == (project, [made.id])
    shown = sdk.compute.get(f"/images/{made.id}").json()["image"]
    assert (shown["name"], shown["status"]) == ("disk", "ACTIVE")
    assert shown["links"][2]["href"] == f"{cloud.server.base}//images/{made.id}"
    sdk.image.delete_image(made)
    assert list(sdk.image.images()) == []


def test_roles_are_keystones(cloud: Cloud) -> None:
    member(cloud.keystone, "looker", "reader")
    token = cloud.keystone.log_in("looker", "looker", "looker")
    assert both(cloud.server, token) == (200, 200)
    answer = httpx.post(f"{cloud.server.base}/v2/images", json={}, headers={"X-Auth-Token": token}, timeout=30)
    assert answer.status_code == 403
    unscoped = cloud.keystone.log_in("looker", "looker", None)
    assert both(cloud.server, unscoped) == (403, 403)


WAYS: dict[str, Callable[[RealKeystone, str, str, str], object]] = {
    "token withdrawn": lambda keystone, token, user, project: keystone.revoke(token),
    "user disabled": lambda keystone, token, user, project: keystone.admin.enable(user, False),
    "password changed": lambda keystone, token, user, project: keystone.admin.sdk.identity.update_user(
        user, password="another"
    ),
    "user deleted": lambda keystone, token, user, project: keystone.admin.sdk.identity.delete_user(user),
    "project deleted": lambda keystone, token, user, project: keystone.admin.sdk.identity.delete_project(project),
}


@pytest.mark.parametrize("way", WAYS)
def test_what_ends_a_token_ends_it_here_within_seconds(cloud: Cloud, way: str) -> None:
    name = way.replace(" ", "-")
    user, project = member(cloud.keystone, name)
    token, other = (cloud.keystone.log_in(each, each, each) for each in (name, "bystander"))
    assert both(cloud.server, token) == (200, 200)
    assert status(cloud.server, other) == 200
    WAYS[way](cloud.keystone, token, user, project)
    assert eventually(lambda: both(cloud.server, token) == (401, 401), 0.5 + SLACK)
    assert status(cloud.server, other) == 200


def test_an_application_credential_is_for_what_its_rules_say(cloud: Cloud) -> None:
    user, _ = member(cloud.keystone, "robot")
    person = connect(cloud.keystone, **by_password("robot"))
    rules = [{"service": "image", "method": "GET", "path": "/v2/images/**"},
             {"service": "image", "method": "GET", "path": "/v2/images"}]  # fmt: skip
    made = person.identity.create_application_credential(user, "ruled", access_rules=rules)
    robot = connect(cloud.keystone, application_credential_id=made.id, application_credential_secret=made.secret)
    assert list(robot.image.images()) == []
    token = robot.session.get_token()
    assert both(cloud.server, token) == (200, 401)
    answer = httpx.post(f"{cloud.server.base}/v2/images", json={}, headers={"X-Auth-Token": token}, timeout=30)
    assert answer.status_code == 401


def test_the_service_itself_may_use_an_application_credential(cloud: Cloud) -> None:
    service = connect(cloud.keystone, **by_password("calotype") | {"password": PASSWORD, "project_name": "service"})
    user = service.current_user_id
    made = service.identity.create_application_credential(user, "own")
    auth = {"application_credential_id": made.id, "application_credential_secret": made.secret}
    wanted = msgspec.structs.replace(
        settings(cloud.keystone), username="", password="", auth_type="v3applicationcredential", auth=auth
    )
    client = KeystoneClient(wanted)
    member(cloud.keystone, "seen")
    found = client.validate(cloud.keystone.log_in("seen", "seen", "seen"))
    assert found is not None
    assert found.caller.roles == {"member", "reader"}
    assert client.check() == []
    service.identity.delete_application_credential(user, made.id)
    with pytest.raises(SettingsError, match="Keystone refuses the account v3applicationcredential"):
        KeystoneClient(wanted).check()
    with pytest.raises(Unreachable, match="Keystone refuses the account v3applicationcredential"):
        client.validate(cloud.keystone.log_in("seen", "seen", "seen"))


@pytest.mark.parametrize("what", ["user", "project"])
def test_an_account_that_is_deleted_and_made_anew_goes_on(cloud: Cloud, what: str) -> None:
    name = f"remade-{what}"
    user, project = member(cloud.keystone, name, "service")
    client = KeystoneClient(
        msgspec.structs.replace(settings(cloud.keystone), username=name, password=name, project=name)
    )
    token = cloud.keystone.log_in("bystander", "bystander", "bystander")
    assert client.validate(token)
    identity, admin = cloud.keystone.admin.sdk.identity, cloud.keystone.admin
    if what == "user":
        identity.delete_user(user)
    else:
        identity.delete_project(project)
    with pytest.raises(Unreachable, match="Keystone refuses the user"):
        client.validate(token)
    if what == "user":
        admin.grant(admin.user(name, name), "service", project)
    else:
        admin.grant(user, "service", admin.project(name))
    assert eventually(lambda: validates(client, token), REFUSED_SECONDS + SLACK)
    assert client.validate("unknown") is None
    assert client.revocations(time.time()) is not None


def validates(client: KeystoneClient, token: str) -> bool:
    """Whether the client is let in, and finds the token good."""
    try:
        return client.validate(token) is not None
    except Unreachable:
        return False


def test_what_the_account_lacks_is_said(cloud: Cloud) -> None:
    assert KeystoneClient(settings(cloud.keystone)).check() == []
    member(cloud.keystone, "weak")
    weak = msgspec.structs.replace(settings(cloud.keystone), username="weak", password="weak", project="weak")
    rights, revocations = KeystoneClient(weak).check()
    assert "the user 'weak' validates no tokens of others" in rights
    assert "revocations are noticed late" in revocations
    with pytest.raises(SettingsError, match="are name, password and domain right"):
        KeystoneClient(msgspec.structs.replace(weak, password="not it")).check()
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1"):
        KeystoneClient(msgspec.structs.replace(weak, url="http://127.0.0.1:1/v3")).check()


def test_a_token_that_is_over_is_refused_and_goes_on_in_a_services_hands(cloud: Cloud) -> None:
    user, _ = member(cloud.keystone, "short")
    end = datetime.now(UTC) + timedelta(seconds=3)
    short = connect(cloud.keystone, **by_password("short")).identity.create_application_credential(
        user, "short", expires_at=end.strftime("%Y-%m-%dT%H:%M:%S.000000Z")
    )  # which its tokens do not outlive
    sdk = connect(cloud.keystone, application_credential_id=short.id, application_credential_secret=short.secret)
    token = sdk.session.get_token()
    assert both(cloud.server, token) == (200, 200)
    assert eventually(lambda: both(cloud.server, token) == (401, 401), 3 + SLACK)
    assert datetime.now(UTC) > end.replace(microsecond=0)
    helper = cloud.keystone.log_in("calotype", PASSWORD, "service")
    assert status(cloud.server, token, **{"X-Service-Token": helper}) == 200
    other = cloud.keystone.log_in("bystander", "bystander", "bystander")
    assert status(cloud.server, token, **{"X-Service-Token": other}) == 401


@pytest.fixture(scope="module")
def brief(cloud: Cloud, servers: Servers) -> Iterator[Server]:
    """A server of the same Keystone that believes tokens for a few seconds."""
    environment = believing(cloud.keystone, CALOTYPE_KEYSTONE_TOKEN_SECONDS="4")
    server = servers.unstarted("sqlite", accounts=False, environment=environment).start()
    yield server
    server.kill()


def test_a_lost_role_is_noticed_in_the_time_of_a_token(cloud: Cloud, brief: Server) -> None:
    user, project = member(cloud.keystone, "fallen")
    token = cloud.keystone.log_in("fallen", "fallen", "fallen")
    assert both(brief, token) == (200, 200)
    identity = cloud.keystone.admin.sdk.identity
    identity.unassign_project_role_from_user(project, user, identity.find_role("member"))
    assert eventually(lambda: both(brief, token) == (401, 401), 4 + SLACK)


def test_while_keystone_is_away_known_tokens_go_on_for_their_time(cloud: Cloud, brief: Server) -> None:
    server = brief
    member(cloud.keystone, "patient")
    known, new = (cloud.keystone.log_in("patient", "patient", "patient") for _ in range(2))
    assert both(server, known) == (200, 200)
    started = time.monotonic()
    cloud.keystone.kill()
    assert both(server, known) == (200, 200)
    assert both(server, new) == (503, 503)
    assert eventually(lambda: both(server, known) == (503, 503), 4 + SLACK)
    assert time.monotonic() - started > 2
    cloud.keystone.start()
    assert eventually(lambda: both(server, known) == both(server, new) == (200, 200), SLACK)
    cloud.keystone.revoke(known)
    assert eventually(lambda: both(server, known) == (401, 401), SLACK)
    assert both(server, new) == (200, 200)
    assert PASSWORD not in server.log
    assert known not in server.log
