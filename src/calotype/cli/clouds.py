"""DIR/clouds.yaml: how the `openstack` command and openstacksdk find the service and log in."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from calotype.settings import Settings, SettingsError

CLOUDS = {"admin": "calotype-admin", "demo": "calotype-demo"}
"""The name of the cloud for each user that the first start makes."""


def path(settings: Settings) -> Path:
    """Where the file lies."""
    return settings.directory / "clouds.yaml"


def identity_url(settings: Settings) -> str:
    """The identity URL that clients of this machine use."""
    return settings.identity_url or f"{service_url(settings)}/v3"


def service_url(settings: Settings) -> str:
    """The URL of the service as clients of this machine reach it."""
    if settings.public_endpoint:
        return settings.public_endpoint.rstrip("/")
    host, port = settings.address
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - an address to replace, not to bind
    scheme = "https" if settings.tls.certificate else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def write(settings: Settings, passwords: Mapping[str, str], moved: bool = False) -> None:
    """Put the users whose passwords are given into the file, keeping the rest of it; readable by its owner alone.

    With `moved` the address is put right for all of them. A file whose passwords are replaced is kept beside the new
    one. Nothing is written when there is nothing to tell. Raises SettingsError for a file that is not ours to change.
    """
    before = read(settings)
    clouds = {**before, **{CLOUDS[user]: _cloud(settings, user, text) for user, text in passwords.items()}}
    if moved:
        clouds = {name: _moved(settings, cloud) if name in CLOUDS.values() else cloud for name, cloud in clouds.items()}
    if clouds == before:
        return
    if any(CLOUDS[user] in before for user in passwords):
        path(settings).rename(path(settings).with_suffix(f".yaml.{int(time.time())}"))
    text = "# Written by calotype; its passwords are secrets.\n" + yaml.safe_dump({"clouds": clouds}, sort_keys=False)
    _replace(path(settings), text)


def _moved(settings: Settings, cloud: dict[str, Any]) -> dict[str, Any]:
    return {**cloud, "auth": {**cloud["auth"], "auth_url": identity_url(settings)}}


def _cloud(settings: Settings, user: str, password: str) -> dict[str, Any]:
    auth = {
        "auth_url": identity_url(settings),
        "username": user,
        "password": password,
        "project_name": user,
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    return {"auth": auth, "region_name": settings.identity.region, "identity_api_version": 3}


def read(settings: Settings) -> dict[str, Any]:
    """The clouds in the file, none if there is no such file; SettingsError if it is no clouds.yaml."""
    try:
        found = yaml.safe_load(path(settings).read_text())
        return dict(found["clouds"])
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no clouds.yaml; mend it or move it away"
        raise SettingsError(f"{path(settings)}: {reason}") from None


def _replace(file: Path, text: str) -> None:
    scratch = file.with_suffix(".new")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w") as out:
        out.write(text)
        out.flush()
        os.fsync(descriptor)
    scratch.rename(file)
