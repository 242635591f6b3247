"""A web server that misbehaves: the path of a request says how; other paths are not found."""

import gzip
import random
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress

DATA = bytes(512) + random.Random(3).randbytes(300_000)
CAP = 2**20
"""More bytes than this are never wanted from here."""
_END = b"\r\n\r\n"


def head(length: int | None = None, status: str = "200 OK", **fields: str) -> bytes:
    """The head of an answer; underscores in names of fields are hyphens."""
    if length is not None:
        fields["Content-Length"] = str(length)
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in fields.items())]
    return "\r\n".join(lines).encode() + _END


def chunk(data: bytes) -> bytes:
    """A chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def _good(to: socket.socket) -> None:
    to.sendall(head(len(DATA)) + DATA)


def _chunked(to: socket.socket) -> None:
    to.sendall(head(Transfer_Encoding="chunked"))
    for start in range(0, len(DATA), 50_000):
        to.sendall(chunk(DATA[start : start + 50_000]))
    to.sendall(chunk(b""))


def _until_close(to: socket.socket) -> None:
    to.sendall(head() + DATA)


def _in_pauses(to: socket.socket) -> None:
    to.sendall(head(len(DATA)))
    for start in range(0, len(DATA), 60_000):
        to.sendall(DATA[start : start + 60_000])
        time.sleep(0.3)


def _trickles(to: socket.socket) -> None:
    to.sendall(head(len(DATA)))
    for byte in DATA[:1000]:
        to.sendall(bytes([byte]))
        time.sleep(0.1)


def _stalls(to: socket.socket) -> None:
    to.sendall(head(len(DATA)) + DATA[:100_000])
    time.sleep(20)


def _says_nothing(to: socket.socket) -> None:
    time.sleep(20)


def _head_trickles(to: socket.socket) -> None:
    to.sendall(b"HTTP/1.1 200 OK\r\n")
    for number in range(200):
        to.sendall(b"X-%d: x\r\n" % number)
        time.sleep(0.1)


def _resets(to: socket.socket) -> None:
    to.sendall(head(len(DATA)) + DATA[:100_000])
    time.sleep(0.2)
    to.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _shorter(to: socket.socket) -> None:
    to.sendall(head(len(DATA) + 1000) + DATA)


def _longer(to: socket.socket) -> None:
    to.sendall(head(len(DATA) - 1000) + DATA)


def _chunks_break_off(to: socket.socket) -> None:
    to.sendall(head(Transfer_Encoding="chunked") + chunk(DATA))


def _bad_chunks(to: socket.socket) -> None:
    to.sendall(head(Transfer_Encoding="chunked") + chunk(DATA[:1000]) + b"zz\r\nno chunk at all")


def _endless(to: socket.socket) -> None:
    to.sendall(head(Transfer_Encoding="chunked"))
    while True:
        to.sendall(chunk(DATA))


def _endless_until_close(to: socket.socket) -> None:
    to.sendall(head())
    while True:
        to.sendall(DATA)


def _too_long(to: socket.socket) -> None:
    to.sendall(head(2**50))
    while True:
        to.sendall(DATA)


def _endless_interim(to: socket.socket) -> None:
    while True:
        to.sendall(b"HTTP/1.1 100 Continue" + _END)
        time.sleep(0.001)


def _endless_head(to: socket.socket) -> None:
    to.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        to.sendall(b"X: " + b"x" * 5000 + b"\r\n")


def _answers(data: bytes) -> Callable[[socket.socket], None]:
    return lambda to: to.sendall(data)


def _to(target: str) -> Callable[[socket.socket], None]:
    return _answers(head(0, "302 Found", Location=target))


_not_found = _answers(head(4, "404 Not Found") + b"none")
_PACKED = gzip.compress(DATA[:1000])
BEHAVIOURS: dict[str, Callable[[socket.socket], None]] = {
    "good": _good,
    "chunked": _chunked,
    "until-close": _until_close,
    "in-pauses": _in_pauses,
    "moved-to-good": _to("/good"),
    "longer": _longer,
    "empty": _answers(head(0)),
    "trickles": _trickles,
    "stalls": _stalls,
    "says-nothing": _says_nothing,
    "head-trickles": _head_trickles,
    "resets": _resets,
    "shorter": _shorter,
    "chunks-break-off": _chunks_break_off,
    "bad-chunks": _bad_chunks,
    "endless": _endless,
    "endless-until-close": _endless_until_close,
    "too-long": _too_long,
    "endless-interim": _endless_interim,
    "endless-head": _endless_head,
    "closes": _answers(b""),
    "garbage": _answers(bytes(range(256)) * 100),
    "not-found": _not_found,
    "broken": _answers(head(4, "500 Oops") + b"oops"),
    "no-content": _answers(head(None, "204 No Content")),
    "part": _answers(head(10, "206 Partial Content", Content_Range="bytes 0-9/100") + DATA[:10]),
    "packed": _answers(head(len(_PACKED), Content_Encoding="gzip") + _PACKED),
    "two-lengths": _answers(head(len(DATA), content_length="7") + DATA),
    "negative-length": _answers(head(-1) + DATA),
    "both-lengths": _answers(head(len(DATA), Transfer_Encoding="gzip") + DATA),
    "moved-in": _to("http://10.0.0.1/"),
    "moved-to-metadata": _to("http://169.254.169.254/latest/meta-data/"),
    "moved-to-a-file": _to("file:///etc/passwd"),
    "moved-for-ever": _to("/moved-for-ever"),
    "moved-nowhere": _answers(head(0, "302 Found")),
}


class Origin:
    """Serves BEHAVIOURS by path on a port of the loopback address, each connection in a thread; then closes it.

    What has no behaviour is not found.
    """

    def __init__(self, behaviours: dict[str, Callable[[socket.socket], None]] = BEHAVIOURS) -> None:
        self._behaviours = behaviours
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.requests: list[bytes] = []
        """The heads of the requests, in order."""
        threading.Thread(target=self._serve, daemon=True).start()

    def url(self, path: str) -> str:
        """Where a behaviour is met."""
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}/{path}"

    def close(self) -> None:
        """Listen no more."""
        self._listening.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(30)
            asked = b""
            while _END not in asked:
                piece = connection.recv(65536)
                if not piece:
                    return
                asked += piece
            self.requests.append(asked)
            path = asked.split(b" ")[1].decode().partition("?")[0]
            self._behaviours.get(path.strip("/"), _not_found)(connection)
