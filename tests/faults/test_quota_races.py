"""Many who want what is left of a quota: it is never exceeded, those who fit are served, nothing is lost for ever."""

import asyncio
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import httpx
import pytest

from calotype.database import quotas
from calotype.database.connect import connect
from calotype.database.quotas import Usage
from calotype.settings import Settings
from tests.support.attacked import OCTETS, PATCH, Site, eventually
from tests.support.raw import Raw
from tests.support.threads import together

Start = Callable[..., Site]

MIB = 2**20
DATA = os.urandom(100 * 1024)
ROOM = 10
"""How many times DATA fits into a MiB."""
MANY = 50
WORKERS = ("--workers", "2")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """Each database in turn."""
    found: str = request.param
    return found


@contextmanager
def limited(servers: Any, database: str, **limits: str) -> Iterator[Site]:
    """A server with two workers and these limits."""
    environment = {f"CALOTYPE_QUOTA_{name.upper()}": value for name, value in limits.items()}
    server = servers.unstarted(database, options=WORKERS, environment=environment)
    server.start()
    try:
        yield Site(server)
    finally:
        server.kill()


@pytest.fixture(scope="module")
def store(database: str, servers: Any) -> Iterator[Site]:
    """A server that stores a MiB for each project."""
    with limited(servers, database, storage="1MB") as site:
        yield site


@pytest.fixture(scope="module")
def counted(database: str, servers: Any) -> Iterator[Site]:
    """A server with Keystone's four limits: 1 MiB stored, 1 MiB staged, 60 images, 3 of them on their way."""
    limits = {"image_size_total": "1", "image_stage_total": "1", "image_count_total": "60"}
    with limited(servers, database, **limits, image_count_uploading="3") as site:
        yield site


