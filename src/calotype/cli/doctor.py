"""`calotype doctor`: what is wrong with a deployment, and how to mend it."""

import asyncio
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path

import click

from calotype.access import protections
from calotype.access.access_keys import AccessKeys
from calotype.access.vault import Vault
from calotype.cli import clouds
from calotype.cli.common import with_settings
from calotype.cli.policy import policy_of, warnings
from calotype.database import images as rows
from calotype.database import loose, schema
from calotype.database.connect import connect
from calotype.database.schema import SchemaError
from calotype.images import schema_properties
from calotype.images.errors import ImageError
from calotype.images.plugins import ready
from calotype.settings import Settings, SettingsError
from calotype.stores.fetch import Fetcher
from calotype.stores.shelf import LOCAL, Shelf

FREE_BYTES = 2**30

Finding = tuple[bool, str]
"""Whether it is in order, and what was found, with the remedy if it is not."""


@click.command()
@click.option("--bind", metavar="HOST:PORT", help="Where the server listens [default: 127.0.0.1:8776].")
@with_settings
def doctor(settings: Settings) -> None:
    """Look at a deployment; exit with 1 if something is wrong."""
    looks = _LOOKS if settings.directory.is_dir() else (_missing,)
    findings = [finding for look in looks for finding in look(settings)]
    for fine, text in findings:
        click.echo(f"{'ok  ' if fine else 'FAIL'}  {text}")
    if not all(fine for fine, _ in findings):
        raise click.exceptions.Exit(1)


def _missing(settings: Settings) -> Iterator[Finding]:
    what = "is no directory" if settings.directory.exists() else "does not exist"
    yield False, f"{settings.directory} {what}: correct --data, or run `calotype init --data {settings.data}`"


def _directory(settings: Settings) -> Iterator[Finding]:
    directory = settings.directory
    stores = [settings.store_directory(name) for name, each in settings.stores.items() if each.type == "file"]
    own = [directory / "run", directory / "scratch"]
    places = [directory, settings.images, settings.images / ".partial", *own, *stores]
    if settings.cache.directory:
        places.append(directory / settings.cache.directory)
    for path in dict.fromkeys(places):
        yield from _usable(path)
    for path in dict.fromkeys((directory, *filter(Path.is_dir, stores))):
        free = shutil.disk_usage(path).free
        yield free > FREE_BYTES, f"{free // 2**20} MiB free in {path}" + ("" if free > FREE_BYTES else ": make room")


def _usable(path: Path) -> Iterator[Finding]:
    if path.exists() and not path.is_dir():
        yield False, f"{path} is no directory: move it away"
    elif path.exists() and not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        yield False, f"{path} cannot be written to: mend its owner or mode, or how it is mounted"


def _clouds(settings: Settings) -> Iterator[Finding]:
    if settings.identity.source == "keystone":
        return
    path = clouds.path(settings)
    mend = f"`calotype user set-password demo --data {settings.data}` writes it anew, and so for admin"
    try:
        found = clouds.read(settings)
    except SettingsError as error:
        yield False, str(error)
        return
    missing = [name for name in clouds.CLOUDS.values() if name not in found]
    if missing:
        yield False, f"{path} lacks {' and '.join(missing)}: {mend}"
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
    yield from asyncio.run(_access_keys(settings))


async def _access_keys(settings: Settings) -> list[Finding]:
    """Whether the secrets of access keys can be read."""
    database = connect(settings)
    path = settings.access_key_file
    await database.open()
    try:
        if not await AccessKeys(database, Vault(path)).check():
            return []
    except SettingsError as error:
        return [(False, str(error))]
    finally:
        await database.close()
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        return [(False, f"{path} is a secret and others can read it: chmod 600 {path}")]
    return [(True, "the secrets of access keys can be read")]


async def _contents(settings: Settings) -> list[Finding]:
    """Images whose data is not there, and data that waits for its removal."""
    database = connect(settings)
    fetcher = Fetcher(settings.uris)
    shelf = Shelf(settings, fetcher)
    await database.open()
    await fetcher.open()
    try:
        located = await database.all(rows.LOCATED, {})
        waiting = await database.all(loose.LIST, {})
        lacking = [
            (place, image_id)
            for image_id, locations, size in located
            for place in await _lacking(shelf, locations, size)
        ]
    finally:
        await fetcher.close()
        await database.close()
    by_store: dict[str, list[str]] = {}
    for store, image_id in lacking:
        by_store.setdefault(store, []).append(image_id)
    whole = len(located) - len({image_id for _, image_id in lacking})
    found: list[Finding] = [(True, f"{whole} images have data, {len(waiting)} files are being written or removed")]
    return found + [(False, _lack(settings, store, images)) for store, images in by_store.items()]


