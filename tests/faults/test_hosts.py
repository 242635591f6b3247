"""Two hosts, each with a data directory of its own, over one database and one store: what they share is enough."""

import asyncio
import hashlib
import time
from pathlib import Path

import httpx
import pytest

from tests.support.importing import OCTETS
from tests.support.server import Server
from tests.support.servers import Servers
from tests.support.waiting import until

DATA = b"staged here, imported there" * 1000


@pytest.fixture
def hosts(servers: Servers, tmp_path: Path) -> list[Server]:
    """Two of them, not started."""
    file = tmp_path / "hosts.toml"
    file.write_text(f'[stores.shared]\ndirectory = "{tmp_path / "shared"}"\n[jobs]\nlease_seconds = 1\n')
    first = servers.unstarted("postgresql", configuration=file)
    second = servers.unstarted("postgresql", configuration=file, url=first.database)
    assert first.data != second.data
    return [first, second]


def test_what_is_staged_on_one_host_is_imported_by_another(hosts: list[Server], tmp_path: Path) -> None:
    first, second = hosts
    first.start()
    try:
        with first.client() as api:
            image = api.post("/v2/images", json={"disk_format": "raw", "container_format": "bare"}).json()["id"]
            api.put(f"/v2/images/{image}/stage", content=DATA, headers=OCTETS).raise_for_status()
    finally:
        first.kill()
    second.personas = first.personas
    second.start()
    try:
        with second.client() as api:
            _import(api, image)
            assert api.get(f"/v2/images/{image}/file").content == DATA
        # The image is active a moment before what was staged is erased.
        asyncio.run(until(lambda: len([path for path in (tmp_path / "shared").iterdir() if path.is_file()]) == 1))
    finally:
        second.stop()


def test_a_task_of_a_host_that_died_goes_on_at_another(hosts: list[Server]) -> None:
    """The first host takes the request and is killed at once; the lease is all that the second one waits for."""
    first, second = hosts
    first.start()
    second.personas = first.personas
    second.start()
    try:
        with first.client() as api:
            image = api.post("/v2/images", json={"disk_format": "raw", "container_format": "bare"}).json()["id"]
            api.put(f"/v2/images/{image}/stage", content=DATA, headers=OCTETS).raise_for_status()
            api.post(f"/v2/images/{image}/import", json={"method": {"name": "glance-direct"}}).raise_for_status()
        first.kill()
        begun = time.monotonic()
        with second.client() as api:
            asyncio.run(until(lambda: _status(api, image) == "active"))
            assert time.monotonic() - begun < 10
            assert api.get(f"/v2/images/{image}").json()["os_hash_value"] == hashlib.sha512(DATA).hexdigest()
    finally:
        first.kill()
        second.stop()


def _import(api: httpx.Client, image: str) -> None:
    api.post(f"/v2/images/{image}/import", json={"method": {"name": "glance-direct"}}).raise_for_status()
    asyncio.run(until(lambda: _status(api, image) == "active"))


def _status(api: httpx.Client, image: str) -> str:
    status: str = api.get(f"/v2/images/{image}").raise_for_status().json()["status"]
    return status