@pytest.fixture(autouse=True)
def emptied(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test begins with an empty catalogue."""
    yield
    for name in {"store", "counted"} & set(request.fixturenames):
        request.getfixturevalue(name).server.clear()


class Watch(threading.Thread):
    """Looks at what the project holds, straight in the database: before the `with` block, all through it, and after."""

    def __init__(self, site: Site) -> None:
        super().__init__()
        self._site = site
        self._ended = threading.Event()
        self.seen: list[Usage] = []

    def run(self) -> None:
        """Until the end of the `with` block."""
        asyncio.run(self._look())

    async def _look(self) -> None:
        database = connect(Settings(database=self._site.server.database))
        await database.open()
        project = self._site.server.personas["demo"].project_id
        try:
            ended = False
            while not ended:
                ended = self._ended.is_set()  # before the last look, which sees what the block has left
                found = await database.all(quotas.USAGE, {"project": project, "without": ""})
                self.seen.append(quotas.usage(found[0]))
                await asyncio.sleep(0.005)
        finally:
            await database.close()

    def __enter__(self) -> "Watch":
        self.start()
        assert eventually(lambda: len(self.seen) > 0, 30), "Nothing is seen."
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join(30)
        assert not self.is_alive()


def send(site: Site, image: str, known: bool, what: str = "file", data: bytes = DATA) -> httpx.Response:
    """Upload or stage, on a connection of its own, so that any worker may get it."""
    pieces = [data[start : start + 8192] for start in range(0, len(data), 8192)]
    content: Any = data if known else iter(pieces)
    headers = {"X-Auth-Token": site.token, **OCTETS}
    return httpx.put(f"{site.server.base}/v2/images/{image}/{what}", content=content, headers=headers, timeout=120)


def statuses(answers: list[httpx.Response]) -> Counter[int]:
    """How often each status came."""
    return Counter(answer.status_code for answer in answers)


WAYS = {
    "known sizes": lambda number: (True, "file"),
    "unknown sizes": lambda number: (False, "file"),
    "both": lambda number: (number % 2 == 0, "file"),
    "staged": lambda number: (number % 2 == 0, "stage"),
    "all": lambda number: (number % 2 == 0, "file" if number % 3 else "stage"),
}


@pytest.mark.parametrize("way", WAYS)
def test_many_uploads_never_exceed_the_storage_quota(store: Site, way: str) -> None:
    images = [store.image() for _ in range(MANY)]
    uploads = [partial(send, store, image, *WAYS[way](number)) for number, image in enumerate(images)]
    with Watch(store) as watch:
        answers = together(uploads)
    assert statuses(answers) == {204: ROOM, 413: MANY - ROOM}
    assert max(each.storage for each in watch.seen) <= MIB
    assert watch.seen[-1].storage == ROOM * len(DATA)
    kept = {image for image, answer in zip(images, answers, strict=True) if answer.status_code == 204}
    assert store.only(kept) == kept
    for image, answer in zip(images, answers, strict=True):
        if image not in kept:
            assert "Image exceeds the storage quota: The size of the data " in answer.text
            assert (store.show(image)["status"], store.show(image)["size"]) == ("queued", None)


def test_what_is_freed_goes_to_the_next(store: Site) -> None:
    images = [store.image() for _ in range(2 * ROOM)]
    assert statuses(together(partial(send, store, image, True) for image in images[:ROOM])) == {204: ROOM}
    with store.server.client() as api, Watch(store) as watch:
        removed = [partial(api.delete, f"/v2/images/{image}") for image in images[:ROOM]]
        assert statuses(together(removed)) == {204: ROOM}
        assert statuses(together(partial(send, store, image, True) for image in images[ROOM:])) == {204: ROOM}
    assert max(each.storage for each in watch.seen) <= MIB


def reserve(site: Site, image: str, size: int, what: str = "file") -> Raw:
    """A connection on which an upload has announced so many bytes and sent some of them."""
    return announce(site, Raw(site.port), image, size, what)


def announce(site: Site, client: Raw, image: str, size: int, what: str = "file") -> Raw:
    """Announce an upload of so many bytes and send some of them."""
    method, path, headers = site.upload_head(image, Content_Length=str(size))
    client.request(method, path.replace("/file", f"/{what}"), headers, DATA[:1000])
    assert site.status(image, "saving" if what == "file" else "uploading") != "queued"
    return client


@pytest.mark.parametrize("what", ["file", "stage"])
def test_a_cut_upload_gives_its_room_back(store: Site, what: str) -> None:
    first, second = store.image(), store.image()
    with reserve(store, first, MIB, what):
        assert send(store, second, True).status_code == 413
        assert send(store, second, False).status_code == 413
    assert store.status(first, "queued") == "queued"
    assert send(store, second, True).status_code == 204


@pytest.mark.parametrize("what", ["file", "stage"])
def test_an_image_deleted_during_its_upload_leaves_nothing_that_is_not_counted(store: Site, what: str) -> None:
    first, second = store.image(), store.image()
    with reserve(store, first, MIB, what) as client, store.server.client() as api:
        assert store.files() != set()
        assert api.delete(f"/v2/images/{first}").status_code == 204
        assert store.only(set(), 15) == set()  # its client neither sends nor goes away
        assert send(store, second, True).status_code == 204
        client.send(DATA * 10 + bytes(MIB - 1000 - 10 * len(DATA)))
        assert client.answer().status == 410
    assert store.files() == {second}


def test_a_killed_worker_gives_its_room_back(database: str, servers: Any) -> None:
    with limited(servers, database, storage="1MB") as site:
        images = [site.image() for _ in range(8)]
        clients, victim = site.scattered(len(images))
        for client, image in zip(clients, images, strict=True):
            announce(site, client, image, MIB // 8)
        other = site.image()
        assert send(site, other, True).status_code == 413
        os.kill(victim, signal.SIGKILL)
        assert eventually(lambda: len(site.workers()) == 2 and victim not in site.workers(), 10)
        assert eventually(lambda: any(site.show(image)["status"] == "queued" for image in images), 35)
        lost = [image for image in images if site.status(image, "queued", 1) == "queued"]
        assert 0 < len(lost) < len(images), "The killed worker had none of the uploads, or all of them."
        assert send(site, other, True).status_code == 204
        for client in clients:
            client.close()


def test_a_killed_server_gives_all_room_back(database: str, servers: Any) -> None:
    with limited(servers, database, storage="1MB") as site:
        first, staged, other = site.image(), site.image(), site.image()
        clients = [reserve(site, first, MIB // 2), reserve(site, staged, MIB // 2, "stage")]
        assert send(site, other, True).status_code == 413
        site.server.kill()
        site.server.start()
        for client in clients:
            client.close()
        assert site.status(first, "queued") == site.status(staged, "queued") == "queued"
        assert statuses([send(site, image, True) for image in (first, staged, other)]) == {204: 3}


@pytest.mark.parametrize(("known", "fit"), [(True, ROOM), (False, ROOM + 1)])
def test_the_limit_of_stored_data_holds(counted: Site, known: bool, fit: int) -> None:
    """Data of unknown size is admitted while the limit is not exceeded, so one image may exceed it, as in Glance."""
    images = [counted.image() for _ in range(20)]
    with Watch(counted) as watch:
        answers = together(partial(persist, counted, image, known) for image in images)
    assert statuses(answers) == {204: fit, 413: 20 - fit}
    assert max(each.size for each in watch.seen) == fit * len(DATA)
    assert max(each.uploading for each in watch.seen) <= 3


def persist(site: Site, image: str, known: bool) -> httpx.Response:
    """Upload, once nothing but the amount of data is in the way."""
    until = time.monotonic() + 60
    while "image_count_uploading" in (answer := send(site, image, known)).text and time.monotonic() < until:
        time.sleep(0.02)
    return answer


def test_the_limit_of_staged_data_holds(counted: Site) -> None:
    images = [counted.image() for _ in range(10)]
    answers = together(partial(send, counted, image, True, "stage", DATA * 4) for image in images)
    assert statuses(answers) == {204: 2, 413: 8}  # a third would be more than a MiB, whatever else is on its way


def test_the_limit_of_images_on_their_way_holds(counted: Site) -> None:
    images = [counted.image() for _ in range(20)]
    clients = [Raw(counted.port) for _ in images]

    def begin(client: Raw, image: str) -> None:
        client.request(*counted.upload_head(image, Content_Length="2000"), DATA[:1000])

    with Watch(counted) as watch:
        together(partial(begin, client, image) for client, image in zip(clients, images, strict=True))
        assert eventually(lambda: watch.seen[-1].uploading == 3, 10)
        time.sleep(0.5)
        assert sum(counted.show(image)["status"] == "saving" for image in images) == 3
        for client in clients:
            client.close()
    assert max(each.uploading for each in watch.seen) == 3
    assert all(counted.status(image, "queued") == "queued" for image in images)


def test_the_limit_of_images_holds(counted: Site) -> None:
    def create() -> httpx.Response:
        return httpx.post(
            f"{counted.server.base}/v2/images", json={}, headers={"X-Auth-Token": counted.token}, timeout=60
        )

    with Watch(counted) as watch:
        answers = together([create] * 100)
    assert statuses(answers) == {201: 60, 413: 40}
    assert max(each.images for each in watch.seen) == 60


def test_the_quota_of_properties_holds(store: Site) -> None:
    image = store.image(**{f"p{number}": "x" for number in range(120)})

    def add(number: int) -> httpx.Response:
        body = [{"op": "add", "path": f"/n{number}", "value": "x"}]
        headers = {"X-Auth-Token": store.token, **PATCH}
        return httpx.patch(f"{store.server.base}/v2/images/{image}", json=body, headers=headers, timeout=60)

    assert statuses(together(partial(add, number) for number in range(30))) == {200: 8, 413: 22}