def _lack(settings: Settings, store: str, images: list[str]) -> str:
    """What is wrong with a store that lacks data of these images, and what to do."""
    told = (
        f"the store {store} lacks data of {len(images)} images, or has data of another size, for example of {images[0]}"
    )
    if store not in settings.stores and store != LOCAL:
        return f"{told}: it is not configured; put [stores.{store}] back"
    if store in settings.stores and settings.stores[store].type == "http":
        return f"{told}: the servers that it names do not answer, or have other data by now"
    place = settings.images if store == LOCAL else settings.store_directory(store)
    return f"{told}: is {place} mounted and the right directory? Else restore its files, or delete these images"


async def _lacking(shelf: Shelf, locations: str, size: int) -> list[str]:
    """The stores whose data is not as large as it should be; `locations` is the column's text."""
    lacking = []
    for each in rows.decode_locations(locations):
        try:
            whole = await shelf[each.store].size(each.name) == size
        except ImageError:
            whole = False
        if not whole:
            lacking.append(each.store)
    return lacking


def _listening(settings: Settings) -> Iterator[Finding]:
    host, port = settings.address
    kind = HTTPSConnection if settings.tls.certificate else HTTPConnection
    connection = kind(host, port, timeout=5)
    try:
        connection.request("GET", "/healthcheck")
        healthy = connection.getresponse().read() == b"OK"
    except ConnectionRefusedError:
        yield (
            True,
            f"nothing listens at {settings.bind}: `calotype serve` starts the service; --bind names another place",
        )
        return
    except (OSError, HTTPException) as error:
        yield False, f"what listens at {settings.bind} does not answer: {error}"
        return
    finally:
        connection.close()
    yield healthy, f"{settings.bind} answers" + ("" if healthy else ", but is not Calotype: choose another --bind")


def _tls(settings: Settings) -> Iterator[Finding]:
    for path in (settings.tls.certificate, settings.tls.key):
        if path and not os.access(path, os.R_OK):
            yield False, f"tls: {path} cannot be read"


def _policy(settings: Settings) -> Iterator[Finding]:
    named = settings.policy.file or settings.policy.directory
    if not named:
        return
    try:
        policy = policy_of(settings)
    except SettingsError as error:
        yield False, str(error)
        return
    with suppress(SettingsError):  # of the file of protections: told below
        sentences = warnings(settings, policy, protections.read(settings.image))
        yield from ((False, f"policy: {sentence}") for sentence in sentences)
        if not sentences:
            yield True, f"{named} is in order"


def _property_files(settings: Settings) -> Iterator[Finding]:
    image = settings.image
    looks: list[tuple[str, Callable[[], object]]] = [
        (
            image.property_protection_file,
            lambda: protections.load(image, policy_of(settings), protections.read(image)),
        ),
        (image.schema_file, lambda: schema_properties.load(image, schema_properties.read(image))),
    ]
    for path, look in looks:
        if path:
            try:
                look()
                yield True, f"{path} is in order"
            except SettingsError as error:
                yield False, str(error)


def _plugins(settings: Settings) -> Iterator[Finding]:
    try:
        ready.check(settings)
    except SettingsError as error:
        yield False, str(error)


def _limits(settings: Settings) -> Iterator[Finding]:
    if not settings.quota.keystone_limits:
        return
    from calotype.access.keystone.errors import Unreachable
    from calotype.access.keystone.limits import Source

    try:
        Source(settings.keystone).check()
    except (SettingsError, Unreachable) as error:
        yield False, f"limits: {error}"
    else:
        yield True, f"Keystone at {settings.keystone.url} has limits for the image service"


def _keystone(settings: Settings) -> Iterator[Finding]:
    if settings.identity.source != "keystone":
        return
    from calotype.access.keystone.client import KeystoneClient
    from calotype.access.keystone.errors import Unreachable

    url = settings.keystone.url
    try:
        client = KeystoneClient(settings.keystone)
        missing = client.check()
        endpoint = settings.compute.image_endpoint or client.image_endpoint()
    except (SettingsError, Unreachable) as error:
        yield False, f"keystone: {error}"
        return
    yield from ((False, f"keystone: {sentence}") for sentence in missing)
    if not missing:
        yield True, f"Keystone at {url} validates tokens"
    if not endpoint:
        yield (
            False,
            f"keystone: {url} has no {settings.keystone.interface} endpoint of the image service in its catalogue: "
            "create it, or correct keystone.service_type, service_name, region and interface",
        )


def _memcached(settings: Settings) -> Iterator[Finding]:
    if settings.identity.source != "keystone" or not settings.keystone.memcached:
        return
    from calotype.access.keystone import shared_tokens

    try:
        trouble = asyncio.run(shared_tokens.trouble(settings.keystone))
    except SettingsError as error:
        trouble = [str(error)]
    yield from ((False, sentence) for sentence in trouble)
    if not trouble:
        yield True, f"memcached at {', '.join(settings.keystone.memcached)} can be used"


_LOOKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    _directory,
    _clouds,
    _database,
    _plugins,
    _tls,
    _policy,
    _property_files,
    _limits,
    _keystone,
    _memcached,
    _listening,
)
