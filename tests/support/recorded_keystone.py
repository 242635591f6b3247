"""What Keystone 30.0.0 answers about limits: its own bytes, recorded, from a real socket."""

import socketserver
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from calotype.settings import Keystone
from tests.support.keystone_limits import PASSWORD, user

RECORDED = Path(__file__).parent / "recorded" / "keystone"
DEMO = "50cc7e0974ce4afeb2a03a59976caaed"
"""The project that was recorded with limits of its own; all others have the registered ones."""

# Method and path, without /v3: which recording answers.
_ANSWERS = {
    "POST /auth/tokens": "token",
    "GET /limits/model": "model",
    "GET /services": "services",
    "GET /endpoints": "endpoints",
    "GET /endpoints/9ab7f250588049fda52eb6f870599ff3": "endpoint",
    "GET /registered_limits": "registered-limits",
    "GET /limits": "limits-none",
}


class RecordedKeystone:
    """A small server of recordings. `answers` may be changed; `asked` are the requests so far; `delay` is seconds."""

    def __init__(self) -> None:
        self.answers = dict(_ANSWERS)
        self.asked: list[str] = []
        self.delay = 0.0
        self.project = DEMO
        self._port = 0
        self.come()

    @property
    def settings(self) -> Keystone:
        """The recorded user at this server."""
        return user(f"http://127.0.0.1:{self._port}/v3")

    def come(self) -> None:
        """Begin to listen, on the port of before."""
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                method, target, _ = self.rfile.readline().decode().split()
                headers = {}
                while line := self.rfile.readline().strip():
                    name, _, value = line.decode().partition(":")
                    headers[name.lower()] = value
                body = self.rfile.read(int(headers.get("content-length", 0)))
                self.wfile.write(outer.answer(method, target, body))

        class Listener(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self._server = Listener(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def go(self) -> None:
        """Be away: connections are refused."""
        self._server.shutdown()
        self._server.server_close()

    def count(self, what: str) -> int:
        """How often that was asked."""
        return self.asked.count(what)

    def answer(self, method: str, target: str, body: bytes) -> bytes:
        """The recorded bytes; of the recorded project, `project` has taken the place."""
        url = urlsplit(target)
        what = f"{method} {url.path.removeprefix('/v3')}"
        self.asked.append(what)
        time.sleep(self.delay)
        name = self.answers.get(what, "endpoint-unknown")
        if what == "POST /auth/tokens" and not _knows(body):
            name = "token-refused"
        if name == "limits-none" and parse_qs(url.query)["project_id"] == [self.project]:
            name = "limits-of-demo"
        return (RECORDED / f"{name}.http").read_bytes().replace(DEMO.encode(), self.project.encode())


def _knows(body: bytes) -> bool:
    sent: Any = msgspec.json.decode(body)
    return bool(sent["auth"]["identity"]["password"]["user"]["password"] == PASSWORD)
