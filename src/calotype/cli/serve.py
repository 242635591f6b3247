"""`calotype serve` and `calotype init`."""

import shutil
import sys

import click

from calotype.cli import clouds
from calotype.cli.common import with_settings
from calotype.cli.prepare import prepare
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
    prepare(settings)
    if demo:
        from calotype.cli.demo import add_images

        add_images(settings)
    click.echo("\n".join(hints(settings)))
    sys.stdout.flush()
    from calotype.server import run

    run(settings)


@click.command()
@with_settings
def init(settings: Settings) -> None:
    """Make the database, the first accounts and DIR/clouds.yaml, and do not serve."""
    prepare(settings)
    click.echo(f"Ready in {settings.directory}. Start it with: {_command()} serve --data {settings.data}")


def hints(settings: Settings) -> list[str]:
    """Three lines to try, made of tools that this machine has."""
    url = clouds.service_url(settings)
    calotype, data = _command(), f" --data {settings.data}"
    token = f"{calotype} token issue --user demo --project demo{data}"
    lines = [f"Calotype serves {url}  (Ctrl-C stops it). To try it, in another terminal:", ""]
    if not shutil.which("curl"):
        upload = f"{calotype} image upload FILE{data}"
        show = f"{calotype} image show ID{data}"
        return [*lines, f"  {token}", f"  {upload}", f"  {show}", ""]
    upload = f"IMAGE=$({calotype} image upload FILE --quiet{data})"
    show = f'curl -H "X-Auth-Token: $TOKEN" {url}/v2.1/images/$IMAGE'
    return [*lines, f"  TOKEN=$({token})", f"  {upload}", f"  {show}", ""]


def _command() -> str:
    """How this very program is called from a shell."""
    return sys.argv[0] if "calotype" in sys.argv[0].rpartition("/")[2] else f"{sys.executable} -m calotype"
