"""What the commands on accounts and on the database share: opening them, and how results are printed.

The commands work on the database itself, so they need no password and no running server; a running one notices what
they change within a second.
"""

import asyncio
import functools
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NamedTuple

import click

from calotype.access.access_keys import AccessKeys
from calotype.access.accounts import DEFAULT_DOMAIN, Accounts, new_password
from calotype.access.assignments import Assignments
from calotype.access.passwords import Passwords
from calotype.access.tokens import Tokens
from calotype.access.vault import Vault
from calotype.cli.common import prepared, with_settings
from calotype.cli.output import FORMAT, Rows, printed
from calotype.database.connect import connect
from calotype.database.engine import Database
from calotype.settings import Settings


class Desk(NamedTuple):
    """What a command works with."""

    accounts: Accounts
    assignments: Assignments
    tokens: Tokens
    keys: AccessKeys
    settings: Settings
    database: Database


Command = Callable[..., Awaitable[Rows | dict[str, Any] | str | None]]
"""Answers the rows of a table, one thing, one text, or nothing."""

_PASSWORD = (
    click.option("--password-stdin", is_flag=True, help="Read the password from standard input."),
    click.option("--generate-password", is_flag=True, help="Make a password up and print it."),
)


def operator(command: Command) -> Callable[..., None]:
    """A click callback out of a coroutine function, whose first argument is the Desk; adds the common options."""
    return _callback(command, _with_desk)


def on_database(command: Command) -> Callable[..., None]:
    """The same for a command whose first argument is the open Database; it needs no accounts."""
    return _callback(command, _with_database)


def _callback(command: Command, opened: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., None]:
    @functools.wraps(command)
    def run(settings: Settings, form: str, **arguments: Any) -> None:
        try:
            result = asyncio.run(opened(prepared(settings), command, arguments))
        except UnicodeEncodeError:
            raise click.ClickException("An argument is not valid UTF-8.") from None
        if result is not None:
            click.echo(printed(result, form))

    return with_settings(FORMAT(run))


def with_password(command: Command) -> Command:
    """Add the options by which a password is given; they arrive as `password` and `generated`."""

    @functools.wraps(command)
    async def run(*given: Any, password_stdin: bool, generate_password: bool, **arguments: Any) -> Any:
        if password_stdin == generate_password:
            raise click.UsageError("Give either --password-stdin or --generate-password.")
        password = new_password() if generate_password else read_line()
        return await command(*given, password=password, generated=generate_password, **arguments)

    wrapped: Command = _with_options(run, _PASSWORD)
    return wrapped


def read_line() -> str:
    """The first line of standard input, without its end."""
    return sys.stdin.readline().rstrip("\r\n")


async def _with_desk(settings: Settings, command: Command, arguments: dict[str, Any]) -> Any:
    if settings.identity.source == "keystone":
        raise click.ClickException(
            f"Accounts and tokens are those of the Keystone at {settings.keystone.url}: use the `openstack` command."
        )
    database = connect(settings)
    await database.open()
    passwords = Passwords(settings.identity)
    try:
        tokens = Tokens(database, settings.identity)
        accounts = Accounts(database, passwords, tokens.forget)
        if await accounts.domain(DEFAULT_DOMAIN) is None:
            raise click.ClickException("There are no accounts yet: `calotype init` makes the first ones.")
        assignments = Assignments(database, tokens.forget)
        keys = AccessKeys(database, Vault(settings.access_key_file))
        return await command(Desk(accounts, assignments, tokens, keys, settings, database), **arguments)
    finally:
        passwords.close()
        await database.close()


async def _with_database(settings: Settings, command: Command, arguments: dict[str, Any]) -> Any:
    database = connect(settings)
    await database.open()
    try:
        return await command(database, **arguments)
    finally:
        await database.close()


def _with_options(function: Any, options: tuple[Callable[[Any], Any], ...]) -> Any:
    for option in reversed(options):
        function = option(function)
    return function
