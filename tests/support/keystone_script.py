"""Run by the interpreter that has Keystone: serves it on a port of the loopback address, until SIGTERM."""

import signal
import sys
from types import FrameType

import waitress


def end(_signal: int, _frame: FrameType | None) -> None:
    """Waitress lets its threads end before it returns."""
    raise SystemExit


def main() -> None:
    """Serve."""
    # Keystone reads the arguments as its own: the port must be gone before it is imported.
    port = int(sys.argv.pop())
    from keystone.wsgi.api import application

    signal.signal(signal.SIGTERM, end)
    waitress.serve(application, host="127.0.0.1", port=port, threads=8)


main()
