"""`calotype db`: the tables of the database."""

import click

from calotype.cli.common import with_settings
from calotype.database import schema
from calotype.settings import Settings


@click.group()
def db() -> None:
    """The tables of the database."""


@db.command()
@with_settings
def upgrade(settings: Settings) -> None:
    """Create the tables or bring them to this version; safe to repeat and to run on several hosts."""
    settings.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    before = schema.current(settings.database_url)
    schema.upgrade(settings.database_url)
    after = schema.current(settings.database_url)
    click.echo(f"up to date at {after}" if before == after else f"upgraded from {before or 'nothing'} to {after}")


@db.command()
@with_settings
def current(settings: Settings) -> None:
    """Print the revision of the tables."""
    click.echo(schema.current(settings.database_url) or "none")


@db.command()
@with_settings
def check(settings: Settings) -> None:
    """Exit with 1 unless the tables are those that this version needs."""
    schema.check(settings.database_url)
    click.echo(f"up to date at {schema.head()}")
