"""What tempest is pointed at: one server, or several nodes over the same database and data."""

import string
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.server import Server
from tests.support.servers import Servers
from tests.support.system import NETWORK, absent
from tests.tempest.passes import Pass
from tests.tempest.sources import outbound_address

HERE = Path(__file__).parent


@contextmanager
def served(servers: Servers, database: str, each: Pass, home: Path) -> Iterator[list[Server]]:
    """The nodes of a pass, running; `home` gets their settings and caches."""
    settings = home / each.settings
    nodes = [servers.unstarted(database, configuration=settings, environment=_cache(home, 0))]
    for number in range(1, each.nodes):
        over = {"url": nodes[0].database, "options": ("--data", str(nodes[0].data))}
        nodes.append(servers.unstarted(database, configuration=settings, environment=_cache(home, number), **over))
    values = {"address": outbound_address() or absent(NETWORK), "base": nodes[0].base, "other": nodes[-1].base}
    settings.write_text(string.Template((HERE / each.settings).read_text()).substitute(values))
    with ExitStack() as ended:
        for node in nodes:
            node.personas = nodes[0].personas
            node.start()
            ended.callback(node.stop)
        yield nodes


def _cache(home: Path, number: int) -> dict[str, str]:
    return {"CALOTYPE_CACHE_DIRECTORY": str(home / f"cache-{number}")}


def public_image(server: Server) -> str:
    """The id of a new image that everybody sees."""
    body = {"name": "public", "disk_format": "raw", "container_format": "bare", "visibility": "public"}
    with server.client("admin") as api:
        image: str = api.post("/v2/images", json=body).raise_for_status().json()["id"]
        octets = {"Content-Type": "application/octet-stream"}
        api.put(f"/v2/images/{image}/file", content=b"public", headers=octets).raise_for_status()
    return image


def faults(nodes: list[Server]) -> list[str]:
    """The lines of their logs that tell of a fault of the service."""
    lines = [line for node in nodes for line in node.log.splitlines()]
    return [line for line in lines if '"status":5' in line or '"trace"' in line]
