"""What the client suites share. Each test begins with an empty catalogue."""

from collections.abc import Callable, Iterator
from pathlib import Path

import openstack
import pytest
from openstack.connection import Connection

from tests.support.disks import Disk, make
from tests.support.personas import Persona
from tests.support.server import Server


@pytest.fixture(autouse=True)
def _empty(sqlite_server: Server) -> None:
    sqlite_server.clear()


@pytest.fixture(scope="session")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Disk]:
    """Makes the disk image of a format, once."""
    made: dict[str, Disk] = {}

    def of(disk_format: str) -> Disk:
        if disk_format not in made:
            made[disk_format] = make(disk_format, tmp_path_factory.mktemp("disk"))
        return made[disk_format]

    return of


@pytest.fixture
def connect() -> Iterator[Callable[[Server, str], Connection]]:
    """Connections of openstacksdk."""
    opened: list[Connection] = []

    def to(server: Server, persona: str = "demo") -> Connection:
        connection = sdk(server, server.personas[persona])
        opened.append(connection)
        return connection

    yield to
    for connection in opened:
        connection.close()


def sdk(server: Server, persona: Persona) -> Connection:
    """openstacksdk logged in with a password."""
    return openstack.connect(
        load_yaml_config=False,
        load_envvars=False,
        auth={
            "auth_url": f"{server.base}/v3",
            "username": persona.user_name,
            "password": persona.password,
            "project_name": persona.project_name,
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        },
        region_name="RegionOne",
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home directory."""
    made = tmp_path / "home"
    made.mkdir()
    return made
