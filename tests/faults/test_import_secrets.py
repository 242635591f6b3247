"""The token that a glance-download uses: it goes to the remote service and nowhere else, and goes with the task."""

import asyncio
import json
import sqlite3
import time
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from tests.support.attacked import Site, eventually
from tests.support.origin import DATA, Origin, head
from tests.support.outcome import ended, is_active, is_queued
from tests.support.personas import log_in

IMAGE = "7b84a6f5-0f5e-4f53-9d5c-6f3c0d7c1a11"
DOCUMENT = {
    "id": IMAGE,
    "status": "active",
    "size": len(DATA),
    "disk_format": "raw",
    "container_format": "bare",
    "hw_disk_bus": "virtio",
    "os_glance_import_task": "foreign",
    "password": "not taken over",
}
REGIONS = ("good", "hidden", "gone", "away", "lured", "unknown", "forbidding", "short", "odd")


def answers(body: bytes, status: str = "200 OK") -> Callable[[Any], None]:
    """A plain answer."""
    return lambda to: to.sendall(head(len(body), status) + body)


def slowly(to: Any) -> None:
    """The data, in pieces."""
    to.sendall(head(len(DATA)))
    for start in range(0, len(DATA), 100_000):
        to.sendall(DATA[start : start + 100_000])
        time.sleep(0.4)


class Elsewhere:
    """Another image service, with a behaviour for each of its regions, and a host that it redirects to."""

    def __init__(self) -> None:
        document = json.dumps(DOCUMENT).encode()
        self.thief = Origin({"stolen": answers(document), "loot": answers(DATA)})
        behaviours = {
            f"good/v2/images/{IMAGE}": answers(document),
            f"good/v2/images/{IMAGE}/file": slowly,
            f"hidden/v2/images/{IMAGE}": answers(b"", "404 Not Found"),
            f"forbidding/v2/images/{IMAGE}": lambda to: self._refuse(to),
            f"away/v2/images/{IMAGE}": self._to_thief("stolen?with=it"),
            f"lured/v2/images/{IMAGE}": answers(document),
            f"lured/v2/images/{IMAGE}/file": self._to_thief("loot?with=it"),
            f"short/v2/images/{IMAGE}": answers(json.dumps({**DOCUMENT, "size": len(DATA) + 1}).encode()),
            f"short/v2/images/{IMAGE}/file": answers(DATA),
            f"odd/v2/images/{IMAGE}": answers(b"[1, 2]"),
            f"gone/v2/images/{IMAGE}": answers(json.dumps({**DOCUMENT, "status": "deactivated"}).encode()),
        }
        self.origin = Origin(behaviours)

    def _to_thief(self, path: str) -> Callable[[Any], None]:
        return lambda to: to.sendall(head(0, "302 Found", Location=self.thief.url(path)))

    def _refuse(self, to: Any) -> None:
        """Repeat what was sent, as careless services do."""
        to.sendall(head(len(self.origin.requests[-1]), "401 Unauthorized") + self.origin.requests[-1])


@pytest.fixture
def elsewhere() -> Elsewhere:
    """The other image service."""
    return Elsewhere()


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, start: Callable[..., Site], elsewhere: Elsewhere, tmp_path: Any) -> Site:
    """A server that knows the other one, with everything in its log."""
    regions = "\n".join(f'{name} = "{elsewhere.origin.url(name)}"' for name in REGIONS if name != "unknown")
    file = tmp_path / "calotype.toml"
    file.write_text(
        '[uris]\nallowed_networks = ["127.0.0.0/8"]\nallowed_ports = []\n[log]\nlevel = "debug"\n'
        f'[imports]\nmethods = ["glance-download"]\n[imports.glance_endpoints]\n{regions}\n'
    )
    return start(request.param, configuration=file)


def dump(site: Site) -> str:
    """Everything that the database tells whoever asks."""
    if site.server.database.startswith("sqlite"):
        with sqlite3.connect(site.server.data / "calotype.db") as database:
            found = "\n".join(database.iterdump())
        database.close()
        return found

    async def rows() -> str:
        connection = await asyncpg.connect(site.server.database)
        try:
            names = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            return "\n".join([str(await connection.fetch(f"SELECT * FROM {name[0]}")) for name in names])
        finally:
            await connection.close()

    return asyncio.run(rows())


def test_the_token_goes_to_the_remote_service_alone(site: Site, elsewhere: Elsewhere) -> None:
    demo = site.server.personas["demo"]
    token, _ = log_in(site.server.base, demo.user_name, demo.password, demo.project_name)
    images = {region: site.image() for region in REGIONS}
    headers = {"X-Auth-Token": token}
    shown: list[str] = []
    with site.server.client() as api:
        for region, image in images.items():
            method = {"name": "glance-download", "glance_region": region, "glance_image_id": IMAGE}
            answer = api.post(f"/v2/images/{image}/import", json={"method": method}, headers=headers)
            assert answer.status_code == 202, answer.text
        good = images["good"]
        assert site.status(good, "importing") == "importing"
        assert token in dump(site), "Another worker could not go on."
        shown.append(api.get(f"/v2/images/{good}/tasks").text)
    outcomes = {region: ended(site, image, time.monotonic()) for region, image in images.items()}
    good_one = outcomes["good"]
    is_active(good_one, DATA)
    assert good_one.image["hw_disk_bus"] == "virtio"
    assert "password" not in good_one.image
    for region, text in {
        "hidden": "The remote server answered with status 404.",
        "forbidding": "The remote server answered with status 401.",
        "away": "The remote server answered with status 404.",
        "short": f"The remote image should have {len(DATA) + 1} bytes, its data has {len(DATA)}.",
        "odd": "The remote service did not answer with an image.",
        "gone": "The remote image is not active: deactivated",
        "unknown": "No image service is known in region unknown.",
    }.items():
        is_queued(outcomes[region], text)
    # What redirects lead to is read, without the token. The data is asked for at the named service whoever told of the
    # image, with the token: the one that is away does not have it.
    is_active(outcomes["lured"], DATA)
    assert sorted(request.split(b" ")[1] for request in elsewhere.thief.requests) == [
        b"/loot?with=it",
        b"/stolen?with=it",
    ]
    assert [request for request in elsewhere.thief.requests if b"x-auth-token" in request.lower()] == []
    assert f"/away/v2/images/{IMAGE}/file".encode() in [each.split(b" ")[1] for each in elsewhere.origin.requests]
    assert sum(token.encode() in request for request in elsewhere.origin.requests) == len(elsewhere.origin.requests)
    with site.server.client("admin") as api:
        for each in api.get("/v2/tasks").json()["tasks"]:
            shown.append(api.get(f"/v2/tasks/{each['id']}").text)
        shown += [api.get(f"/v2/images/{image}/tasks").text for image in images.values()]
    assert len(shown) == 1 + 2 * len(REGIONS)
    assert [text for text in shown if token in text] == []
    assert token not in site.server.log
    assert token not in dump(site)
    assert eventually(lambda: {name.partition(".")[0] for name in site.files()} == {good, images["lured"]}, 5)
