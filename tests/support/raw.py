"""HTTP by hand: a socket that sends whatever it is told, and reads answers one after the other."""

import socket
import struct
from types import TracebackType

import msgspec

TIMEOUT = 10.0


class Answer(msgspec.Struct):
    """What came back; header names in lower case."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header."""
        return next((value for key, value in self.headers if key == name), None)


class Raw:
    """One connection."""

    def __init__(self, port: int, timeout: float = TIMEOUT, receive_buffer: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect(("127.0.0.1", port))
        self._waiting = b""

    def __enter__(self) -> "Raw":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def send(self, data: bytes) -> "Raw":
        """Send bytes as they are."""
        self.socket.sendall(data)
        return self

    def request(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> "Raw":
        """Send the head of a request and whatever is given of its body; no header is added but Host."""
        return self.send(head(method, path, headers) + body)

    def answer(self, method: str = "GET") -> Answer:
        """The next answer; interim ones are passed over. ConnectionError when none comes whole."""
        while True:
            status, headers = self._head()
            if status >= 200:
                break
        fields = dict(headers)
        if method == "HEAD" or status in (204, 304):
            return Answer(status, headers, b"")
        if b"chunked" in fields.get(b"transfer-encoding", b""):
            return Answer(status, headers, self._chunked())
        return Answer(status, headers, self._exactly(int(fields.get(b"content-length", b"0"))))

    def interim(self) -> int:
        """The status of the next answer, without its body."""
        return self._head()[0]

    def ended(self) -> bool:
        """Whether the server closed the connection, nothing more being sent."""
        try:
            return not self._waiting and self.socket.recv(1) == b""
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    def reset(self) -> None:
        """Break the connection as a vanished host would seem to: the server meets a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """End the connection."""
        self.socket.close()

    def _head(self) -> tuple[int, list[tuple[bytes, bytes]]]:
        lines = self._until(b"\r\n\r\n").split(b"\r\n")
        pairs = (line.partition(b":") for line in lines[1:] if line)
        return int(lines[0].split()[1]), [(name.strip().lower(), value.strip()) for name, _, value in pairs]

    def _chunked(self) -> bytes:
        body = b""
        while True:
            size = int(self._until(b"\r\n").split(b";")[0], 16)
            piece = self._exactly(size + 2)[:-2]
            if not size:
                return body
            body += piece

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._waiting:
            self._more()
        found, _, self._waiting = self._waiting.partition(mark)
        return found

    def _exactly(self, length: int) -> bytes:
        pieces = [self._waiting]
        have = len(self._waiting)
        while have < length:
            self._waiting = b""
            self._more()
            pieces.append(self._waiting)
            have += len(self._waiting)
        whole = b"".join(pieces)
        self._waiting = whole[length:]
        return whole[:length]

    def _more(self) -> None:
        data = self.socket.recv(262144)
        if not data:
            raise ConnectionError("the server closed the connection")
        self._waiting += data


def head(method: str, path: str, headers: dict[str, str]) -> bytes:
    """The head of a request, in Latin-1."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join((*lines, "", "")).encode("latin-1")
