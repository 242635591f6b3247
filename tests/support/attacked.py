"""A server under attack, and what is asked of it."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from tests.support.raw import Raw
from tests.support.server import Server

OCTETS = {"Content-Type": "application/octet-stream"}
PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}


class Site:
    """A server, and what a test of faults asks of it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.token = server.personas["demo"].token

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.server.port

    def image(self, **attributes: Any) -> str:
        """The id of a new image that data can be uploaded to."""
        body = {"name": "image", "disk_format": "raw", "container_format": "bare", **attributes}
        with self.server.client() as api:
            found: str = api.post("/v2/images", json=body).raise_for_status().json()["id"]
        return found

    def put(self, image: str, data: bytes) -> httpx.Response:
        """Upload data."""
        with self.server.client() as api:
            return api.put(f"/v2/images/{image}/file", content=data, headers=OCTETS)

    def show(self, image: str) -> dict[str, Any]:
        """The image."""
        with self.server.client() as api:
            found: dict[str, Any] = api.get(f"/v2/images/{image}").raise_for_status().json()
        return found

    def data(self, image: str) -> bytes:
        """The image's data."""
        with self.server.client() as api:
            return api.get(f"/v2/images/{image}/file").raise_for_status().content

    def status(self, image: str, wanted: str, seconds: float = 10.0) -> str:
        """The image's status, once it is `wanted` or the time is up."""
        until = time.monotonic() + seconds
        while (found := str(self.show(image)["status"])) != wanted and time.monotonic() < until:
            time.sleep(0.02)
        return found

    def files(self) -> set[str]:
        """The names of all data, unfinished data as `.partial/NAME`."""
        root = self.server.data / "images"
        return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}

    def only(self, wanted: set[str], seconds: float = 5.0) -> set[str]:
        """The names of all data, once they are the `wanted` or the time is up."""
        until = time.monotonic() + seconds
        while (found := self.files()) != wanted and time.monotonic() < until:
            time.sleep(0.02)
        return found

    def upload_head(self, image: str, **headers: str) -> tuple[str, str, dict[str, str]]:
        """Method, path and headers of an upload."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return "PUT", f"/v2/images/{image}/file", {"X-Auth-Token": self.token, **OCTETS, **named}

    def works(self) -> None:
        """Assert that an image can be made, uploaded, read and deleted."""
        image = self.image()
        assert self.put(image, b"it works").status_code == 204
        assert self.data(image) == b"it works"
        with self.server.client() as api:
            assert api.delete(f"/v2/images/{image}").status_code == 204

    def workers(self) -> list[int]:
        """The process ids of the workers."""
        found = Path(f"/proc/{self.server.pid}/task/{self.server.pid}/children").read_text().split()
        return [int(each) for each in found if _works(each)]

    def scattered(self, count: int) -> tuple[list[Raw], int]:
        """So many connections that no worker has all of, and the worker that has the first."""
        held: list[tuple[Raw, int]] = []
        for _ in range(1000):
            client = Raw(self.port)
            with suppress(OSError):  # a worker had it that was just killed
                held.append((client, self._owner(client)))
            if len(held) == count:
                if len({owner for _, owner in held}) > 1:
                    return [client for client, _ in held], held[0][1]
                held.pop()[0].close()
        raise AssertionError("One worker takes all connections.")

    def _owner(self, client: Raw) -> int:
        """The worker that has accepted the connection; raises OSError when it was broken."""
        found: set[int] = set()

        def seen() -> bool:
            found.update(pid for pid in self.workers() if _has(pid, client))
            return bool(found)

        assert eventually(seen, 10), "Nobody accepts it."
        return found.pop()


def eventually(check: Callable[[], bool], seconds: float) -> bool:
    """Whether it becomes true in time."""
    until = time.monotonic() + seconds
    while not check():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def pid_exists(pid: int) -> bool:
    """Whether there is such a process."""
    return os.path.exists(f"/proc/{pid}")


def _works(pid: str) -> bool:
    """Whether a child of the server is a living worker."""
    with suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
        return bool(line) and b"resource_tracker" not in line
    return False


def _has(pid: int, client: Raw) -> bool:
    """Whether the process holds the server's end of the connection."""
    near, far = (f"0100007F:{port:04X}" for port in (client.socket.getpeername()[1], client.socket.getsockname()[1]))
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    # A set, as a table that changes while it is read repeats rows.
    ours = {f"socket:[{row[9]}]" for row in rows if row[1:3] == [near, far]}
    with suppress(FileNotFoundError, ProcessLookupError):  # a file closed meanwhile
        return any(os.readlink(each) in ours for each in Path(f"/proc/{pid}/fd").iterdir())
    return False
