"""Runs the application: workers, sockets, TLS, graceful stop."""

import gc
import logging
import multiprocessing
import multiprocessing.connection
import os
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from calotype.access import protections
from calotype.access.policy import files as policy_files
from calotype.files import Files, FilesInForce
from calotype.files import read as read_files
from calotype.images import schema_properties
from calotype.images.plugins import ready
from calotype.settings import Settings, SettingsError
from calotype.telemetry import log

logger = logging.getLogger("calotype.server")

BACKLOG = 1024
COLLECT_AFTER = 50_000
RESPAWN_SECONDS = 1.0


def worker(settings: Settings, kept: FilesInForce) -> Any:
    """The application of one worker process; all of a server are given the same files, and keep the same rules."""
    from calotype.app import build

    log.configure(settings.log)
    _end_with_parent()
    application = build(settings, kept.files)
    # What was made until here lives as long as the worker: the collector need not look at it again and again.
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)
    return application


def _end_with_parent() -> None:
    """A worker whose server was killed would go on holding the port, and keep the server from starting again."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_outlive, args=(parent.sentinel,), daemon=True, name="parent-watch").start()


def _outlive(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)


def run(settings: Settings, application: Callable[[], Any]) -> None:
    """Serve what `application` makes in each worker until SIGTERM or SIGINT; requests under way are finished first."""
    log.configure(settings.log)
    {"granian": _granian, "uvicorn": _uvicorn}[settings.server](settings, application)


def check(settings: Settings) -> Files:
    """What the files named hold, for the workers.

    Raises SettingsError unless the address can be listened on, and every file and the plugins named be used. Granian
    would share a taken port without a word.
    """
    ready.check(settings)
    files = read_files(settings)
    protections.load(settings.image, policy_files.load(files.policy), files.protections)
    schema_properties.load(settings.image, files.schema)
    if settings.tls.certificate:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.tls.certificate, settings.tls.key)
        except OSError as error:
            both = f"{settings.tls.certificate}, {settings.tls.key}"
            raise SettingsError(f"tls: cannot use {both}: {error.strerror or error}") from None
    host, port = settings.address
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise SettingsError(f"bind: cannot listen on {settings.bind}: {error.strerror}") from None
    return files


def _granian(settings: Settings, application: Callable[[], Any]) -> None:
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces, Loops, SSLProtocols
    from granian.http import HTTP1Settings

    host, port = settings.address
    tls = settings.tls
    server = Granian(
        "calotype",
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        workers=settings.workers,
        loop=Loops.uvloop,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=int(settings.clients.head_seconds * 1000)),
        websockets=False,
        backlog=BACKLOG,
        respawn_failed_workers=True,
        respawn_interval=RESPAWN_SECONDS,
        workers_kill_timeout=settings.stop_seconds,
        ssl_cert=Path(tls.certificate) if tls.certificate else None,
        ssl_key=Path(tls.key) if tls.key else None,
        ssl_protocol_min=SSLProtocols.tls12,
        log_dictconfig=log.dictionary("_granian", settings.log),
    )
    try:
        server.serve(target_loader=application, wrap_loader=False)
    except SystemExit:
        # Granian's rule, 5.5 s, cannot be set; it says nothing, since its own log is off.
        logger.error("a worker ended again within seconds of its start: the server ends, to be started anew")
        raise


def _uvicorn(settings: Settings, application: Callable[[], Any]) -> None:
    try:
        import uvicorn
        from uvicorn.supervisors import Multiprocess

        from calotype.uvicorn_protocol import Impatient
    except ImportError:
        raise SettingsError("server: uvicorn is not installed; install calotype[uvicorn], or use granian") from None

    host, port = settings.address
    protocol: Any = partial(Impatient, settings.clients.head_seconds)
    config = uvicorn.Config(
        application,
        factory=True,
        http=protocol,
        host=host,
        port=port,
        workers=settings.workers,
        backlog=BACKLOG,
        access_log=False,
        log_config=None,
        # Whether a proxy is believed is the settings' business, in one place for both servers.
        proxy_headers=False,
        timeout_graceful_shutdown=settings.stop_seconds,
        ssl_certfile=settings.tls.certificate or None,
        ssl_keyfile=settings.tls.key or None,
    )
    if settings.workers > 1:
        Multiprocess(config, sockets=[config.bind_socket()]).run()
    else:
        # uvicorn sends itself the signal again once it has ended in order.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        uvicorn.Server(config).run()
