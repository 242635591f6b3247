"""`calotype key`: access keys, with which users sign requests instead of logging in."""

from datetime import UTC, datetime
from typing import Any

import click

from calotype.access.access_keys import AccessKey
from calotype.cli.desk import Desk, operator
from calotype.cli.output import Rows


@click.group()
def key() -> None:
    """Access keys (AK/SK) of the built-in identity's users."""


@key.command()
@click.option("--user", required=True, metavar="USER", help="Who signs with it, by name or id.")
@click.option("--description", default="", help="What it is for.")
@operator
async def create(desk: Desk, user: str, description: str) -> dict[str, Any]:
    """Create an access key; its secret is shown now and never again."""
    found = await desk.accounts.find_user(user)
    made, secret = await desk.keys.create(found.id, description)
    return _row(made) | {"secret_key": secret}


@key.command("list")
@click.option("--user", metavar="USER", help="Only those of this user, by name or id.")
@operator
async def list_(desk: Desk, user: str | None) -> Rows:
    """List access keys."""
    user_id = (await desk.accounts.find_user(user)).id if user else None
    return [_row(each) for each in await desk.keys.listed(user_id)]


@key.command()
@click.argument("access_key")
@operator
async def show(desk: Desk, access_key: str) -> dict[str, Any]:
    """Show an access key, without its secret."""
    return _row(await desk.keys.get(access_key))


@key.command()
@click.argument("access_key")
@operator
async def delete(desk: Desk, access_key: str) -> None:
    """Delete an access key; what is signed with it is refused within a second."""
    await desk.keys.delete(access_key)


@key.command()
@click.argument("access_key")
@operator
async def disable(desk: Desk, access_key: str) -> None:
    """Refuse what is signed with an access key, within a second, until it is enabled again."""
    await desk.keys.enable(access_key, False)


@key.command()
@click.argument("access_key")
@operator
async def enable(desk: Desk, access_key: str) -> None:
    """Accept again what is signed with an access key."""
    await desk.keys.enable(access_key, True)


def _row(each: AccessKey) -> dict[str, Any]:
    return {
        "access_key": each.id,
        "user": each.user_name,
        "user_id": each.user_id,
        "enabled": each.enabled,
        "description": each.description,
        "created_at": datetime.fromtimestamp(each.created_at // 1_000_000, UTC).isoformat(),
    }
