"""DIR/clouds.yaml: how the `openstack` command and openstacksdk find the service and log in."""

import os
from pathlib import Path
from typing import Any

import yaml

from calotype.settings import Settings

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


def write(settings: Settings, passwords: dict[str, str]) -> None:
    """Write the file for the users whose passwords are given, and keep the others in it; readable by its owner alone.

    A changed address is put right for all of them.
    """
    clouds = read(settings)
    for user, password in passwords.items():
        clouds[CLOUDS[user]] = _cloud(settings, user, password)
    for name in CLOUDS.values():
        if name in clouds:
            clouds[name]["auth"]["auth_url"] = identity_url(settings)
    text = "# Written by calotype; its passwords are secrets.\n" + yaml.safe_dump({"clouds": clouds}, sort_keys=False)
    if not path(settings).exists() or path(settings).read_text() != text:
        _replace(path(settings), text)


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
    """The clouds in the file, none if there is no such file."""
    try:
        found = yaml.safe_load(path(settings).read_text())
        return dict(found["clouds"])
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return {}


def _replace(file: Path, text: str) -> None:
    scratch = file.with_suffix(".new")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w") as out:
        out.write(text)
        out.flush()
        os.fsync(descriptor)
    scratch.rename(file)
