"""`calotype image`: upload and show through the public API, for machines without another client."""

import json
import sys
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

from calotype.cli import clouds
from calotype.cli.common import with_settings
from calotype.images.errors import ContentRefused
from calotype.settings import Settings

PIECE = 1024 * 1024


@click.group()
def image() -> None:
    """Upload and show images through the running service."""


@image.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", help="Name of the image [default: the file's].")
@click.option("--disk-format", help="Disk format [default: what the file is].")
@click.option("--cloud", default="calotype-demo", show_default=True, help="Cloud of DIR/clouds.yaml to act as.")
@click.option("--quiet", is_flag=True, help="Print the id alone.")
@with_settings
def upload(settings: Settings, file: Path, name: str | None, disk_format: str | None, cloud: str, quiet: bool) -> None:
    """Upload a disk image."""
    client = Client(settings, cloud)
    attributes = {
        "name": name or file.name,
        "disk_format": disk_format or _format_of(file),
        "container_format": "bare",
    }
    made = client.call("POST", "/v2/images", json.dumps(attributes).encode())
    with open(file, "rb") as source:
        client.call("PUT", f"/v2/images/{made['id']}/file", _progress(source, file.stat().st_size), file.stat().st_size)
    click.echo(made["id"] if quiet else json.dumps(client.call("GET", f"/v2/images/{made['id']}"), indent=2))


@image.command()
@click.argument("image_id", metavar="ID")
@click.option("--cloud", default="calotype-demo", show_default=True, help="Cloud of DIR/clouds.yaml to act as.")
@with_settings
def show(settings: Settings, image_id: str, cloud: str) -> None:
    """Make the origin call, GET /v2.1/{project}/images/{ID}, and print its answer."""
    client = Client(settings, cloud)
    click.echo(json.dumps(client.call("GET", f"/v2.1/{client.project}/images/{image_id}"), indent=2))


def _format_of(file: Path) -> str:
    from calotype.images.inspect import detect

    try:
        with open(file, "rb") as source:
            return detect(source)
    except ContentRefused as error:
        raise click.ClickException(f"{file}: {error.text}; say what it is with --disk-format") from None


def _progress(source: BinaryIO, size: int) -> Iterator[bytes]:
    """The pieces of a file, with a bar while they go when someone watches."""
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("upload", total=size)
        while piece := source.read(PIECE):
            yield piece
            bar.advance(task, len(piece))


class Client:
    """The service as a cloud of DIR/clouds.yaml reaches it."""

    def __init__(self, settings: Settings, cloud: str) -> None:
        if settings.identity.source == "keystone":
            raise click.ClickException("Accounts are a Keystone's: use `openstack image` with one of them.")
        entry = clouds.read(settings).get(cloud)
        if entry is None:
            raise click.ClickException(f"{clouds.path(settings)} has no cloud {cloud}: is --data right?")
        self._url = urlsplit(entry["auth"]["auth_url"].removesuffix("/v3"))
        self._token, self.project = self._log_in(entry["auth"])

    def _log_in(self, auth: dict[str, str]) -> tuple[str, str]:
        domain = {"name": auth["user_domain_name"]}
        user = {"name": auth["username"], "domain": domain, "password": auth["password"]}
        scope = {"project": {"name": auth["project_name"], "domain": {"name": auth["project_domain_name"]}}}
        identity = {"methods": ["password"], "password": {"user": user}}
        body = json.dumps({"auth": {"identity": identity, "scope": scope}}).encode()
        answer = self._send("POST", "/v3/auth/tokens", body, {"Content-Type": "application/json"})
        document = _document(answer)
        return answer.headers["X-Subject-Token"], document["token"]["project"]["id"]

    def call(self, method: str, path: str, body: Any = None, size: int | None = None) -> Any:
        """One call; a refusal ends the command with the service's own words."""
        kind = "application/json" if size is None else "application/octet-stream"
        headers = {"X-Auth-Token": self._token, "Accept": "application/json", "Content-Type": kind}
        if size is not None:
            headers["Content-Length"] = str(size)
        return _document(self._send(method, path, body, headers))

    def _send(self, method: str, path: str, body: Any, headers: dict[str, str]) -> HTTPResponse:
        kind = HTTPSConnection if self._url.scheme == "https" else HTTPConnection
        connection = kind(self._url.hostname or "", self._url.port, timeout=600)
        try:
            connection.request(method, self._url.path + path, body, headers)
            return connection.getresponse()
        except OSError as error:
            where = f"{self._url.scheme}://{self._url.netloc}"
            raise click.ClickException(f"{where} does not answer ({error}): is the service running?") from None


def _document(answer: HTTPResponse) -> Any:
    body = answer.read()
    if answer.status >= 400:
        raise click.ClickException(f"{answer.status} {answer.reason}: {body.decode(errors='replace').strip()}")
    return json.loads(body) if body else None
