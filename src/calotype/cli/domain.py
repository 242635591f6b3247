"""`calotype domain`: the name spaces of projects and users."""

from typing import Any

import click

from calotype.access.model import Domain
from calotype.cli.desk import Desk, operator
from calotype.cli.output import Rows


@click.group()
def domain() -> None:
    """Domains of the built-in identity."""


@domain.command()
@click.argument("name")
@click.option("--description", default="", help="What it is for.")
@operator
async def create(desk: Desk, name: str, description: str) -> dict[str, Any]:
    """Create a domain."""
    return _row(await desk.accounts.create_domain(name, description=description))


@domain.command("list")
@operator
async def list_(desk: Desk) -> Rows:
    """List all domains."""
    return [_row(each) for each in await desk.accounts.domains()]


@domain.command()
@click.argument("name_or_id")
@operator
async def delete(desk: Desk, name_or_id: str) -> None:
    """Delete a disabled domain with its projects and users; images stay."""
    await desk.accounts.delete_domain((await desk.accounts.find_domain(name_or_id)).id)


@domain.command()
@click.argument("name_or_id")
@operator
async def enable(desk: Desk, name_or_id: str) -> None:
    """Let a domain be used again."""
    await desk.accounts.change_domain((await desk.accounts.find_domain(name_or_id)).id, {"enabled": True})


@domain.command()
@click.argument("name_or_id")
@operator
async def disable(desk: Desk, name_or_id: str) -> None:
    """Lock a domain with all that is in it; its tokens stop working at once."""
    await desk.accounts.change_domain((await desk.accounts.find_domain(name_or_id)).id, {"enabled": False})


def _row(each: Domain) -> dict[str, Any]:
    return {"id": each.id, "name": each.name, "enabled": each.enabled, "description": each.description}
