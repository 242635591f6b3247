"""uvicorn's protocol with an end to its patience: it waits for ever for the head of a request and takes any amount."""

import asyncio
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 417_792
"""The largest head of a request, the same as Granian's; and the most that may come behind a body."""


class Impatient(HttpToolsProtocol):
    """Ends a connection whose next head takes longer than `head_seconds`, or is larger than HEAD_BYTES.

    What is left of a request after its answer may take as long. Trailers are let go: uvicorn takes them for the head's.
    """

    def __init__(self, head_seconds: float, **given: Any) -> None:
        super().__init__(**given)
        self._head_seconds = head_seconds
        self._timer: asyncio.TimerHandle | None = None
        self._in_head = True
        self._read = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client came."""
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Something came of it."""
        self._read += len(data)
        if self._read > HEAD_BYTES:
            self._refuse(431)
            return
        if self._in_head and self._timer is None:
            self._await_head()
        super().data_received(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A line of the head, or a trailer."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._in_head = False
        self._await_nothing()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._read = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole; what comes now is the next one's head."""
        self._in_head, self._read = True, 0
        self._await_nothing()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer is over."""
        super().on_response_complete()
        if not self._in_head and self.cycle.response_complete:
            self._timer = self.loop.call_later(self._head_seconds, self.transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client went."""
        self._await_nothing()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._timer = self.loop.call_later(self._head_seconds, self._refuse, 408)

    def _await_nothing(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, status: int) -> None:
        self._await_nothing()
        if not self._in_head:
            self.transport.close()
            return
        cycle: Any = self.cycle
        if cycle is not None and not cycle.response_complete:
            # Part of the next request has come before this one's answer is over: that comes first.
            self._await_head()
            return
        if self._read and not self.transport.is_closing():
            phrase = HTTPStatus(status).phrase
            head = f"HTTP/1.1 {status} {phrase}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            self.transport.write(head.encode())
        self.transport.close()
