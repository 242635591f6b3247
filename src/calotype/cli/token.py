"""`calotype token`: tokens made and ended by whoever owns the data directory."""

from datetime import UTC, datetime
from typing import Any

import click

from calotype.access.errors import NotFound, Unauthorized
from calotype.access.model import SYSTEM, UNSCOPED, Login, Scope
from calotype.cli.desk import Desk, operator, read_line


@click.group()
def token() -> None:
    """Tokens of the built-in identity."""


@token.command()
@click.option("--user", required=True, metavar="USER", help="For this user, by name or id.")
@click.option("--project", metavar="PROJECT", help="For this project, by name or id.")
@click.option("--system", is_flag=True, help="For the system instead of a project.")
@click.option("--password-stdin", is_flag=True, help="Check the password, read from standard input.")
@click.option("--quiet", is_flag=True, help="Print the token alone.")
@operator
async def issue(
    desk: Desk, user: str, project: str | None, system: bool, password_stdin: bool, quiet: bool
) -> dict[str, Any] | str:
    """Issue a token; without a password, because the operator owns the accounts."""
    if project is not None and system:
        raise click.UsageError("Give either --project or --system.")
    found = await desk.accounts.find_user(user)
    login = Login(user_id=found.id, domain_id=found.domain_id, methods=("external",))
    if password_stdin:
        login = await desk.accounts.authenticate(read_line(), user_id=found.id)
    scope = SYSTEM if system else UNSCOPED
    if project is not None:
        scope = Scope("project", (await desk.accounts.find_project(project)).id)
    try:
        made, grant = await desk.tokens.issue(login, [scope])
    except Unauthorized:
        raise Unauthorized(f"{found.name} is disabled or has no role there.") from None
    if quiet:
        return made
    expires = datetime.fromtimestamp(grant.expires_at // 1_000_000, UTC)
    return {
        "token": made,
        "expires_at": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "user_id": found.id,
        "project_id": grant.project.id if grant.project else None,
        "roles": [role.name for role in grant.roles],
    }


@token.command()
@click.argument("given", metavar="[TOKEN]", required=False)
@click.option("--user", metavar="USER", help="End all tokens of this user instead.")
@operator
async def revoke(desk: Desk, given: str | None, user: str | None) -> None:
    """End a token and those made from it; `-` reads it from standard input, out of sight of other users."""
    if (given is None) == (user is None):
        raise click.UsageError("Give either a token or --user.")
    if user is not None:
        await desk.tokens.revoke_user((await desk.accounts.find_user(user)).id)
    elif not await desk.tokens.revoke(read_line().strip() if given == "-" else given or ""):
        raise NotFound("There is no such token, or it has expired.")
