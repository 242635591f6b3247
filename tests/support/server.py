"""A running `calotype serve`, as its users have it: a process of its own, reached through its socket."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import yaml

from tests.support.access_key import Pair
from tests.support.personas import Persona, log_in, prepare
from tests.support.system import ROOT, free_port

START_SECONDS = 30.0
STOP_SECONDS = 35.0
NAMESPACES = "/v2/metadefs/namespaces"


class Server:
    """A server over a directory and a database; it may be stopped, killed and started again over the same.

    Without `accounts` of its own it has no personas.
    """

    def __init__(
        self,
        home: Path,
        database: str,
        *,
        configuration: Path | None = None,
        environment: Mapping[str, str] | None = None,
        options: tuple[str, ...] = (),
        accounts: bool = True,
    ) -> None:
        self.home = home
        self.data = home / "data"
        self.database = database
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self._log = home / "log"
        # Files that a configuration names lie beside it.
        self._place = configuration.parent if configuration else home
        self._command = [
            sys.executable, "-m", "calotype", "serve", "--data", str(self.data), "--bind", f"127.0.0.1:{self.port}",
            "--database", database, *(["--config", str(configuration)] if configuration else []), *options,
        ]  # fmt: skip
        self._environment = {**clean_environment(), **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._accounts = accounts
        self.personas: dict[str, Persona] = {}

    def start(self) -> "Server":
        """Start, wait until it answers, and prepare the accounts if that was not done before."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdout=log, stderr=log, cwd=self._place, start_new_session=True
            )
        try:
            self._wait()
            if self._accounts and not self.personas:
                self.personas = prepare(self.base, self.database, self.clouds)
        except BaseException:
            self.kill()
            raise
        return self

    def stop(self) -> int:
        """End it as an operator does; answers the exit code."""
        process = self._running()
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(STOP_SECONDS)
        finally:
            self.kill()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the server, not to its workers."""
        self._running().send_signal(number)

    def wait(self, seconds: float) -> int:
        """The exit code once it has ended."""
        return self._running().wait(seconds)

    def kill(self) -> None:
        """Kill it and its workers at once, as power loss would."""
        process = self._running()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def kill_alone(self) -> None:
        """Kill the process that was started and none of its workers."""
        process = self._running()
        process.kill()
        process.wait()

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def _wait(self) -> None:
        process, until = self._running(), time.monotonic() + START_SECONDS
        while True:
            try:
                if httpx.get(f"{self.base}/healthcheck", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{' '.join(self._command)}\nended with {process.returncode}:\n{self.log}")
            time.sleep(0.03)

    @property
    def pid(self) -> int:
        """The process id of the server, the workers' parent."""
        return self._running().pid

    @property
    def log(self) -> str:
        """Everything written so far."""
        return self._log.read_text(errors="replace")

    @property
    def clouds_file(self) -> Path:
        """The clouds.yaml that the first start writes."""
        return self.data / "clouds.yaml"

    @property
    def clouds(self) -> dict[str, Any]:
        """What is in it."""
        found: dict[str, Any] = yaml.safe_load(self.clouds_file.read_text())["clouds"]
        return found

    @property
    def environment(self) -> dict[str, str]:
        """The variables that stories use."""
        found = {"CALOTYPE_BASE": self.base, "CALOTYPE_UNSCOPED_TOKEN": self.unscoped_token}
        for name, persona in self.personas.items():
            found[f"CALOTYPE_{name.upper()}_TOKEN"] = persona.token
            found[f"CALOTYPE_{name.upper()}_PROJECT"] = persona.project_id
            found[f"CALOTYPE_{name.upper()}_USER"] = persona.user_id
            found[f"CALOTYPE_{name.upper()}_PASSWORD"] = persona.password
        return found

    @property
    def unscoped_token(self) -> str:
        """A token of the demo user without a project."""
        if not hasattr(self, "_unscoped"):
            demo = self.personas["demo"]
            self._unscoped = log_in(self.base, demo.user_name, demo.password, None)[0]
        return self._unscoped

    def client(self, persona: str = "demo") -> httpx.Client:
        """A client with a persona's token."""
        headers = {"X-Auth-Token": self.personas[persona].token, "Accept": "application/json"}
        return httpx.Client(base_url=self.base, headers=headers, timeout=30)

    def operator(self, *arguments: str) -> Any:
        """What an operator's command prints, as JSON."""
        place = ("--data", str(self.data), "--database", self.database, "--format", "json")
        command = [sys.executable, "-m", "calotype", *arguments, *place]
        done = subprocess.run(command, capture_output=True, env=clean_environment(), timeout=60, check=True)
        return json.loads(done.stdout) if done.stdout.strip() else None

    def access_key(self, user: str = "demo") -> Pair:
        """A new access key of a user."""
        made = self.operator("key", "create", "--user", user)
        return Pair(made["access_key"], made["secret_key"])

    def clear(self) -> None:
        """Delete every image and every metadata definition."""
        with self.client("admin") as admin:
            for hidden in ("false", "true"):
                query = {"visibility": "all", "os_hidden": hidden, "limit": "1000"}
                while found := admin.get("/v2/images", params=query).raise_for_status().json()["images"]:
                    for image in found:
                        _delete(admin, image)
            while found := admin.get(NAMESPACES, params={"limit": "1000"}).raise_for_status().json()["namespaces"]:
                for namespace in found:
                    _delete_namespace(admin, namespace["namespace"])


def _delete(admin: httpx.Client, image: dict[str, Any]) -> None:
    if image["protected"]:
        admin.patch(
            f"/v2/images/{image['id']}",
            json=[{"op": "replace", "path": "/protected", "value": False}],
            headers={"Content-Type": "application/openstack-images-v2.1-json-patch"},
        ).raise_for_status()
    admin.delete(f"/v2/images/{image['id']}").raise_for_status()


def _delete_namespace(admin: httpx.Client, name: str) -> None:
    path = f"{NAMESPACES}/{quote(name, safe='')}"
    admin.put(path, json={"namespace": name, "protected": False}).raise_for_status()
    admin.delete(path).raise_for_status()


def clean_environment() -> dict[str, str]:
    """This process's environment without what would configure Calotype or a client, and able to import Calotype."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CALOTYPE_", "OS_"))}
    return {**kept, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), kept.get("PYTHONPATH", "")]).rstrip(os.pathsep)}
