"""`calotype user`: who may log in."""

from typing import Any

import click

from calotype.access.accounts import DEFAULT_DOMAIN
from calotype.access.model import Assignment, AssignmentQuery, Scope, User
from calotype.cli import clouds
from calotype.cli.desk import Desk, operator, with_password
from calotype.cli.output import Rows


@click.group()
def user() -> None:
    """Users of the built-in identity."""


@user.command()
@click.argument("name")
@click.option("--project", metavar="PROJECT", help="The user's project, by name or id.")
@click.option("--role", default="member", show_default=True, help="The user's role on that project.")
@click.option("--email", help="Where to reach the user.")
@operator
@with_password
async def create(
    desk: Desk, name: str, project: str | None, role: str, email: str | None, password: str, generated: bool
) -> dict[str, Any]:
    """Create a user, with a role on a project if one is named."""
    accounts = desk.accounts
    place = await accounts.find_project(project) if project else None
    given = await accounts.find_role(role) if place else None
    made = await accounts.create_user(name, password, email=email, default_project_id=place.id if place else None)
    if place and given:
        await desk.assignments.grant(made.id, given.id, Scope("project", place.id))
    return _row(made) | ({"password": password} if generated else {})


@user.command("list")
@operator
async def list_(desk: Desk) -> Rows:
    """List all users."""
    return [_row(each) for each in await desk.accounts.users()]


@user.command()
@click.argument("name_or_id")
@operator
async def show(desk: Desk, name_or_id: str) -> dict[str, Any]:
    """Show a user and what it may do."""
    found = await desk.accounts.find_user(name_or_id)
    given = await desk.assignments.listed(AssignmentQuery(user_id=found.id))
    return _row(found) | {"roles": [_sentence(each) for each in given]}


@user.command()
@click.argument("name_or_id")
@operator
async def delete(desk: Desk, name_or_id: str) -> None:
    """Delete a user with its roles and tokens."""
    await desk.accounts.delete_user((await desk.accounts.find_user(name_or_id)).id)


@user.command()
@click.argument("name_or_id")
@operator
async def enable(desk: Desk, name_or_id: str) -> None:
    """Let a user log in again."""
    await desk.accounts.change_user((await desk.accounts.find_user(name_or_id)).id, {"enabled": True})


@user.command()
@click.argument("name_or_id")
@operator
async def disable(desk: Desk, name_or_id: str) -> None:
    """Lock a user out; its tokens stop working at once."""
    await desk.accounts.change_user((await desk.accounts.find_user(name_or_id)).id, {"enabled": False})


@user.command("set-password")
@click.argument("name_or_id")
@operator
@with_password
async def set_password(desk: Desk, name_or_id: str, password: str, generated: bool) -> dict[str, Any] | None:
    """Change a password; the user's tokens stop working at once. DIR/clouds.yaml learns those of admin and demo."""
    found = await desk.accounts.find_user(name_or_id)
    await desk.accounts.set_password(found.id, password)
    first = found.name in clouds.CLOUDS and found.domain_id == DEFAULT_DOMAIN
    if first and desk.settings.directory.is_dir():
        clouds.write(desk.settings, {found.name: password})
    return {"name": found.name, "password": password} if generated else None


def _row(each: User) -> dict[str, Any]:
    return {
        "id": each.id,
        "name": each.name,
        "enabled": each.enabled,
        "email": each.email,
        "default_project_id": each.default_project_id,
    }


def _sentence(each: Assignment) -> str:
    place = f"{each.scope.kind} {each.place.name}" if each.place else "the system"
    return f"{each.role.name} on {place}"
