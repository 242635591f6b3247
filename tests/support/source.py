"""What images are imported from: a web server on loopback, with a path for each way that a server may behave."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

DATA = b"0123456789"
HELD_SECONDS = 30.0
REDIRECTS = {"/moved": "/data", "/loop": "/loop", "/inside": "http://169.254.169.254/data", "/local": "file:///data"}
STATUSES = {"/broken": 500, "/barred": 401}


class _Source(http.server.BaseHTTPRequestHandler):
    """Answers to GET and HEAD. What `/held` begins to send is sent to its end once `/release` was asked for."""

    protocol_version = "HTTP/1.1"
    server: "_Server"

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path in ("/data", "/long"):
            self._answer(200, DATA * (1000 if path == "/long" else 1))
        elif path == "/empty":
            self._answer(200)
        elif path == "/short":
            self._answer(200, DATA, announced=1000)
            self.close_connection = True
        elif path == "/held":
            self._answer(200, DATA[:5], announced=len(DATA))
            if self.command == "GET" and self.server.released.wait(HELD_SECONDS):
                self.wfile.write(DATA[5:])
            self.server.released.clear()
        elif path == "/release":
            self.server.released.set()
            self._answer(200)
        elif path in REDIRECTS:
            self._answer(302, Location=REDIRECTS[path])
        else:
            self._answer(STATUSES.get(path, 404))

    do_HEAD = do_GET

    def _answer(self, status: int, body: bytes = b"", announced: int | None = None, **fields: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if announced is None else announced))
        for name, value in fields.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Source)
        self.released = threading.Event()


@contextmanager
def served() -> Iterator[str]:
    """The URL of a running source, without a final slash."""
    with _Server() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
