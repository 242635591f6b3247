"""A cloud as its users reach it: three base URLs, and one connection for each thread."""

import http.client
import json
import threading
import time
from typing import Any, NamedTuple
from urllib.parse import urlsplit

SECONDS = 120.0
IDLE_SECONDS = 3.0
"""A connection that rested for longer may have been closed by the server."""


class Answer(NamedTuple):
    """What came back. `body` is the JSON that was sent, or None."""

    status: int
    headers: http.client.HTTPMessage
    content: bytes

    @property
    def body(self) -> Any:
        try:
            return json.loads(self.content)
        except ValueError:
            return None


class Cloud:
    """Identity, Image and Compute API of one deployment; `identity` without /v3, `image` without /v2."""

    def __init__(self, identity: str, image: str, compute: str) -> None:
        self._bases = {
            "identity": urlsplit(identity.rstrip("/")),
            "image": urlsplit(image.rstrip("/")),
            "compute": urlsplit(compute.rstrip("/")),
        }
        self._open = threading.local()

    def __call__(
        self, api: str, method: str, path: str, token: str | None = None, json_body: Any = None, **options: Any
    ) -> Answer:
        """Send one request. `content` is a body of bytes, `headers` more headers."""
        headers = {"Accept": "application/json", **options.get("headers", {})}
        content: bytes | None = options.get("content")
        if token is not None:
            headers["X-Auth-Token"] = token
        if json_body is not None:
            content = json.dumps(json_body).encode()
            headers.setdefault("Content-Type", "application/json")
        connection, prefix = self._connection(api)
        connection.request(method, prefix + path, content, headers)
        answer = connection.getresponse()
        found = Answer(answer.status, answer.headers, answer.read())
        if content is not None and found.status >= 400:
            connection.close()  # the server may have done so, rather than read what it refuses
        return found

    def must(self, api: str, method: str, path: str, token: str | None = None, **options: Any) -> Answer:
        """Send a request that has to succeed."""
        answer = self(api, method, path, token, **options)
        assert 200 <= answer.status < 300, (method, path, answer)
        return answer

    def _connection(self, api: str) -> tuple[http.client.HTTPConnection, str]:
        base, moment = self._bases[api], time.monotonic()
        opened = self._open.__dict__.setdefault("opened", {})
        connection, used = opened.get(base.netloc, (None, moment))
        if connection is None:
            connection = http.client.HTTPConnection(base.netloc, timeout=SECONDS)
        elif moment - used > IDLE_SECONDS:
            connection.close()  # it opens again by itself
        opened[base.netloc] = connection, moment
        return connection, base.path
