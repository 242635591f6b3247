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


def prepare(settings: Settings, moved: bool = False) -> str | None:
    """Make what is missing and leave what is there; answers the id of the project `demo`, None if there is none.

    No accounts are made if they are a Keystone's. `moved` tells clouds.yaml the address of these settings.

    Raises SettingsError, SchemaError, StorageUnavailable.

    A SQLite database is migrated as needed. A server database is created when it is empty, but migrated by
    `calotype db upgrade` alone, since other hosts may still be running the older version.
    """
    _make_directory(settings)
    _make_stores(settings)
    url = settings.database_url
    before = schema.current(url)
    if url.startswith("sqlite:") or before is None:
        schema.upgrade(url)
    if before not in (None, schema.current(url)):
        click.echo(
            f"The tables were upgraded from {before} to {schema.head()}; an older server cannot use them any more."
        )
    schema.check(url)
    if settings.identity.source == "keystone":
        return None
    passwords, demo = asyncio.run(_bootstrap(settings))
    clouds.write(settings, passwords, moved)
    if passwords:
        click.echo(f"First start: users {' and '.join(passwords)}; passwords in {clouds.path(settings)}")
    return demo


def _make_directory(settings: Settings) -> None:
    try:
        settings.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise SettingsError(f"data: cannot make {settings.directory}: {error.strerror}") from None
    if not os.access(settings.directory, os.W_OK | os.X_OK):
        raise SettingsError(f"data: {settings.directory} cannot be written to")


def _make_stores(settings: Settings) -> None:
    """Those of the directories that are missing: the workers would find out too late that they cannot be made."""
    for name, each in settings.stores.items():
        place = settings.store_directory(name)
        try:
            if each.type == "file":
                place.mkdir(parents=True, exist_ok=True, mode=0o750)
        except OSError as error:
            raise SettingsError(f"stores.{name}: cannot make {place}: {error.strerror}") from None


async def _bootstrap(settings: Settings) -> tuple[dict[str, str], str | None]:
    """The users that were made with their passwords, none after the first start; the id of the project `demo`."""
    database = connect(settings)
    await database.open()
    try:
        wanted = {"admin": os.environ.get("CALOTYPE_ADMIN_PASSWORD", "")}
        accounts = Accounts(database, Passwords(settings.identity))
        passwords = await accounts.bootstrap(wanted)
        demo = await accounts.project_named("demo")
        return passwords, demo.id if demo else None
    finally:
        await database.close()
