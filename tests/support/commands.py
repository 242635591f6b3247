"""Other people's commands, run as a user runs them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from shutil import which
from typing import Any

from tests.support.personas import Persona
from tests.support.server import Server, clean_environment
from tests.support.system import require


class Command:
    """A program with the environment of one user of one server."""

    def __init__(self, program: str, environment: dict[str, str], home: Path, *always: str) -> None:
        beside = str(Path(sys.executable).parent)
        found = which(program, path=os.pathsep.join([beside, os.environ["PATH"]]))
        self._program = str(require(f"the command {program} (requirements/dev.txt)", found))
        self._environment = {**clean_environment(), "HOME": str(home), "LC_ALL": "C.UTF-8", **environment}
        self._always = always

    def text(self, *arguments: str) -> str:
        """What it prints; it must succeed."""
        code, out, error = self.try_(*arguments)
        assert code == 0, f"{self._program} {' '.join(arguments)} ended with {code}\n{out}\n{error}"
        return out

    def json(self, *arguments: str) -> Any:
        """What it prints with `-f json`."""
        return json.loads(self.text(*arguments, "-f", "json"))

    def try_(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, output and error output."""
        # A terminal to read from: what else the commands find there they take for the image's data.
        terminal, stdin = os.openpty()
        try:
            done = subprocess.run(
                [self._program, *self._always, *arguments],
                check=False,
                stdin=stdin,
                capture_output=True,
                text=True,
                env=self._environment,
                timeout=120,
            )
        finally:
            os.close(stdin)
            os.close(terminal)
        return done.returncode, done.stdout, done.stderr


def os_variables(server: Server, persona: Persona) -> dict[str, str]:
    """The variables of an openrc file."""
    return {
        "OS_AUTH_URL": f"{server.base}/v3",
        "OS_USERNAME": persona.user_name,
        "OS_PASSWORD": persona.password,
        "OS_PROJECT_NAME": persona.project_name,
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
        "OS_REGION_NAME": "RegionOne",
        "OS_IDENTITY_API_VERSION": "3",
    }
