"""kill -9 at any moment: what was acknowledged is there, the rest left no trace."""

import os
import random
import signal
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import httpx
import pytest

from tests.support.attacked import OCTETS, PATCH, Site, eventually, pid_exists
from tests.support.personas import log_in
from tests.support.raw import Raw

DATABASES = ["sqlite", "postgresql"]
DATA = random.Random(1).randbytes(3 * 2**20)
Start = Callable[..., Site]


def uploading(site: Site, image: str, sent: int) -> Raw:
    """A connection on which an upload has sent so many bytes."""
    return upload(site, Raw(site.port), image, sent)


def upload(site: Site, client: Raw, image: str, sent: int) -> Raw:
    """Begin an upload and send so many bytes of it."""
    return client.request(*site.upload_head(image, Content_Length=str(len(DATA))), DATA[:sent])


def kill_whole(site: Site) -> None:
    """Kill the server with all its workers, and start it again."""
    site.server.kill()
    site.server.start()


@pytest.mark.parametrize(("database", "workers"), [("sqlite", "1"), ("sqlite", "3"), ("postgresql", "3")])
def test_uploads_under_way_are_released_by_the_next_start(start: Start, database: str, workers: str) -> None:
    site = start(database, options=("--workers", workers))
    kept = site.image()
    assert site.put(kept, DATA).status_code == 204
    images = {site.image(): sent for sent in (0, 1, 2**20, 2**21, len(DATA) - 1)}
    clients = [uploading(site, image, sent) for image, sent in images.items()]
    assert [site.status(image, "saving") for image in images] == ["saving"] * len(images)
    kill_whole(site)
    assert [site.show(image)["status"] for image in images] == ["queued"] * len(images)
    assert site.files() == {kept}
    assert site.data(kept) == DATA
    for image in images:
        assert site.put(image, DATA).status_code == 204
        assert site.data(image) == DATA
    for client in clients:
        client.close()


@pytest.mark.parametrize("database", DATABASES)
def test_a_worker_killed_alone_is_replaced_and_its_uploads_are_released(start: Start, database: str) -> None:
    site = start(database, options=("--workers", "3"))
    images = [site.image() for _ in range(12)]
    clients, victim = site.scattered(len(images))
    for client, image in zip(clients, images, strict=True):
        upload(site, client, image, 2**20)
    assert [site.status(image, "saving") for image in images] == ["saving"] * len(images)
    others = set(site.workers()) - {victim}
    os.kill(victim, signal.SIGKILL)
    assert eventually(lambda: len(site.workers()) == 3 and not pid_exists(victim), 10)
    assert others < set(site.workers())
    outcomes = [_finish(client) for client in clients]
    for image, whole in zip(images, outcomes, strict=True):
        assert site.status(image, "active" if whole else "queued", 35) == ("active" if whole else "queued")
    assert set(outcomes) == {False, True}, "The killed worker had none of the uploads, or all of them."
    assert site.only({image for image, whole in zip(images, outcomes, strict=True) if whole})
    lost = images[outcomes.index(False)]
    assert site.put(lost, DATA).status_code == 204


def _finish(client: Raw) -> bool:
    """Whether the rest of the upload was taken."""
    try:
        with client:
            return client.send(DATA[2**20 :]).answer().status == 204
    except ConnectionError:
        return False


