"""What a task keeps of the request that it was made by, and how many of them one answer holds (image-v2 13.2, 19.2)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from calotype.database import tasks
from calotype.images.tasks import SHOWN, Asked, new_task
from calotype.settings import Imports, Store, Uris
from tests.support.catalogue import Run
from tests.support.compute import CALLERS
from tests.support.image import ImageService, image_service

METHODS = ("glance-direct", "web-download", "copy-image", "glance-download")
URI = "http://127.0.0.1/data"
NAMED = {"fast": Store(), "slow": Store()}


@pytest.fixture(params=[{}, NAMED], ids=["one store", "named stores"])
def image(request: pytest.FixtureRequest, tmp_path: Path, run: Run) -> Iterator[ImageService]:
    """A service that carries no task out, with one store and with several."""
    sections: dict[str, Any] = {
        "imports": Imports(methods=METHODS),
        "uris": Uris(allowed_networks=("127.0.0.0/8",)),
        "stores": request.param,
    }
    with image_service(tmp_path, run, **sections) as found:
        yield found


def queued(image: ImageService) -> str:
    """The path of an image that waits for data."""
    made = image("POST", "/v2/images", json={"disk_format": "raw", "container_format": "bare"})
    return f"/v2/images/{made.json()['id']}"


def test_a_task_keeps_what_it_has_a_use_for(image: ImageService) -> None:
    path, junk = queued(image), "j" * 100_000
    body = {
        "method": {"name": "web-download", "uri": URI, "junk": junk},
        "stores": ["slow", "fast"] * 10_000 if image.settings.stores else [junk],
        "all_stores_must_succeed": True,
        "junk": {"junk": junk},
    }
    assert image("POST", f"{path}/import", json=body).status_code == 202
    (task,) = image("GET", f"{path}/tasks").json()["tasks"]
    kept = {"method": {"name": "web-download", "uri": URI}, "all_stores_must_succeed": True}
    assert task["input"] == {
        "image_id": path.rpartition("/")[2],
        "import_req": {**kept, "stores": ["slow", "fast"]} if image.settings.stores else kept,
        "backend": ["slow", "fast"] if image.settings.stores else [None],
    }


@pytest.mark.parametrize("member", ["uri", "glance_region", "glance_image_id", "glance_service_interface"])
def test_no_member_of_the_method_is_longer_than_it_needs_to_be(image: ImageService, member: str) -> None:
    path = queued(image)
    for value in (URI.ljust(2049, "x"), [URI.ljust(2045, "x")]):
        body = {"method": {"name": "web-download", "uri": URI, member: value}}
        answer = image("POST", f"{path}/import", json=body)
        assert answer.status_code == 400
        assert "has 2048 characters at the most" in answer.text
    assert image("GET", f"{path}/tasks").json() == {"tasks": []}
    body = {"method": {"name": "web-download", "uri": URI, member: URI.ljust(2048, "x")}}
    assert image("POST", f"{path}/import", json=body).status_code == 202


def test_of_many_tasks_of_an_image_the_newest_are_listed(image: ImageService, run: Run) -> None:
    path = queued(image)
    image_id = path.rpartition("/")[2]
    asked = Asked(CALLERS["demo"], "req", {})
    made = [new_task(asked, "api_image_import", image_id, {}) for _ in range(SHOWN + 5)]
    for number, task in enumerate(made):
        # Not in the order of their rows.
        moment = 1_700_000_000_000_000 + number * 11 % len(made)
        run(image.parts.database.write(tasks.create, msgspec.structs.replace(task, created_at=moment)))
    times = [each["created_at"] for each in image("GET", f"{path}/tasks").json()["tasks"]]
    assert times == sorted(times, reverse=True)
    assert (len(times), len(set(times))) == (100, 100)
    assert times[-1].endswith(".000005")
