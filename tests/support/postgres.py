"""A private PostgreSQL for one run of the tests, from the installed programs."""

import asyncio
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import asyncpg

from tests.support.system import free_port, initdb

START_SECONDS = 30.0


class Postgres:
    """A server on a free loopback port; it forgets everything at the end, so it need not write safely."""

    def __init__(self) -> None:
        programs = initdb().parent
        self._home = Path(tempfile.mkdtemp(prefix="calotype-postgres-"))
        self._numbers = itertools.count(1)
        self._as_postgres: list[str] = []
        if os.getuid() == 0:
            shutil.chown(self._home, "postgres", "postgres")
            self._as_postgres = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--pdeathsig=INT"]
        # Not the C locale, so that a column that forgot its collation is noticed.
        self._run(
            programs / "initdb", "--pgdata", self._home / "data", "--username=calotype", "--auth=trust", "--no-sync",
            "--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US",
        )  # fmt: skip
        self.port = free_port()
        self._log = (self._home / "log").open("wb")
        self._programs = programs
        self.resume()

    def url(self, name: str) -> str:
        """The URL of a database of this server."""
        return f"postgresql://calotype@127.0.0.1:{self.port}/{name}"

    def database(self, template: str = "template1") -> str:
        """The URL of a new database: empty, or a copy of `template`."""
        name = f"calotype_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def execute(self, statement: str, name: str = "postgres") -> list[asyncpg.Record]:
        """Run one statement."""
        return asyncio.run(self._execute(statement, name))

    async def _execute(self, statement: str, name: str) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.url(name))
        try:
            return await connection.fetch(statement)
        finally:
            await connection.close()

    def resume(self) -> None:
        """Start the server."""
        self._process = subprocess.Popen(
            [
                *self._as_postgres, self._programs / "postgres", "-D", self._home / "data", "-k", "",
                "-p", str(self.port), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off",
                "-c", "full_page_writes=off",
                "-c", "synchronous_commit=off", "-c", "max_connections=200",
            ],
            cwd=self._home, stdout=self._log, stderr=self._log,
        )  # fmt: skip
        self._wait()

    def halt(self) -> None:
        """End the server, its files remain."""
        self._process.send_signal(signal.SIGINT)  # does not wait for its clients
        self._process.wait(START_SECONDS)

    def stop(self) -> None:
        """End the server and remove its files."""
        self._process.send_signal(signal.SIGINT)  # does not wait for its clients
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        shutil.rmtree(self._home, ignore_errors=True)

    def _run(self, *command: str | Path) -> None:
        done = subprocess.run(
            [*self._as_postgres, *command],
            check=False,
            cwd=self._home,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed:\n{done.stdout}")

    def _wait(self) -> None:
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                self.execute("SELECT 1")
                return
            except (OSError, asyncpg.PostgresError):
                if self._process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError((self._home / "log").read_text()) from None
                time.sleep(0.05)
