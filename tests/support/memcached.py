"""A private memcached, which may go and come."""

import socket
import subprocess
import time
from contextlib import suppress

from tests.support.system import free_port, memcached

START_SECONDS = 10.0


class Memcached:
    """A running memcached on the loopback address."""

    def __init__(self) -> None:
        self.port = free_port()
        self.place = f"127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        """Begin to answer, with nothing in it."""
        self._process = subprocess.Popen(
            [memcached(), "-l", "127.0.0.1", "-p", str(self.port), "-U", "0", "-u", "nobody"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.02)
        raise RuntimeError("memcached did not start")

    def stop(self) -> None:
        """Be away."""
        self._process.kill()
        self._process.wait()

    def dump(self) -> bytes:
        """All names and values in it."""
        found = b""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            file = connection.makefile("rwb")
            for line in _asked(file, b"lru_crawler metadump all"):
                name = line.split()[0].removeprefix(b"key=")
                found += name + b"\n" + b"".join(_asked(file, b"get " + name)) + b"\n"
        return found


def _asked(file: object, command: bytes) -> list[bytes]:
    file.write(command + b"\r\n")  # type: ignore[attr-defined]
    file.flush()  # type: ignore[attr-defined]
    lines = []
    while (line := file.readline()) not in (b"END\r\n", b""):  # type: ignore[attr-defined]
        lines.append(line)
    return lines
