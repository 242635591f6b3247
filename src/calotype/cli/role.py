"""`calotype role`: what users may do where."""

from typing import Any

import click

from calotype.access.model import SYSTEM, Scope
from calotype.cli.desk import Command, Desk, operator
from calotype.cli.output import Rows


@click.group()
def role() -> None:
    """Roles of the built-in identity."""


def _place(command: Command) -> Command:
    """The options that say who and where."""
    for option in (
        click.option("--system", is_flag=True, help="On the system."),
        click.option("--domain", metavar="DOMAIN", help="On this domain, by name or id."),
        click.option("--project", metavar="PROJECT", help="On this project, by name or id."),
        click.option("--user", required=True, metavar="USER", help="The user, by name or id."),
    ):
        command = option(command)
    return command


@role.command("list")
@operator
async def list_(desk: Desk) -> Rows:
    """List all roles."""
    return [{"id": each.id, "name": each.name} for each in await desk.accounts.roles()]


@role.command()
@click.argument("name")
@operator
async def create(desk: Desk, name: str) -> dict[str, Any]:
    """Create a role."""
    made = await desk.accounts.create_role(name)
    return {"id": made.id, "name": made.name}


@role.command()
@click.argument("name_or_id")
@operator
@_place
async def grant(desk: Desk, name_or_id: str, user: str, project: str | None, domain: str | None, system: bool) -> None:
    """Give a user a role on a project, a domain or the system."""
    scope = await _scope(desk, project, domain, system)
    found = await desk.accounts.find_role(name_or_id)
    await desk.assignments.grant((await desk.accounts.find_user(user)).id, found.id, scope)


@role.command()
@click.argument("name_or_id")
@operator
@_place
async def revoke(desk: Desk, name_or_id: str, user: str, project: str | None, domain: str | None, system: bool) -> None:
    """Take a role from a user; tokens lose it at once."""
    scope = await _scope(desk, project, domain, system)
    found = await desk.accounts.find_role(name_or_id)
    await desk.assignments.revoke((await desk.accounts.find_user(user)).id, found.id, scope)


async def _scope(desk: Desk, project: str | None, domain: str | None, system: bool) -> Scope:
    if (project is not None) + (domain is not None) + system != 1:
        raise click.UsageError("Give one of --project, --domain and --system.")
    if project is not None:
        return Scope("project", (await desk.accounts.find_project(project)).id)
    return SYSTEM if domain is None else Scope("domain", (await desk.accounts.find_domain(domain)).id)
