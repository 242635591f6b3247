"""Application credentials and implied roles by the `openstack` command and openstacksdk, unmodified."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openstack
import pytest
from openstack import exceptions
from openstack.connection import Connection

from tests.support.commands import Command
from tests.support.server import Server


def _command(server: Server, home: Path, cloud: str) -> Command:
    environment = {"OS_CLIENT_CONFIG_FILE": str(server.clouds_file)}
    return Command("openstack", environment, home, "--os-cloud", cloud)


def _made(command: Command, *arguments: str) -> dict[str, Any]:
    """What the command shows of a new credential, which has capitals in its names there."""
    shown = command.json("application", "credential", "create", *arguments)
    return {name.lower(): value for name, value in shown.items()}


@pytest.fixture
def demo(sqlite_server: Server, home: Path) -> Command:
    """The command as a member."""
    return _command(sqlite_server, home, "calotype-demo")


@pytest.fixture
def connections() -> Iterator[list[Connection]]:
    """Those that are in it are closed in the end."""
    opened: list[Connection] = []
    yield opened
    for connection in opened:
        connection.close()


def _sdk(server: Server, auth: dict[str, str], opened: list[Connection]) -> Connection:
    connection = openstack.connect(
        load_yaml_config=False,
        load_envvars=False,
        auth_type="v3applicationcredential",
        auth={"auth_url": f"{server.base}/v3", **auth},
        region_name="RegionOne",
    )
    opened.append(connection)
    return connection


def test_the_command_makes_one_and_programs_log_in(
    demo: Command, sqlite_server: Server, home: Path, connections: list[Connection]
) -> None:
    made = _made(
        demo, "cli-robot", "--role", "reader", "--description", "for a robot",
        "--expiration", "2126-01-01T00:00:00",
    )  # fmt: skip
    assert (made["name"], made["description"]) == ("cli-robot", "for a robot")
    assert "cli-robot" in {row["Name"] for row in demo.json("application", "credential", "list")}
    shown = demo.json("application", "credential", "show", "cli-robot")
    assert made["id"] in json.dumps(shown)
    assert made["secret"] not in json.dumps(shown)

    auth = {"application_credential_id": made["id"], "application_credential_secret": made["secret"]}
    cloud = _sdk(sqlite_server, auth, connections)
    assert list(cloud.image.images()) == []
    assert cloud.current_project_id == sqlite_server.personas["demo"].project_id
    with pytest.raises(exceptions.ForbiddenException):
        cloud.identity.create_application_credential(cloud.current_user_id, "another")
    user = sqlite_server.personas["demo"]
    named = {
        "application_credential_name": "cli-robot", "application_credential_secret": made["secret"],
        "username": user.user_name, "user_domain_id": "default",
    }  # fmt: skip
    assert list(_sdk(sqlite_server, named, connections).image.images()) == []
    robot = Command(
        "openstack",
        {
            "OS_AUTH_TYPE": "v3applicationcredential", "OS_AUTH_URL": f"{sqlite_server.base}/v3",
            "OS_APPLICATION_CREDENTIAL_ID": made["id"], "OS_APPLICATION_CREDENTIAL_SECRET": made["secret"],
            "OS_IDENTITY_API_VERSION": "3",
        },
        home,
    )  # fmt: skip
    assert robot.json("token", "issue")["project_id"] == user.project_id

    demo.text("application", "credential", "delete", "cli-robot")
    assert robot.try_("token", "issue")[0] == 1
    assert demo.json("application", "credential", "list") == []


def test_the_command_limits_one_to_some_requests(
    demo: Command, sqlite_server: Server, home: Path, connections: list[Connection]
) -> None:
    rules = home / "rules.json"
    rules.write_text(json.dumps([{"service": "image", "method": "GET", "path": "/v2/images"}]))
    made = _made(
        demo, "cli-limited", "--secret", "my own secret", "--unrestricted",
        "--access-rules", str(rules),
    )  # fmt: skip
    assert made["secret"] == "my own secret"
    auth = {"application_credential_id": made["id"], "application_credential_secret": "my own secret"}
    cloud = _sdk(sqlite_server, auth, connections)
    assert list(cloud.image.images()) == []
    with pytest.raises(exceptions.HttpException) as refused:
        cloud.image.create_image("not allowed", disk_format="raw", container_format="bare")
    assert refused.value.status_code == 401
    (rule,) = demo.json("access", "rule", "list")
    assert (rule["Service"], rule["Method"], rule["Path"]) == ("image", "GET", "/v2/images")
    assert demo.json("access", "rule", "show", rule["ID"])["Path"] == "/v2/images"
    assert demo.try_("access", "rule", "delete", rule["ID"])[0] == 1
    demo.text("application", "credential", "delete", "cli-limited")
    demo.text("access", "rule", "delete", rule["ID"])
    assert demo.json("access", "rule", "list") == []


def test_the_command_lets_roles_imply_others(sqlite_server: Server, home: Path) -> None:
    admin = _command(sqlite_server, home, "calotype-admin")
    for name in ("cli-prior", "cli-implied"):
        admin.text("role", "create", name)
    made = admin.json("implied", "role", "create", "cli-prior", "--implied-role", "cli-implied")
    assert made["implies"]
    rows = admin.json("implied", "role", "list")
    assert ("cli-prior", "cli-implied") in {(row["Prior Role Name"], row["Implied Role Name"]) for row in rows}
    admin.text("implied", "role", "delete", "cli-prior", "--implied-role", "cli-implied")
    assert admin.try_("implied", "role", "delete", "cli-prior", "--implied-role", "cli-implied")[0] == 1
    admin.text("role", "delete", "cli-prior", "cli-implied")
