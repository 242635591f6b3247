"""`calotype serve` and `calotype init`."""

import asyncio
import shlex
import shutil
import sys
from functools import partial

import click

from calotype.access.policy import files as policy_files
from calotype.cli import clouds
from calotype.cli.common import with_settings
from calotype.cli.policy import warnings
from calotype.cli.prepare import prepare
from calotype.files import Files, FilesInForce
from calotype.server import check, run, worker
from calotype.settings import Settings


@click.command()
@click.option("--bind", metavar="HOST:PORT", help="Where to listen [default: 127.0.0.1:8776].")
@click.option("--workers", type=click.IntRange(min=1), help="Worker processes [default: 1].")
@click.option("--server", type=click.Choice(["granian", "uvicorn"]), help="The ASGI server [default: granian].")
@click.option("--public-endpoint", metavar="URL", help="URL under which clients reach the service.")
@click.option("--demo", is_flag=True, help="Put in a few small images to look at.")
@with_settings
def serve(settings: Settings, demo: bool) -> None:
    """Run the service. The first start makes the database, the accounts and DIR/clouds.yaml."""
    if demo and settings.identity.source == "keystone":
        raise click.UsageError("--demo needs the projects of the built-in identity; tokens are a Keystone's here.")
    files = check(settings)
    _check_policy(settings, files)
    _check_limits(settings)
    _check_keystone(settings)
    project = prepare(settings, moved=True)
    if demo:
        from calotype.cli.demo import add_images

        add_images(settings)
    click.echo("\n".join(hints(settings, project)))
    sys.stdout.flush()
    kept = FilesInForce(settings, files)
    kept.follow()
    run(settings, partial(worker, settings, kept))


def _check_policy(settings: Settings, files: Files) -> None:
    """Tell what the rules say that their writer hardly meant."""
    for sentence in warnings(settings, policy_files.load(files.policy), files.protections):
        click.echo(f"Warning: policy: {sentence}", err=True)


def _check_limits(settings: Settings) -> None:
    """Refuse a Keystone that will not do; one that is away may come back."""
    if not settings.quota.keystone_limits:
        return
    from calotype.access.keystone.errors import Unreachable
    from calotype.access.keystone.limits import Source

    try:
        Source(settings.keystone).check()
    except Unreachable as error:
        click.echo(f"{error}. Until it can be, what needs the limits of a project is answered with 503.", err=True)


def _check_keystone(settings: Settings) -> None:
    """The same for the Keystone whose tokens count; what its account may not do is told, and memcached that is away."""
    if settings.identity.source != "keystone":
        return
    from calotype.access.keystone import shared_tokens
    from calotype.access.keystone.client import KeystoneClient
    from calotype.access.keystone.errors import Unreachable

    for sentence in asyncio.run(shared_tokens.trouble(settings.keystone)):
        click.echo(f"Warning: {sentence}", err=True)
    try:
        for sentence in KeystoneClient(settings.keystone).check():
            click.echo(f"Warning: {sentence}", err=True)
    except Unreachable as error:
        click.echo(f"{error}. Until it can be, requests with tokens are answered with 503.", err=True)


@click.command()
@with_settings
def init(settings: Settings) -> None:
    """Make the database, the first accounts and DIR/clouds.yaml, and do not serve."""
    prepare(settings)
    if settings.identity.source == "keystone":
        click.echo(f"{accounts(settings)} Register this service in its catalogue with `openstack endpoint create`.")
    config = click.get_current_context().params["config"]
    more = f" --config {shlex.quote(config)}" if config else ""
    click.echo(f"Ready in {settings.directory}. Start it with: {_command()} serve --data {settings.data}{more}")


def accounts(settings: Settings) -> str:
    """Where accounts are when they are not made here."""
    return f"Accounts and tokens are those of the Keystone at {settings.keystone.url}."


def hints(settings: Settings, project: str | None) -> list[str]:
    """Where the service is, and three lines to try, made of tools that this machine has."""
    url = clouds.service_url(settings)
    greeting = f"Calotype serves {url} (Ctrl-C stops it)."
    if settings.identity.source == "keystone":
        return [f"{greeting} {accounts(settings)}", ""]
    if project is None:
        return [greeting, ""]
    calotype = _command()
    data = "" if settings.data == Settings().data else f" --data {shlex.quote(settings.data)}"
    lines = [
        f"TOKEN=$({calotype} token issue --quiet --user demo --project demo{data})",
        f"IMAGE=$({calotype} image upload --quiet{data} FILE)",
        f'curl -H "X-Auth-Token: $TOKEN" {url}/v2.1/{project}/images/$IMAGE'
        if shutil.which("curl")
        else f"{calotype} image show{data} $IMAGE",
    ]
    return [
        f"{greeting} To try it, in another terminal, with a disk image for FILE:",
        "",
        *map("  ".__add__, lines),
        "",
    ]


def _command() -> str:
    """How this very program is called from a shell."""
    return sys.argv[0] if "calotype" in sys.argv[0].rpartition("/")[2] else f"{sys.executable} -m calotype"
