"""Under other policies, too, the statuses are those of a live Glance 33: `policies.json`, by policy, call and kind."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from calotype.access.policy.files import LOOK_SECONDS
from tests.matrix.calls import OF_AN_IMAGE
from tests.matrix.cloud import Cloud
from tests.matrix.conftest import CONFIGURATION
from tests.matrix.kinds import Workshop
from tests.matrix.people import People
from tests.matrix.play import Questions
from tests.matrix.recorded import unfolded
from tests.support.servers import Servers

THEIRS = json.loads((Path(__file__).parent / "policies.json").read_text())
CALLS = {each.name: each for each in OF_AN_IMAGE}
OWNED = "403 You do not own this image"


class Deployment:
    """A server whose policy can be changed."""

    def __init__(self, servers: Servers, file: Path) -> None:
        file.write_text("{}")
        environment = {"CALOTYPE_POLICY_FILE": str(file)}
        self.server = servers.unstarted("sqlite", configuration=CONFIGURATION, environment=environment).start()
        cloud = Cloud(self.server.base, self.server.base, self.server.base)
        self.people = People(cloud, self.server.clouds["calotype-admin"]["auth"]["password"])
        self.workshop = Workshop(cloud, self.people)
        self.asked = Questions(cloud, self.people, self.workshop)
        self._file = file

    def use(self, policy: str) -> None:
        """Put `NAME: RULE` in force."""
        self._file.write_text(json.dumps(dict([policy.split(": ", 1)])))
        time.sleep(3 * LOOK_SECONDS)

    def ask(self, call: str, kind: str, persona: str) -> str:
        """The outcome of a call about a new image."""
        image = self.workshop.make(kind)
        try:
            return self.asked.tell(CALLS[call], persona, image).outcome
        finally:
            self.workshop.remove(image)


@pytest.fixture(scope="module")
def deployment(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """The deployment that the policies share."""
    made = Deployment(servers, tmp_path_factory.mktemp("policy") / "policy.yaml")
    yield made
    made.server.kill()


def expected(theirs: str, hidden: bool, outcome: str) -> str:
    """The status that is right: what may not be seen is not there, and others' images stay as they are."""
    if outcome == OWNED and theirs in ("403", "404", "500"):
        return "403"
    return "404" if hidden and not theirs.startswith("2") else theirs


@pytest.mark.parametrize("policy", THEIRS)
def test_a_policy_lets_what_it_lets_in_glance(deployment: Deployment, policy: str) -> None:
    deployment.use(policy)
    wrong = []
    table = unfolded(THEIRS[policy])
    for call, kinds in table.items():
        for kind, row in kinds.items():
            for persona, theirs in row.items():
                outcome = deployment.ask(call, kind, persona)
                hidden = table.get("show", {}).get(kind, {}).get(persona) == "404"
                if not outcome.startswith(expected(theirs, hidden, outcome)):
                    wrong.append(f"{call}, {kind}, {persona}: {outcome} instead of {theirs}")
    assert not wrong
