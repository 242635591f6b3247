"""What the commands share: how settings are given, and how a refusal is told."""

import functools
import os
from collections.abc import Callable
from typing import Any

import click

from calotype import settings as tree
from calotype.access.errors import AccessError
from calotype.database.schema import SchemaError
from calotype.images.errors import ImageError
from calotype.settings import Settings, SettingsError

_OPTIONS = (
    click.option("--data", metavar="DIR", help="Directory of everything that is kept [default: calotype-data]."),
    click.option("--database", metavar="URL", help="postgresql://USER@HOST/NAME or sqlite:///FILE [default: DIR]."),
    click.option("--config", metavar="FILE", envvar="CALOTYPE_CONFIG", help="TOML file with settings."),
)


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that every command has; the command is given `settings` instead of them.

    Every refusal that a user can mend is one line on standard error and exit code 1.
    """

    @functools.wraps(command)
    def run(data: str | None, database: str | None, config: str | None, **more: Any) -> None:
        flags = {"data": data, "database": database, **{name: more.pop(name) for name in _TOP_LEVEL if name in more}}
        for name in tree.unknown_variables(os.environ):
            click.echo(f"Warning: {name} is no setting and is ignored; `calotype settings` lists them.", err=True)
        try:
            command(settings=tree.load(config, os.environ, flags), **more)
        except (SettingsError, SchemaError, ImageError, AccessError) as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            raise click.ClickException(f"{place}{error.strerror or error}") from error

    for option in reversed(_OPTIONS):
        run = option(run)
    return run


_TOP_LEVEL = ("bind", "workers", "server", "public_endpoint")


def prepared(settings: Settings) -> Settings:
    """The same settings, after a look whether there is a database with the right tables."""
    from calotype.database import schema

    schema.check(settings.database_url)
    return settings
