"""Files that break while the service runs, and workers that die then: it goes on with what was last in force."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from calotype.access.policy.files import LOOK_SECONDS
from tests.support.attacked import Site, eventually
from tests.support.raw import Answer, Raw

FILES = {
    "CALOTYPE_POLICY_FILE": "delete_image: '!'\nteam: 'role:admin'\nget_imag: ''\n",
    "CALOTYPE_IMAGE_PROPERTY_PROTECTION_FILE": "[^secret]\ncreate = @\nread = team\nupdate = @\ndelete = @\n"
    "[.*]\ncreate = @\nread = @\nupdate = @\ndelete = @\n",
    "CALOTYPE_IMAGE_SCHEMA_FILE": '{"cores": {"type": "integer"}}',
}


def ask(client: Raw, method: str, site: Site, image: str) -> Answer:
    """The answer about an image, on this connection."""
    return client.request(method, f"/v2/images/{image}", {"X-Auth-Token": site.token}).answer()


def of_both_after_a_death(site: Site) -> list[Raw]:
    """Connections to both workers, of which one replaces one that was just killed."""
    victim, other = site.workers()
    os.kill(victim, signal.SIGKILL)
    assert eventually(lambda: len(site.workers()) == 2 and victim not in site.workers(), 20)
    clients, _ = site.scattered(6)
    assert other in site.workers()
    return clients


@pytest.mark.parametrize("lane", ["granian", "uvicorn"])
@pytest.mark.parametrize("how", ["broken", "absent"])
def test_a_worker_that_is_started_anew_has_the_rules_of_the_others(
    start: Callable[..., Site], tmp_path: Path, lane: str, how: str
) -> None:
    paths = {name: tmp_path / name for name in FILES}
    for name, path in paths.items():
        path.write_text(FILES[name])
    environment = {name: str(path) for name, path in paths.items()}
    environment["CALOTYPE_IMAGE_PROPERTY_PROTECTION_RULE_FORMAT"] = "policies"
    site = start("sqlite", environment=environment, options=("--workers", "2", "--server", lane))
    told = "Warning: policy: get_imag is no rule of Glance's, and nothing names it: it has no effect\n"
    assert site.server.log.count("Warning: ") == site.server.log.count(told) == 1
    image = site.image(secret="s", cores=4)
    for path in paths.values():
        if how == "broken":
            path.write_text("[broken")
        else:
            path.unlink()
    for client in of_both_after_a_death(site):
        found = json.loads(ask(client, "GET", site, image).body)
        assert (found["cores"], "secret" in found) == (4, False)
        assert ask(client, "DELETE", site, image).status == 403
        client.close()
    paths["CALOTYPE_POLICY_FILE"].write_text("team: '!'")
    with site.server.client() as api:
        assert eventually(lambda: api.delete(f"/v2/images/{image}").status_code == 204, 10), "Mended, it counts."


@pytest.mark.parametrize("lane", ["granian", "uvicorn"])
def test_a_right_that_was_withdrawn_does_not_come_back_with_a_new_worker(
    start: Callable[..., Site], tmp_path: Path, lane: str
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("delete_image: ''")
    options = ("--workers", "2", "--server", lane)
    site = start("sqlite", environment={"CALOTYPE_POLICY_FILE": str(file)}, options=options)
    image = site.image()
    file.write_text("delete_image: '!'")
    assert eventually(lambda: site.server.log.count("the changed policy files are in force") == 2, 10)
    time.sleep(2 * LOOK_SECONDS)  # the server looks as often as its workers
    file.write_text("delete_image: '!")
    assert eventually(lambda: site.server.log.count("the rules of before stay in force") == 2, 10)
    for client in of_both_after_a_death(site):
        assert ask(client, "DELETE", site, image).status == 403
        client.close()
