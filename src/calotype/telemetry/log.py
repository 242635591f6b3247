"""One line per request, as JSON or text, on standard error."""

import logging
import sys
import time
from typing import Any

import msgspec

from calotype.settings import Log

_encode = msgspec.json.Encoder(enc_hook=str).encode

requests = logging.getLogger("calotype.requests")


class Lines(logging.Formatter):
    """Renders a record and the mapping given to it as `extra={"fields": …}`."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self._json = kind == "json"

    def format(self, record: logging.LogRecord) -> str:
        """One line without line breaks."""
        fields: dict[str, Any] = getattr(record, "fields", {})
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
        trace = self.formatException(record.exc_info) if record.exc_info else None
        if self._json:
            line: dict[str, Any] = {
                "time": moment,
                "level": record.levelname.lower(),
                "message": record.getMessage(),
                **fields,
            }
            if trace:
                line["trace"] = trace
            return _encode(line).decode()
        words = [moment, record.levelname, record.getMessage(), *(f"{name}={value}" for name, value in fields.items())]
        return " ".join(words) + (f"\n{trace}" if trace else "")


def configure(settings: Log) -> None:
    """Send the service's log to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines(settings.format))
    logger = logging.getLogger("calotype")
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(settings.level.upper())
    requests.disabled = not settings.requests


def request(scope: Any, path: str, status: int, seconds: float, statements: int) -> None:
    """Write the line of one request. Tokens, bodies and query strings never get here."""
    fields: dict[str, Any] = {"status": status, "ms": round(seconds * 1000, 3), "sql": statements}
    known = scope.get("calotype.request")
    if known is not None:
        fields["request_id"] = known.request_id
        if known.global_request_id:
            fields["global_request_id"] = known.global_request_id
        if known.caller is not None:
            fields["user"], fields["project"] = known.caller.user_id, known.caller.project_id
        fields["agent"] = known.field(b"user-agent")
    requests.info("%s %s", scope["method"], path, extra={"fields": fields})