class Writer(threading.Thread):
    """Writes without a pause, and remembers what was acknowledged; everything else may or may not have happened."""

    def __init__(self, site: Site, seed: int) -> None:
        super().__init__()
        self._site = site
        self._chance = random.Random(seed)
        self._demo = site.server.personas["demo"]
        self.images: dict[str, dict[str, Any]] = {}
        self.uncertain: set[str] = set()
        self.deleted: list[str] = []
        self.tokens: list[str] = []
        self.refused: Exception | None = None

    def run(self) -> None:
        """Until the server is gone."""
        calls = [self._create, self._upload, self._patch, self._tag, self._share, self._remove, self._log_in]
        with self._site.server.client() as api, suppress(httpx.TransportError):
            try:
                while True:
                    self._chance.choice(calls)(api)
            except (httpx.HTTPStatusError, AssertionError) as error:
                self.refused = error

    def _create(self, api: httpx.Client) -> None:
        image = str(uuid.uuid4())
        body = {"id": image, "name": "n", "disk_format": "raw", "container_format": "bare"}
        self._acknowledged(image, api.post, "/v2/images", json=body)
        self.images[image] = {"properties": {}, "tags": set(), "members": set(), "data": None}

    def _some(self) -> str | None:
        return self._chance.choice(sorted(self.images)) if self.images else None

    def _acknowledged(self, image: str, call: Callable[..., httpx.Response], *arguments: Any, **named: Any) -> None:
        """While it is not answered, the state of the image is open."""
        self.uncertain.add(image)
        call(*arguments, **named).raise_for_status()
        self.uncertain.discard(image)

    def _upload(self, api: httpx.Client) -> None:
        image = self._some()
        if image and self.images[image]["data"] is None:
            data = self._chance.randbytes(self._chance.choice([0, 1, 70_000, 1_500_000]))
            self._acknowledged(image, api.put, f"/v2/images/{image}/file", content=data, headers=OCTETS)
            self.images[image]["data"] = data

    def _patch(self, api: httpx.Client) -> None:
        if image := self._some():
            name = f"p{self._chance.randrange(20)}"
            body = [{"op": "add", "path": f"/{name}", "value": str(self._chance.random())}]
            self._acknowledged(image, api.patch, f"/v2/images/{image}", json=body, headers=PATCH)
            self.images[image]["properties"][name] = body[0]["value"]

    def _tag(self, api: httpx.Client) -> None:
        if image := self._some():
            tag = f"t{self._chance.randrange(20)}"
            self._acknowledged(image, api.put, f"/v2/images/{image}/tags/{tag}")
            self.images[image]["tags"].add(tag)

    def _share(self, api: httpx.Client) -> None:
        if image := self._some():
            member = uuid.uuid4().hex
            self._acknowledged(image, api.post, f"/v2/images/{image}/members", json={"member": member})
            self.images[image]["members"].add(member)

    def _remove(self, api: httpx.Client) -> None:
        image = self._some()
        if image and self._chance.random() < 0.3:
            self._acknowledged(image, api.delete, f"/v2/images/{image}")
            del self.images[image]
            self.deleted.append(image)

    def _log_in(self, _: httpx.Client) -> None:
        token, _about = log_in(self._site.server.base, "demo", self._demo.password, "demo")
        self.tokens.append(token)

    def verify(self, site: Site) -> None:
        """Assert that all that was acknowledged is there."""
        assert self.refused is None
        with site.server.client() as api:
            for image, state in self.images.items():
                answer = api.get(f"/v2/images/{image}")
                if image in self.uncertain:
                    self._verify_uncertain(api, image, answer)
                    continue
                found = answer.raise_for_status().json()
                assert found["status"] == ("queued" if state["data"] is None else "active")
                assert {name: found[name] for name in state["properties"]} == state["properties"]
                assert set(found["tags"]) == state["tags"]
                members = api.get(f"/v2/images/{image}/members").json()["members"]
                assert {each["member_id"] for each in members} == state["members"]
                assert api.get(f"/v2/images/{image}/file").content == (state["data"] or b"")
            for image in self.deleted:
                assert api.get(f"/v2/images/{image}").status_code == 404
            for token in self.tokens:
                assert api.get("/v2/images", headers={"X-Auth-Token": token}).status_code == 200

    def _verify_uncertain(self, api: httpx.Client, image: str, answer: httpx.Response) -> None:
        """Done or not done, and nothing between the two."""
        assert answer.status_code in (200, 404)
        if answer.status_code == 200:
            found = answer.json()
            assert found["status"] in ("queued", "active")
            assert len(api.get(f"/v2/images/{image}/file").content) == (found["size"] or 0)


@pytest.mark.parametrize("database", DATABASES)
def test_what_was_acknowledged_survives(start: Start, database: str) -> None:
    site = start(database, options=("--workers", "3"))
    writers: list[Writer] = []
    for round_ in range(2):
        new = [Writer(site, 10 * round_ + number) for number in range(4)]
        writers += new
        for writer in new:
            writer.start()
        assert eventually(lambda new=new: sum(len(writer.images) for writer in new) > 12, 20)
        time.sleep(0.1 + 0.17 * round_)
        site.server.kill()
        for writer in new:
            writer.join()
        site.server.start()
    assert sum(len(writer.images) for writer in writers) > 20
    for writer in writers:
        writer.verify(site)
    with site.server.client("admin") as api:
        listed = {each["id"]: each["status"] for each in pages(api)}
    assert set(listed.values()) <= {"queued", "active"}
    assert site.only({name for name in site.files() if name.partition(".")[0] in listed})
    active = {image for image, status in listed.items() if status == "active"}
    assert {name.partition(".")[0] for name in site.files()} == active


def pages(api: httpx.Client) -> list[dict[str, Any]]:
    """Every image there is."""
    found: list[dict[str, Any]] = []
    path = "/v2/images?visibility=all&limit=1000"
    while path:
        page = api.get(path).raise_for_status().json()
        found += page["images"]
        path = page.get("next", "")
    return found


def test_a_database_that_was_killed_is_whole(start: Start) -> None:
    site = start("sqlite")
    writer = Writer(site, 1)
    writer.start()
    time.sleep(0.7)
    site.server.kill()
    writer.join()
    file = sqlite3.connect(site.server.data / "calotype.db")
    assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert file.execute("PRAGMA foreign_key_check").fetchall() == []
    file.close()


def test_leftovers_of_a_kill_between_a_remove_and_its_file(start: Start) -> None:
    """As if the server had died after it committed the deletion and before it removed the data."""
    site = start("sqlite")
    image = site.image()
    assert site.put(image, DATA).status_code == 204
    site.server.kill()
    with sqlite3.connect(site.server.data / "calotype.db") as file:
        file.execute("INSERT INTO loose_data VALUES ('local', ?, ?, '', 0)", (image, image))
        file.execute("DELETE FROM images WHERE id = ?", (image,))
    file.close()
    site.server.start()
    assert site.files() == set()


def test_data_that_cannot_be_removed_does_not_keep_the_rest(start: Start) -> None:
    site = start("sqlite")
    images = [site.image() for _ in range(3)]
    clients = [uploading(site, image, 2**20) for image in images]
    assert [site.status(image, "saving") for image in images] == ["saving"] * 3
    site.server.kill()
    stubborn = site.server.data / "images" / ".partial" / images[0]
    stubborn.unlink()
    stubborn.mkdir()  # a directory cannot be unlinked
    site.server.start()
    assert [site.show(image)["status"] for image in images] == ["queued"] * 3
    assert site.files() == set()
    assert site.put(images[0], DATA).status_code == 204  # under another name
    assert site.data(images[0]) == DATA
    for client in clients:
        client.close()
