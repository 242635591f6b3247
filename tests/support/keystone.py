"""A running Keystone, unmodified: a process of its own, over SQLite, from .venv-keystone."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from configparser import RawConfigParser
from contextlib import suppress
from functools import cached_property
from pathlib import Path

import httpx

from tests.support.keystone_admin import REGION, Admin
from tests.support.personas import log_in
from tests.support.system import free_port, keystone_python

START_SECONDS = 60.0
STOP_SECONDS = 20.0
PASSWORD = "the password of admin"
SCRIPT = Path(__file__).with_name("keystone_script.py")

Options = Mapping[str, Mapping[str, object]]
"""Settings of keystone.conf: by section, then by name."""

# Places are relative to the directory that Keystone is started in, so that the directory can be copied.
_OPTIONS: Options = {
    "database": {"connection": "sqlite:///keystone.db", "sqlite_synchronous": False},
    "fernet_tokens": {"key_repository": "fernet-keys"},
    # As in production, where memcached does it: without, each request takes forty statements, and ten times as long.
    "cache": {"backend": "dogpile.cache.memory_pickle"},
    # the fewest there may be: a login takes 0.2 s less
    "identity": {"password_hash_rounds": 4},
}


class RealKeystone:
    """A Keystone over a directory; it may be stopped, killed and started again over the same, at the same URL."""

    def __init__(self, home: Path, options: Options | None = None) -> None:
        self.home = home
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.url = f"{self.base}/v3"
        self._python = keystone_python()
        self._process: subprocess.Popen[bytes] | None = None
        self._configure(options or {})

    def copy(self, home: Path, options: Options | None = None) -> "RealKeystone":
        """Another one, over a copy of this one's directory."""
        return RealKeystone(shutil.copytree(self.home, home, dirs_exist_ok=True), options)

    def prepare(self) -> None:
        """Make tables, keys and the administrator, once for each directory."""
        owner = ("--keystone-user", str(os.geteuid()), "--keystone-group", str(os.getegid()))
        self._wait_for(self._manage("db_sync"), self._manage("fernet_setup", *owner))
        # public_endpoint is substituted when the catalogue is read: a copy has another port.
        self._wait_for(
            self._manage("bootstrap", "--bootstrap-password", PASSWORD, "--bootstrap-region-id", REGION,
                         "--bootstrap-public-url", "$(public_endpoint)s/v3"),
        )  # fmt: skip

    def start(self) -> "RealKeystone":
        """Start, and wait until it answers."""
        self._process = self._run(SCRIPT, str(self.port))
        try:
            self._wait()
        except BaseException:
            self.kill()
            raise
        return self

    def stop(self) -> None:
        """End it as an operator does."""
        process = self._running()
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        finally:
            self.kill()

    def kill(self) -> None:
        """Kill it at once, if it runs."""
        process = self._running()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    @cached_property
    def admin(self) -> Admin:
        """Its administrator, logged in; it must run."""
        return Admin(self.url, PASSWORD)

    def log_in(self, user: str, password: str, project: str | None) -> str:
        """A token for a project of the default domain, by name, or without scope."""
        return log_in(self.base, user, password, project)[0]

    def knows(self, token: str) -> bool:
        """Whether a token still holds."""
        headers = {"X-Auth-Token": token, "X-Subject-Token": token}
        return httpx.head(f"{self.url}/auth/tokens", headers=headers, timeout=30).status_code == 200

    def revoke(self, token: str) -> None:
        """Withdraw a token, by itself."""
        headers = {"X-Auth-Token": token, "X-Subject-Token": token}
        httpx.delete(f"{self.url}/auth/tokens", headers=headers, timeout=30).raise_for_status()

    @property
    def log(self) -> str:
        """Everything written so far."""
        return (self.home / "log").read_text(errors="replace")

    def _configure(self, options: Options) -> None:
        file = RawConfigParser()
        file.read_dict(_OPTIONS | {"DEFAULT": {"public_endpoint": self.base}})
        file.read_dict(options)
        with (self.home / "keystone.conf").open("w") as written:
            file.write(written)

    def _manage(self, *arguments: str) -> subprocess.Popen[bytes]:
        return self._run(self._python.with_name("keystone-manage"), "--config-file", "keystone.conf", *arguments)

    def _run(self, *arguments: str | Path) -> subprocess.Popen[bytes]:
        # -I: what lies beside the script, this file for one, is not Keystone's to import.
        with (self.home / "log").open("ab") as log:
            return subprocess.Popen(
                [self._python, "-I", "-W", "ignore", *arguments],
                env={"PATH": os.defpath, "LC_ALL": "C.UTF-8", "OS_KEYSTONE_CONFIG_DIR": str(self.home)},
                stdout=log,
                stderr=log,
                cwd=self.home,
                start_new_session=True,
            )

    def _wait_for(self, *commands: subprocess.Popen[bytes]) -> None:
        codes = [each.wait(START_SECONDS) for each in commands]
        if any(codes):
            raise RuntimeError(f"keystone-manage failed:\n{self.log}")

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def _wait(self) -> None:
        process, until = self._running(), time.monotonic() + START_SECONDS
        with httpx.Client(timeout=5) as client:
            while True:
                with suppress(httpx.TransportError):
                    if client.get(self.url).status_code == 200:
                        return
                if process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"Keystone ended with {process.returncode}:\n{self.log}")
                time.sleep(0.05)
