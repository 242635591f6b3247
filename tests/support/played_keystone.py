"""A Keystone played from a script, on a socket: what it answers may be set, and what it was asked is kept."""

import json
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from calotype.access.moments import microseconds
from calotype.settings import Keystone

START = datetime(2026, 11, 23, 17, 9, 17, tzinfo=UTC)
PASSWORD = "a secret of the service"
CATALOGUE = [
    {
        "type": "image",
        "name": "glance",
        "id": "s1",
        "endpoints": [
            {"id": "e1", "interface": "public", "region": "RegionOne", "region_id": "RegionOne",
             "url": "https://image.example/v2/"},
            {"id": "e2", "interface": "internal", "region": "RegionOne", "region_id": "RegionOne",
             "url": "http://10.0.0.1:9292"},
        ],
    }
]  # fmt: skip


def moment(seconds: float) -> str:
    """A time as Keystone tells it, counted from START."""
    return (START + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def token(name: str = "demo", expires: float = 86_400, **more: Any) -> dict[str, Any]:
    """What Keystone 30 answers to a validation of a member's token, with other members in their place."""
    return {
        "methods": ["password"],
        "user": {
            "domain": {"id": "default", "name": "Default"},
            "id": f"user-{name}",
            "name": name,
            "password_expires_at": None,
        },
        "audit_ids": [f"audit-{name}"],
        "expires_at": moment(expires),
        "issued_at": moment(0),
        "project": {"domain": {"id": "acme", "name": "Acme"}, "id": f"project-{name}", "name": name},
        "is_domain": False,
        "roles": [{"id": "r1", "name": "reader"}, {"id": "r2", "name": "Member"}],
        **more,
    }


def token_of_today(name: str = "demo", seconds: float = 3600, ahead: float = 0.0, **more: Any) -> dict[str, Any]:
    """The same, issued a moment ago, by a clock that is so many seconds ahead."""
    now = datetime.now(UTC) + timedelta(seconds=ahead)
    times = {
        "issued_at": now.strftime("%Y-%m-%dT%H:%M:%S.000000Z"),
        "expires_at": (now + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }
    return token(name) | times | more


class Clock:
    """Both clocks of a worker, moved by hand; at the start it is START."""

    def __init__(self) -> None:
        self.passed = 0.0

    def wall(self) -> int:
        """Microseconds since 1970."""
        return microseconds(moment(0)) + round(self.passed * 1_000_000)

    def monotonic(self) -> float:
        """Seconds."""
        return self.passed


class PlayedKeystone:
    """`tokens` are what it knows, `events` what it revoked; `asked` has each request so far, `headers` its headers.

    `status` is what is answered instead, by the kind of request, with the message `says`; `cuts` are how many next
    connections break before the answer; `credential` is the account's application credential; `delay` is in seconds;
    `ahead` is by how many seconds its clock is.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.tokens: dict[str, dict[str, Any]] = {}
        self.events: list[dict[str, str]] = []
        self.status: dict[str, int] = {}
        self.says = "as the script has it"
        self.asked: list[str] = []
        self.queries: list[dict[str, list[str]]] = []
        self.headers: list[dict[str, str]] = []
        self.roles = ["service"]
        self.credential = ""
        self.delay = 0.0
        self.ahead = 0.0
        self.cuts = 0
        self.body: bytes | None = None
        self._good: set[str] = set()
        self._port = 0
        self.come()

    @property
    def url(self) -> str:
        """Its URL."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}/v3"

    @property
    def settings(self) -> Keystone:
        """A service that asks it."""
        return Keystone(url=self.url, username="glance", password=PASSWORD, project="service", timeout_seconds=2)

    def count(self, what: str) -> int:
        """How often that was asked."""
        return self.asked.count(what)

    def withdraw(self) -> None:
        """Forget the tokens of the service."""
        self._good.clear()

    def come(self) -> None:
        """Begin to listen, on the port of before."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.get(self)

            def do_POST(self) -> None:
                outer.log_in(self)

            def log_message(self, *_: Any) -> None:
                pass

        class Listener(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

        self._server = Listener(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_address[1]
        if self._tls:
            self._server.socket = self._tls.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def go(self) -> None:
        """Be away: connections are refused, and kept ones are of no use."""
        self.status["*"] = -1
        self._server.shutdown()
        self._server.server_close()

    def back(self) -> None:
        """The end of that."""
        del self.status["*"]
        self.come()

    def log_in(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer a log-in of the service."""
        sent = json.loads(handler.rfile.read(int(handler.headers["content-length"])))
        if self._note("login", handler, {}):
            return
        if sent["auth"]["identity"]["password"]["user"]["password"] != PASSWORD:
            return _send(handler, 401, _error(401, "The request you have made requires authentication."))
        made = f"own-{self.count('login')}"
        self._good.add(made)
        _send(handler, 201, {"token": self._own()}, {"X-Subject-Token": made})

    def get(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer everything else."""
        url = urlsplit(handler.path)
        query = parse_qs(url.query, keep_blank_values=True)
        subject = handler.headers.get("x-subject-token", "")
        what = {"/v3/auth/tokens": "validate", "/v3/OS-REVOKE/events": "events"}[url.path]
        if subject == handler.headers["x-auth-token"]:
            what = "catalogue"
        if self._note(what, handler, query):
            return
        if handler.headers["x-auth-token"] not in self._good:
            return _send(handler, 401, _error(401, "The request you have made requires authentication."))
        if what == "events":
            return _send(handler, 200, {"events": self.events, "links": {}})
        if what == "catalogue":
            return _send(handler, 200, {"token": self._own() | {"catalog": CATALOGUE}})
        if self.body is not None:
            return _send(handler, 200, self.body)
        found = self.tokens.get(subject)
        if found is None:
            return _send(handler, 404, _error(404, f"Could not find token: {subject}."))
        return _send(handler, 200, {"token": found}, {"X-Subject-Token": subject})

    def _own(self) -> dict[str, Any]:
        roles = [{"id": name, "name": name} for name in self.roles]
        credential = {"application_credential": {"id": self.credential}} if self.credential else {}
        return token_of_today("glance", ahead=self.ahead, roles=roles, **credential)

    def _note(self, what: str, handler: BaseHTTPRequestHandler, query: dict[str, list[str]]) -> bool:
        """Keep what was asked; whether it is answered by that already."""
        self.asked.append(what)
        self.queries.append(query)
        self.headers.append({name.lower(): value for name, value in handler.headers.items()})
        time.sleep(self.delay)
        status = self.status.get("*") or self.status.get(what)
        if self.cuts:
            self.cuts, status = self.cuts - 1, -1
        if status == -1:
            handler.close_connection = True
        elif status:
            _send(handler, status, _error(status, self.says))
        return bool(status)


def _error(status: int, message: str) -> dict[str, Any]:
    return {"error": {"code": status, "message": message, "title": "title"}}


def _send(handler: BaseHTTPRequestHandler, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    handler.send_response(status)
    usual = {"Content-Type": "application/json", "Content-Length": str(len(content))}
    for name, value in (usual | (headers or {})).items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(content)
