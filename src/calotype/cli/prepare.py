"""What a deployment needs before it can serve: a directory, tables, the first accounts."""

import asyncio
import os

import click

from calotype.access.accounts import Accounts
from calotype.access.passwords import Passwords
from calotype.cli import clouds
from calotype.database import schema
from calotype.database.connect import connect
from calotype.settings import Settings, SettingsError


def prepare(settings: Settings) -> None:
    """Make what is missing and leave what is there. Raises SettingsError, SchemaError, StorageUnavailable.

    A SQLite database is migrated as needed. A server database is created when it is empty, but migrated by
    `calotype db upgrade` alone, since other hosts may still be running the older version.
    """
    _make_directory(settings)
    url = settings.database_url
    if url.startswith("sqlite:") or schema.current(url) is None:
        schema.upgrade(url)
    schema.check(url)
    passwords = asyncio.run(_bootstrap(settings))
    clouds.write(settings, passwords)
    if passwords:
        click.echo(f"First start: users {' and '.join(passwords)}; passwords in {clouds.path(settings)}")


def _make_directory(settings: Settings) -> None:
    try:
        settings.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise SettingsError(f"data: cannot make {settings.directory}: {error.strerror}") from None
    if not os.access(settings.directory, os.W_OK | os.X_OK):
        raise SettingsError(f"data: {settings.directory} cannot be written to")


async def _bootstrap(settings: Settings) -> dict[str, str]:
    """The users that were made and their passwords; empty after the first start."""
    database = connect(settings)
    await database.open()
    try:
        wanted = {"admin": os.environ.get("CALOTYPE_ADMIN_PASSWORD", "")}
        return await Accounts(database, Passwords(settings.identity)).bootstrap(wanted)
    finally:
        await database.close()
