"""Imports through the API: asked for, waited for, judged by what a client sees in the end."""

import hashlib
import time
from typing import Any, NamedTuple

from tests.support.attacked import OCTETS, Site

SECONDS = 60.0
"""Within which every import ends, whatever happens."""


class Outcome(NamedTuple):
    """What became of an import."""

    image: dict[str, Any]
    task: dict[str, Any]
    seconds: float


def begin(site: Site, image: str, url: str | None = None, **body: Any) -> None:
    """Ask for the import of a URL, or of what is staged."""
    method = {"name": "glance-direct"} if url is None else {"name": "web-download", "uri": url}
    with site.server.client("admin") as api:
        answer = api.post(f"/v2/images/{image}/import", json={"method": method, **body})
    assert answer.status_code == 202, answer.text


def stage(site: Site, image: str, data: bytes) -> None:
    """Stage data for glance-direct."""
    with site.server.client() as api:
        answer = api.put(f"/v2/images/{image}/stage", content=data, headers=OCTETS)
    assert answer.status_code == 204, answer.text


def ended(site: Site, image: str, begun: float) -> Outcome:
    """What became of the newest import of an image, once it is over."""
    with site.server.client("admin") as api:
        while (task := api.get(f"/v2/images/{image}/tasks").json()["tasks"][0])["expires_at"] is None:
            assert time.monotonic() - begun < SECONDS, f"the task is not over: {task}"
            time.sleep(0.05)
    return Outcome(site.show(image), task, time.monotonic() - begun)


def is_active(outcome: Outcome, data: bytes) -> None:
    """Assert that the image has the data."""
    image, task, _ = outcome
    assert (task["status"], task["message"]) == ("success", f"Copied {len(data) // 2**20} MiB")
    assert (image["status"], image["size"]) == ("active", len(data))
    assert image["os_hash_value"] == hashlib.sha512(data).hexdigest()
    assert image["os_glance_failed_import"] == image["os_glance_importing_to_stores"] == ""
    assert "os_glance_import_task" not in image


def is_queued(outcome: Outcome, message: str) -> None:
    """Assert that the image waits for data again, and that the task says why."""
    image, task, _ = outcome
    assert (task["status"], task["message"], task["result"]) == ("failure", message, None)
    assert image["status"] == "queued"
    assert [image[name] for name in ("size", "checksum", "os_hash_algo", "os_hash_value", "virtual_size")] == [None] * 5
    assert image["os_glance_importing_to_stores"] == ""
    assert "os_glance_import_task" not in image
