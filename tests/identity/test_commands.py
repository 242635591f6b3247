"""The commands on accounts, against a database that a server may be using at the same time."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from calotype.access.accounts import Accounts
from calotype.access.passwords import Passwords
from calotype.cli.domain import domain
from calotype.cli.project import project
from calotype.cli.role import role
from calotype.cli.token import token
from calotype.cli.user import user
from calotype.database.connect import connect
from calotype.settings import Identity, Settings

COMMANDS = click.Group(commands={each.name or "": each for each in (domain, project, user, role, token)})
Do = Callable[..., Result]


@pytest.fixture
def do(url: str, monkeypatch: pytest.MonkeyPatch) -> Do:
    """Runs a command line, split at blanks, on the database."""
    monkeypatch.setenv("CALOTYPE_DATABASE", url)
    monkeypatch.setenv("CALOTYPE_IDENTITY_PASSWORD_MEMORY_KIB", "64")
    return lambda line, text="": CliRunner().invoke(COMMANDS, line.split(), input=text)


def made(result: Result) -> Any:
    """The JSON that a command printed."""
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


@pytest.fixture
def planted(url: str, do: Do) -> Do:
    """The same, with the accounts of a first start."""

    async def plant() -> None:
        database = connect(Settings(database=url))
        await database.open()
        passwords = Passwords(Identity(password_memory_kib=64, password_iterations=1))
        await Accounts(database, passwords).bootstrap()
        passwords.close()
        await database.close()

    asyncio.run(plant())
    return do


def test_a_project(planted: Do) -> None:
    new = made(planted("project create edge --description far --format json"))
    assert (new["name"], new["enabled"], new["description"]) == ("edge", True, "far")
    assert made(planted(f"project show {new['id']} --format json")) == new
    assert planted("project disable edge").exit_code == 0
    assert made(planted("project show edge --format json"))["enabled"] is False
    assert planted("project enable edge").exit_code == 0
    assert [each["name"] for each in made(planted("project list --format json"))] != []
    assert planted("project delete edge").exit_code == 0
    assert planted("project show edge").exit_code == 1


def test_a_table(planted: Do) -> None:
    lines = planted("project list").output.splitlines()
    assert lines[0].split() == ["id", "name", "enabled", "description"]
    assert {line.split()[1] for line in lines[1:]} == {"admin", "demo"}
    assert len({line.index("yes") for line in lines[1:]}) == 1


def test_a_user(planted: Do) -> None:
    line = "user create ann --project demo --role reader --email ann@example.org --password-stdin --format json"
    new = made(planted(line, "secret\n"))
    assert "password" not in new
    shown = made(planted("user show ann --format json"))
    assert shown["roles"] == ["reader on project demo"]
    assert shown["email"] == "ann@example.org"
    assert shown["default_project_id"] == made(planted("project show demo --format json"))["id"]
    checked = "token issue --user ann --project demo --password-stdin"
    assert planted(checked, "secret\n").exit_code == 0
    assert planted(checked, "wrong\n").exit_code == 1
    assert planted("user set-password ann --password-stdin", "another\n").exit_code == 0
    assert planted(checked, "secret\n").exit_code == 1
    assert planted(checked, "another\n").exit_code == 0
    assert planted("user disable ann").exit_code == 0
    assert planted(checked, "another\n").exit_code == 1
    assert planted("user enable ann").exit_code == 0
    assert planted("user delete ann").exit_code == 0
    assert "ann" not in planted("user list").output


def test_a_generated_password(planted: Do) -> None:
    new = made(planted("user create bob --project demo --generate-password --format json"))
    assert len(new["password"]) == 24
    assert planted("token issue --user bob --project demo --password-stdin", new["password"]).exit_code == 0


def test_roles(planted: Do) -> None:
    assert made(planted("role create clerk --format json"))["name"] == "clerk"
    names = {each["name"] for each in made(planted("role list --format json"))}
    assert names == {"admin", "clerk", "manager", "member", "reader", "service"}
    assert planted("role grant reader --user demo --system").exit_code == 0
    assert made(planted("user show demo --format json"))["roles"] == ["member on project demo", "reader on the system"]
    assert planted("role revoke reader --user demo --system").exit_code == 0
    assert planted("role revoke reader --user demo --system").exit_code == 1


def test_a_domain(planted: Do) -> None:
    new = made(planted("domain create edge --description far --format json"))
    assert (new["name"], new["enabled"], new["description"]) == ("edge", True, "far")
    assert planted("role grant reader --user demo --domain edge").exit_code == 0
    assert "reader on domain edge" in made(planted("user show demo --format json"))["roles"]
    assert "please disable it first" in planted("domain delete edge").output
    assert planted("domain disable edge").exit_code == 0
    assert planted("domain delete edge").exit_code == 0
    assert [each["name"] for each in made(planted("domain list --format json"))] == ["Default"]
    assert made(planted("user show demo --format json"))["roles"] == ["member on project demo"]
    assert "The default domain cannot be deleted." in planted("domain delete Default").output


def test_an_administrator_who_locked_himself_out_is_let_in_again(planted: Do) -> None:
    line = "token issue --user admin --project admin --password-stdin"
    for place in ("--project admin", "--system"):
        assert planted(f"role revoke admin --user admin {place}").exit_code == 0
    for command in ("domain disable default", "user disable admin", "project disable admin"):
        assert planted(command).exit_code == 0
    assert planted("user set-password admin --password-stdin", "secret\n").exit_code == 0
    assert planted(line, "secret\n").exit_code == 1
    for command in ("domain enable default", "user enable admin", "project enable admin"):
        assert planted(command).exit_code == 0
    assert planted(line, "secret\n").exit_code == 1
    assert planted("role grant admin --user admin --project admin").exit_code == 0
    assert "admin" in made(planted(line + " --format json", "secret\n"))["roles"]


def test_tokens(planted: Do) -> None:
    new = made(planted("token issue --user demo --project demo --format json"))
    assert set(new["roles"]) == {"member", "reader"}
    assert planted("token revoke -", new["token"]).exit_code == 0
    again = planted("token revoke -", new["token"])
    assert (again.exit_code, again.output) == (1, "Error: There is no such token, or it has expired.\n")
    other = made(planted("token issue --user demo --format json"))
    assert planted("token revoke --user demo").exit_code == 0
    assert planted(f"token revoke {other['token']}").exit_code == 1


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("project show nothing", 1, "Error: Could not find project: nothing."),
        ("project create demo", 1, "it is not permitted to have two projects with either the same name"),
        ("user create demo --generate-password", 1, "Duplicate entry found with name demo at domain ID default."),
        ("user create eve", 2, "Give either --password-stdin or --generate-password."),
        ("user create eve --password-stdin", 1, "A password has 1 to 4096 characters"),
        ("user create eve --project nothing --generate-password", 1, "Could not find project: nothing."),
        ("user create eve --project demo --role nothing --generate-password", 1, "Could not find role: nothing."),
        ("role grant member --user demo", 2, "Give one of --project, --domain and --system."),
        ("role grant nothing --user demo --system", 1, "Could not find role: nothing."),
        ("token issue --user demo --project admin", 1, "demo is disabled or has no role there."),
        ("token issue --user nobody", 1, "Could not find user: nobody."),
        ("token revoke", 2, "Give either a token or --user."),
        ("project list --database mysql://x", 1, "Error: database: 'mysql' is not known"),
        ("project list --config /nowhere.toml", 1, "Error: /nowhere.toml"),
    ],
)
def test_refusals(planted: Do, line: str, code: int, message: str) -> None:
    result = planted(line)
    assert result.exit_code == code
    assert message in result.output
    assert "eve" not in planted("user list").output


def test_without_tables(empty_url: str) -> None:
    result = CliRunner().invoke(COMMANDS, ["user", "list", "--database", empty_url])
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
