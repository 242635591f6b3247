"""`calotype metadefs`: definitions of what the properties of images, flavors and volumes mean."""

from pathlib import Path
from typing import Any

import click

from calotype.api.image.metadefs import bodies
from calotype.api.wire import BadBody, decode
from calotype.cli.desk import on_database
from calotype.cli.output import Rows
from calotype.database.engine import Database
from calotype.images.errors import ImageError
from calotype.metadefs import loading
from calotype.metadefs.model import Draft, Part


@click.group()
def metadefs() -> None:
    """Metadata definitions."""


@metadefs.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True, path_type=Path), metavar="[FILE]...")
@click.option("--replace", is_flag=True, help="Replace namespaces that are there; they are left alone otherwise.")
@on_database
async def load(database: Database, files: tuple[Path, ...], replace: bool) -> Rows:
    """Load namespaces from JSON files, as Glance has them in etc/metadefs; from a directory, all *.json in it.

    Without a FILE the definitions that come with Calotype are loaded. Nothing is written unless every file is right.
    """
    read = [_read(file) for file in _each(files or (loading.STANDARD,))]
    return [
        {"namespace": draft.name, "result": await loading.load(database, draft, parts, replace)}
        for draft, parts in read
    ]


@metadefs.command("list")
@on_database
async def list_(database: Database) -> Rows:
    """List all namespaces."""
    return [
        {
            "namespace": found.name,
            "visibility": found.visibility,
            "protected": found.protected,
            "owner": found.owner,
            "resource_types": [each.name for each in associations],
        }
        for found, associations in await loading.everything(database)
    ]


@metadefs.command()
@click.argument("namespaces", nargs=-1, required=True, metavar="NAMESPACE...")
@click.option("--force", is_flag=True, help="Remove protected namespaces, too.")
@on_database
async def unload(database: Database, namespaces: tuple[str, ...], force: bool) -> None:
    """Remove namespaces with everything in them."""
    for name in namespaces:
        await loading.unload(database, name, force)


def _each(files: tuple[Path, ...]) -> list[Path]:
    found: list[Path] = []
    for file in files:
        found += sorted(file.glob("*.json")) if file.is_dir() else [file]
    return found


def _read(file: Path) -> tuple[Draft, list[Part]]:
    """The namespace in a file; what a server says of its own namespaces is passed over."""
    try:
        document: Any = decode(file.read_bytes())
        if not isinstance(document, dict):
            raise click.ClickException(f"{file}: this is not one namespace, a JSON object.")
        return bodies.namespace({name: value for name, value in document.items() if name not in bodies.MADE})
    except BadBody:
        raise click.ClickException(f"{file}: this is not JSON in UTF-8.") from None
    except ImageError as error:
        # What follows the first line is the schema, whole.
        raise click.ClickException(f"{file}: {str(error).splitlines()[0]}") from None
