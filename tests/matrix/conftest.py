"""Calotype as the matrix meets it."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from calotype.access.tokens import POLL_SECONDS
from tests.matrix.cloud import Cloud
from tests.matrix.people import People
from tests.matrix.play import Table, play
from tests.support.server import Server
from tests.support.servers import Servers
from tests.support.waiting import until

CONFIGURATION = Path(__file__).parent / "matrix.toml"
THREADS = 4


class Deployment(NamedTuple):
    """A server with the stores of the originals, and the personas made in it."""

    server: Server
    cloud: Cloud
    people: People

    def rest(self) -> None:
        """Wait until every token is known, and every change of accounts: then no request looks a token up."""
        time.sleep(1.5 * POLL_SECONDS)
        for each in self.people.person.values():
            self.cloud("image", "GET", "/v2/images?limit=0", each.token)

    def statements(self, asked: set[str]) -> dict[str, int]:
        """How many SQL statements each request took, by the request's id; waits for the lines of those `asked`."""
        found: dict[str, int] = {}

        def read() -> bool:
            lines = [json.loads(line) for line in self.server.log.splitlines() if line.startswith("{")]
            found.update({line["request_id"]: line["sql"] for line in lines if "sql" in line and "request_id" in line})
            return asked <= found.keys()

        asyncio.run(until(read))
        return found


@pytest.fixture(scope="session")
def deployment(servers: Servers) -> Iterator[Callable[[str], Deployment]]:
    """The deployment on `sqlite` or `postgresql`, which its tests share."""
    started: dict[str, Deployment] = {}

    def get(database: str) -> Deployment:
        if database not in started:
            server = servers.unstarted(database, configuration=CONFIGURATION).start()
            cloud = Cloud(server.base, server.base, server.base)
            people = People(cloud, server.clouds["calotype-admin"]["auth"]["password"])
            started[database] = Deployment(server, cloud, people)
        return started[database]

    yield get
    for each in started.values():
        each.server.kill()


@pytest.fixture(scope="session")
def played(deployment: Callable[[str], Deployment]) -> Callable[[str], Table]:
    """The matrix as it was played on a database."""
    tables: dict[str, Table] = {}

    def get(database: str) -> Table:
        if database not in tables:
            on = deployment(database)
            on.rest()
            tables[database] = play(on.cloud, on.people, THREADS)
        return tables[database]

    return get
