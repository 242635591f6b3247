"""One line per request and per event, as JSON or text, on standard error.

Events go through the standard library's logging. A request's line does not: that would cost a third of what the origin
call costs, so it is encoded and written directly, in the same form.
"""

import asyncio
import logging
import os
import sys
import time
from contextlib import suppress
from functools import lru_cache
from typing import Any

import msgspec

from calotype.settings import Log

_encode = msgspec.json.Encoder(enc_hook=str).encode


def _moment(seconds: float) -> str:
    whole = int(seconds)
    return f"{_second(whole)}.{int((seconds - whole) * 1000):03d}Z"


@lru_cache(4)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def _line(as_json: bool, moment: str, level: str, message: str, fields: dict[str, Any]) -> bytes:
    if as_json:
        return _encode({"time": moment, "level": level, "message": message, **fields})
    words = [moment, level.upper(), message, *(f"{name}={value}" for name, value in fields.items())]
    return " ".join(words).replace("\n", "\\n").encode("utf-8", "backslashreplace")


class Lines(logging.Formatter):
    """Renders a record and the mapping given to it as `extra={"fields": …}`."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self._json = kind == "json"

    def format(self, record: logging.LogRecord) -> str:
        """One line; a traceback is its field `trace`."""
        fields: dict[str, Any] = dict(getattr(record, "fields", {}))
        if record.exc_info:
            fields["trace"] = self.formatException(record.exc_info)
        return _line(
            self._json, _moment(record.created), record.levelname.lower(), record.getMessage(), fields
        ).decode()


def configure(settings: Log) -> None:
    """Send the service's events to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines(settings.format))
    logger = logging.getLogger("calotype")
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(settings.level.upper())


def dictionary(logger: str, settings: Log) -> dict[str, Any]:
    """The same for a library that configures its own logging, as `logging.config` takes it."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": {"()": Lines, "kind": settings.format}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "stream": "ext://sys.stderr", "formatter": "lines"}},
        "loggers": {logger: {"handlers": ["stderr"], "level": settings.level.upper(), "propagate": False}},
    }


FLUSH_SECONDS = 0.02
LINES_AT_ONCE = 100


class RequestLog:
    """Writes the line of each request, if the settings want it.

    The lines of some milliseconds go out together: each write gives the interpreter to the server's other threads, and
    waiting to get it back costs more than the line.
    """

    def __init__(self, settings: Log) -> None:
        self._wanted = settings.requests
        self._json = settings.format == "json"
        self._lines: list[bytes] = []

    def write(self, scope: Any, path: str, status: int, seconds: float, statements: int) -> None:
        """One line. Tokens, bodies and query strings never get here."""
        if not self._wanted:
            return
        fields: dict[str, Any] = {"status": status, "ms": round(seconds * 1000, 3), "sql": statements}
        known = scope.get("calotype.request")
        if known is not None:
            fields["request_id"] = known.request_id
            if known.global_request_id:
                fields["global_request_id"] = known.global_request_id
            if known.caller.user_id:
                fields["user"], fields["project"] = known.caller.user_id, known.caller.project_id
            fields["agent"] = known.field(b"user-agent")
        if not self._lines:
            asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._flush)
        self._lines.append(_line(self._json, _moment(time.time()), "info", f"{scope['method']} {path}", fields))

    async def open(self) -> None:
        """Nothing is needed."""

    async def close(self) -> None:
        """Write what is left."""
        self._flush()

    def _flush(self) -> None:
        lines, self._lines = self._lines, []
        # A log that nobody reads, or a full disk, must not stop the service.
        with suppress(OSError):
            for first in range(0, len(lines), LINES_AT_ONCE):
                os.write(2, b"\n".join((*lines[first : first + LINES_AT_ONCE], b"")))
