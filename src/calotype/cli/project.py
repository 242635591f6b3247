"""`calotype project`: the projects that own images."""

from typing import Any

import click

from calotype.access.model import Project
from calotype.cli.desk import Desk, operator
from calotype.cli.output import Rows


@click.group()
def project() -> None:
    """Projects of the built-in identity."""


@project.command()
@click.argument("name")
@click.option("--description", default="", help="What it is for.")
@operator
async def create(desk: Desk, name: str, description: str) -> dict[str, Any]:
    """Create a project."""
    return _row(await desk.accounts.create_project(name, description=description))


@project.command("list")
@operator
async def list_(desk: Desk) -> Rows:
    """List all projects."""
    return [_row(each) for each in await desk.accounts.projects()]


@project.command()
@click.argument("name_or_id")
@operator
async def show(desk: Desk, name_or_id: str) -> dict[str, Any]:
    """Show a project."""
    return _row(await desk.accounts.find_project(name_or_id))


@project.command()
@click.argument("name_or_id")
@operator
async def delete(desk: Desk, name_or_id: str) -> None:
    """Delete a project and the roles on it; its images stay."""
    await desk.accounts.delete_project((await desk.accounts.find_project(name_or_id)).id)


@project.command()
@click.argument("name_or_id")
@operator
async def enable(desk: Desk, name_or_id: str) -> None:
    """Let a project be used again."""
    await desk.accounts.change_project((await desk.accounts.find_project(name_or_id)).id, {"enabled": True})


@project.command()
@click.argument("name_or_id")
@operator
async def disable(desk: Desk, name_or_id: str) -> None:
    """Lock a project; its tokens stop working at once."""
    await desk.accounts.change_project((await desk.accounts.find_project(name_or_id)).id, {"enabled": False})


def _row(each: Project) -> dict[str, Any]:
    return {"id": each.id, "name": each.name, "enabled": each.enabled, "description": each.description}
