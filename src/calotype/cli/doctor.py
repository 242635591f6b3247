"""`calotype doctor`: what is wrong with a deployment, and how to mend it."""

import asyncio
import os
import shutil
import socket
import stat
from collections.abc import Callable, Iterator

import click

from calotype.cli import clouds
from calotype.cli.common import with_settings
from calotype.database import images as rows
from calotype.database import loose, schema
from calotype.database.connect import connect
from calotype.database.schema import SchemaError
from calotype.images.errors import ImageError
from calotype.settings import Settings
from calotype.stores.local import LocalStore

FREE_BYTES = 2**30

Finding = tuple[bool, str]
"""Whether it is in order, and what was found, with the remedy if it is not."""


@click.command()
@with_settings
def doctor(settings: Settings) -> None:
    """Look at a deployment; exit with 1 if something is wrong."""
    findings = [finding for look in _LOOKS for finding in look(settings)]
    for fine, text in findings:
        click.echo(f"{'ok  ' if fine else 'FAIL'}  {text}")
    if not all(fine for fine, _ in findings):
        raise click.exceptions.Exit(1)


def _directory(settings: Settings) -> Iterator[Finding]:
    directory = settings.directory
    if not directory.is_dir():
        yield False, f"{directory} does not exist: run `calotype init --data {settings.data}`, or correct --data"
        return
    for path in (directory, settings.images, directory / "run"):
        if path.exists() and not os.access(path, os.W_OK | os.X_OK):
            yield False, f"{path} cannot be written to by this user: mend its owner or mode"
    free = shutil.disk_usage(directory).free
    yield free > FREE_BYTES, f"{free // 2**20} MiB free in {directory}" + ("" if free > FREE_BYTES else ": make room")


def _clouds(settings: Settings) -> Iterator[Finding]:
    path = clouds.path(settings)
    if not path.exists():
        yield (
            False,
            f"{path} is missing: set passwords with `calotype user set-password`; `calotype init` writes it anew",
        )
    elif stat.S_IMODE(path.stat().st_mode) & 0o077:
        yield False, f"{path} holds passwords and others can read it: chmod 600 {path}"
    else:
        yield True, f"{path} is readable by its owner alone"


def _database(settings: Settings) -> Iterator[Finding]:
    try:
        schema.check(settings.database_url)
    except (SchemaError, ImageError) as error:
        yield False, str(error)
        return
    yield True, f"the database is at revision {schema.head()}"
    yield from asyncio.run(_contents(settings))


async def _contents(settings: Settings) -> list[Finding]:
    """Images whose data is not there, and data that waits for its removal."""
    database = connect(settings)
    store = LocalStore(settings.images)
    await database.open()
    try:
        located = await database.all(rows.LOCATED, {})
        waiting = await database.all(loose.LIST, {})
    finally:
        await database.close()
    wrong = [image_id for image_id, location, size in located if store.size(location) != size]
    found: list[Finding] = [
        (True, f"{len(located)} images have their data, {len(waiting)} files are being written or removed")
    ]
    if wrong:
        text = f"{len(wrong)} of {len(located)} images have no data or data of another size, for example {wrong[0]}"
        found = [(False, f"{text}: restore the files of {settings.images} from a backup, or delete these images")]
    return found


def _listening(settings: Settings) -> Iterator[Finding]:
    host, port = settings.address
    try:
        with socket.create_connection((host, port), timeout=2):
            yield True, f"something answers at {settings.bind}"
    except OSError as error:
        yield True, f"nothing answers at {settings.bind} ({error.strerror or error}); `calotype serve` starts it"


def _tls(settings: Settings) -> Iterator[Finding]:
    for path in (settings.tls.certificate, settings.tls.key):
        if path and not os.access(path, os.R_OK):
            yield False, f"tls: {path} cannot be read"


_LOOKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (_directory, _clouds, _database, _tls, _listening)
