"""Accounts administered by the `openstack` command and by openstacksdk, unmodified."""

from collections.abc import Callable
from pathlib import Path

import pytest
from openstack import exceptions
from openstack.connection import Connection

from tests.support.commands import Command
from tests.support.server import Server

Connect = Callable[..., Connection]


@pytest.fixture
def admin(sqlite_server: Server, home: Path) -> Command:
    """The command as the administrator."""
    environment = {"OS_CLIENT_CONFIG_FILE": str(sqlite_server.clouds_file)}
    return Command("openstack", environment, home, "--os-cloud", "calotype-admin")


def test_the_command_makes_changes_and_deletes_accounts(admin: Command) -> None:
    project = admin.json("project", "create", "cli-project", "--description", "by command", "--tag", "x")
    assert (project["name"], project["description"], project["tags"]) == ("cli-project", "by command", ["x"])
    user = admin.json(
        "user", "create", "cli-user", "--password", "secret", "--email", "cli@example.org", "--project", "cli-project"
    )
    assert (user["email"], user["default_project_id"], user["enabled"]) == ("cli@example.org", project["id"], True)
    assert "password" not in {name for name, value in user.items() if value is not None}

    admin.text("role", "add", "--user", "cli-user", "--project", "cli-project", "member")
    admin.text("role", "add", "--user", "cli-user", "--system", "all", "reader")
    rows = admin.json("role", "assignment", "list", "--user", "cli-user", "--names")
    assert {(row["Role"], row["User"], row["Project"], row["System"]) for row in rows} == {
        ("member", "cli-user@Default", "cli-project@Default", ""),
        ("reader", "cli-user@Default", "", "all"),
    }
    effective = admin.json(
        "role", "assignment", "list", "--user", "cli-user", "--project", "cli-project", "--effective", "--names"
    )
    assert sorted(row["Role"] for row in effective) == ["member", "reader"]

    admin.text("user", "set", "cli-user", "--name", "cli-renamed", "--disable", "--password", "another")
    shown = admin.json("user", "show", "cli-renamed")
    assert (shown["id"], shown["enabled"]) == (user["id"], False)
    admin.text("project", "set", "cli-project", "--disable", "--description", "later", "--tag", "y")
    shown = admin.json("project", "show", "cli-project")
    assert (shown["enabled"], shown["description"], sorted(shown["tags"])) == (False, "later", ["x", "y"])

    admin.text("role", "remove", "--user", "cli-renamed", "--project", "cli-project", "member")
    assert len(admin.json("role", "assignment", "list", "--user", "cli-renamed")) == 1
    admin.text("user", "delete", "cli-renamed")
    admin.text("project", "delete", "cli-project")
    assert not {"cli-user", "cli-renamed"} & {row["Name"] for row in admin.json("user", "list", "--domain", "default")}
    assert "cli-project" not in {row["Name"] for row in admin.json("project", "list")}


def test_the_command_makes_domains_and_roles(admin: Command) -> None:
    domain = admin.json("domain", "create", "cli-domain", "--description", "a name space")
    project = admin.json("project", "create", "cli-inside", "--domain", "cli-domain")
    assert project["domain_id"] == domain["id"]
    user = admin.json("user", "create", "cli-inside", "--domain", "cli-domain")
    role = admin.json("role", "create", "cli-role", "--description", "for a test")
    admin.text("role", "set", "cli-role", "--name", "cli-renamed")
    admin.text("role", "add", "--user", user["id"], "--domain", "cli-domain", "cli-renamed")
    rows = admin.json("role", "assignment", "list", "--domain", "cli-domain", "--names")
    assert [(row["Role"], row["Domain"]) for row in rows] == [("cli-renamed", "cli-domain")]
    code, _, error = admin.try_("domain", "delete", "cli-domain")
    assert (code, "please disable it first" in error) == (1, True)
    admin.text("domain", "set", "cli-domain", "--disable")
    admin.text("domain", "delete", "cli-domain")
    admin.text("role", "delete", role["id"])
    assert admin.try_("project", "show", project["id"])[0] == 1


def test_the_command_leaves_the_roles_of_the_cloud_and_immutable_ones(admin: Command) -> None:
    made = admin.json("role", "create", "cli-lasting")
    assert admin.try_("role", "delete", "--domain", "default", "cli-lasting")[0] == 1
    assert admin.json("role", "show", "cli-lasting")["id"] == made["id"]
    admin.text("role", "set", "cli-lasting", "--immutable")
    assert admin.try_("role", "delete", "cli-lasting")[0] == 1
    assert admin.try_("role", "set", "cli-lasting", "--name", "cli-other")[0] == 1
    admin.text("role", "set", "cli-lasting", "--no-immutable")
    admin.text("role", "delete", "cli-lasting")


def test_a_user_changes_his_own_password(admin: Command, sqlite_server: Server, home: Path) -> None:
    admin.text("user", "create", "cli-self", "--password", "before", "--project", "demo")
    admin.text("role", "add", "--user", "cli-self", "--project", "demo", "member")
    own = {
        "OS_AUTH_URL": f"{sqlite_server.base}/v3", "OS_USERNAME": "cli-self", "OS_PROJECT_NAME": "demo",
        "OS_USER_DOMAIN_ID": "default", "OS_PROJECT_DOMAIN_ID": "default", "OS_IDENTITY_API_VERSION": "3",
    }  # fmt: skip
    before = Command("openstack", {**own, "OS_PASSWORD": "before"}, home)
    before.text("user", "password", "set", "--original-password", "before", "--password", "after")
    assert before.try_("token", "issue")[0] == 1
    assert Command("openstack", {**own, "OS_PASSWORD": "after"}, home).json("token", "issue")["id"]
    admin.text("user", "delete", "cli-self")


def test_the_command_works_on_the_whole_system(admin: Command, sqlite_server: Server, home: Path) -> None:
    admin.text("user", "create", "cli-system", "--password", "secret")
    admin.text("role", "add", "--user", "cli-system", "--system", "all", "reader")
    own = {
        "OS_AUTH_URL": f"{sqlite_server.base}/v3", "OS_USERNAME": "cli-system", "OS_PASSWORD": "secret",
        "OS_USER_DOMAIN_ID": "default", "OS_SYSTEM_SCOPE": "all", "OS_IDENTITY_API_VERSION": "3",
    }  # fmt: skip
    reader = Command("openstack", own, home)
    assert "cli-system" in {row["Name"] for row in reader.json("user", "list")}
    rows = reader.json("role", "assignment", "list", "--system", "all", "--names")
    assert ("reader", "cli-system@Default", "all") in {(row["Role"], row["User"], row["System"]) for row in rows}
    code, _, error = reader.try_("project", "create", "not-allowed")
    assert (code, "identity:create_project" in error) == (1, True)
    admin.text("role", "remove", "--user", "cli-system", "--system", "all", "reader")
    assert reader.try_("token", "issue")[0] == 1
    admin.text("user", "delete", "cli-system")


def test_openstacksdk_administers(server: Server, connect: Connect) -> None:
    cloud = connect(server, "admin").identity
    project = cloud.create_project(name="sdk-project", domain_id="default", description="by sdk")
    user = cloud.create_user(name="sdk-user", password="secret", email="sdk@example.org")
    role = cloud.find_role("member", ignore_missing=False)
    cloud.assign_project_role_to_user(project, user, role)
    assert cloud.validate_user_has_project_role(project, user, role)
    given = list(cloud.role_assignments(user_id=user.id, include_names=True))
    assert [(each.role["name"], each.scope["project"]["name"]) for each in given] == [("member", "sdk-project")]
    listed = list(cloud.role_assignments_filter(project=project.id, user=user.id))
    assert [each.name for each in listed] == ["member"]
    cloud.unassign_project_role_from_user(project, user, role)
    assert not cloud.validate_user_has_project_role(project, user, role)
    assert cloud.update_user(user, is_enabled=False).is_enabled is False
    assert cloud.update_project(project, name="sdk-renamed").name == "sdk-renamed"
    with pytest.raises(exceptions.ConflictException):
        cloud.create_project(name="sdk-renamed")
    cloud.delete_user(user)
    cloud.delete_project(project)
    assert cloud.find_user("sdk-user") is None
    assert cloud.find_project("sdk-renamed") is None


def test_openstacksdk_is_refused_as_a_member(server: Server, connect: Connect) -> None:
    with pytest.raises(exceptions.ForbiddenException, match="identity:create_user"):
        connect(server, "demo").identity.create_user(name="sdk-user")
