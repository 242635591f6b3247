"""A slow store behind the cache: read once, verified, never in the way."""

import asyncio
import hashlib
import os
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from calotype.app import build
from calotype.cli import clouds
from calotype.cli.prepare import prepare
from calotype.images import cache as reading
from calotype.images.errors import StorageUnavailable
from calotype.settings import Cache, Image, Log, Settings, Store
from tests.support import slowstore
from tests.support.inprocess import InProcess
from tests.support.slowstore import SlowStore

MIB = 2**20
DATA = random.Random(1).randbytes(4 * MIB + 123)
OCTETS = {"Content-Type": "application/octet-stream"}


class Site:
    """A service with the stores `slow` and `fast`, and what the tests ask of it."""

    def __init__(self, running: InProcess, store: SlowStore, settings: Settings, admin: dict[str, str]) -> None:
        self.client = running.client
        self.store = store
        self.directory = settings.directory / "cache"
        self.admin = admin

    async def image(self, data: bytes = DATA, store: str = "slow", **attributes: Any) -> str:
        """The id of an active image."""
        body = {"name": "i", "disk_format": "raw", "container_format": "bare", **attributes}
        image: str = (await self.client.post("/v2/images", json=body)).raise_for_status().json()["id"]
        headers = {**OCTETS, "X-Image-Meta-Store": store}
        (await self.client.put(f"/v2/images/{image}/file", content=data, headers=headers)).raise_for_status()
        return image

    async def get(self, image: str, **headers: str) -> httpx.Response:
        """Download it."""
        return await self.client.get(f"/v2/images/{image}/file", headers=headers)

    async def data(self, image: str) -> bytes:
        """The data of a download that must succeed."""
        return (await self.get(image)).raise_for_status().content

    async def listed(self) -> dict[str, Any]:
        """What the cache says."""
        found: dict[str, Any] = (await self.client.get("/v2/cache", headers=self.admin)).raise_for_status().json()
        return found

    async def cached(self, wanted: set[str] | None = None, seconds: float = 5.0) -> set[str]:
        """The images with a copy, once they are the `wanted` or the time is up."""
        until = time.monotonic() + seconds
        while True:
            found = {each["image_id"] for each in (await self.listed())["cached_images"]}
            if found == wanted or wanted is None or time.monotonic() > until:
                return found
            await asyncio.sleep(0.02)

    def age(self) -> None:
        """Have every copy last been used an hour ago, one second after another in the order of their uses."""
        paths = [path for folder in ("data", "hits") for path in (self.directory / folder).iterdir()]
        for number, path in enumerate(sorted(paths, key=lambda each: each.stat().st_mtime)):
            moment = time.time() - 3600 + number
            os.utime(path, (moment, moment))

    def files(self, folder: str) -> list[Path]:
        """What lies in a part of the cache."""
        return list((self.directory / folder).iterdir())


Open = Callable[..., Any]


@pytest.fixture
def opened(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens a service; the arguments are settings of the cache."""
    made = slowstore.install(monkeypatch)

    @asynccontextmanager
    async def open_site(**cache: Any) -> AsyncIterator[Site]:
        settings = Settings(
            data=str(tmp_path / "data"),
            database=sqlite_url,
            log=Log(requests=False),
            stores={"fast": Store(), "slow": Store()},
            image=Image(default_store="slow"),
            cache=Cache(**{"directory": "cache", **cache}),
        )
        await asyncio.to_thread(prepare, settings)
        async with InProcess(build(settings)) as running:
            demo, admin = [await token(running, settings, user) for user in ("demo", "admin")]
            running.client.headers["X-Auth-Token"] = demo
            yield Site(running, made[-1], settings, {"X-Auth-Token": admin})

    return open_site


async def token(running: InProcess, settings: Settings, user: str) -> str:
    """A token of a user that the first start made."""
    login = clouds.read(settings)[f"calotype-{user}"]["auth"]
    domain = {"id": "default"}
    who = {"user": {"name": user, "password": str(login["password"]), "domain": domain}}
    scope = {"project": {"name": login["project_name"], "domain": domain}}
    body = {"auth": {"identity": {"methods": ["password"], "password": who}, "scope": scope}}
    found: str = (await running.client.post("/v3/auth/tokens", json=body)).headers["X-Subject-Token"]
    return found


@pytest_asyncio.fixture
async def site(opened: Open) -> AsyncIterator[Site]:
    """A service with an empty cache of the usual size."""
    async with opened() as made:
        yield made


async def test_the_second_download_does_not_touch_the_store(site: Site) -> None:
    image = await site.image()
    first = await site.get(image)
    assert await site.cached({image}) == {image}
    site.store.away = True
    second = await site.get(image)
    assert first.content == second.content == DATA
    names = ("content-type", "content-length", "content-md5")
    assert [first.headers[each] for each in names] == [second.headers[each] for each in names]
    assert {*first.headers} == {*second.headers}
    assert site.store.reads == [(0, len(DATA))]
    (entry,) = (await site.listed())["cached_images"]
    assert (entry["image_id"], entry["hits"], entry["size"]) == (image, 1, len(DATA))
    assert entry["last_modified"] < entry["last_accessed"] <= time.time()


async def test_many_at_once_are_one_read(site: Site) -> None:
    image = await site.image()
    site.store.pause = 0.01
    found = await asyncio.gather(*(site.data(image) for _ in range(12)))
    assert found == [DATA] * 12
    assert site.store.reads == [(0, len(DATA))]
    assert await site.cached({image}) == {image}


async def test_a_client_that_goes_away_breaks_nothing(site: Site) -> None:
    image = await site.image()
    site.store.pause = 0.02
    leaving, staying = asyncio.create_task(site.get(image)), asyncio.create_task(site.get(image))
    await asyncio.sleep(0.15)
    leaving.cancel()
    with suppress(asyncio.CancelledError):
        await leaving
    assert (await staying).content == DATA
    assert await site.cached({image}) == {image}
    assert site.store.reads == [(0, len(DATA))]


async def test_the_filling_goes_on_when_nobody_waits_for_it(site: Site) -> None:
    image = await site.image()
    site.store.pause = 0.02
    leaving = asyncio.create_task(site.get(image))
    await asyncio.sleep(0.1)
    leaving.cancel()
    assert await site.cached({image}) == {image}
    assert await site.data(image) == DATA


async def test_when_the_filling_breaks_off_clients_get_the_rest_from_the_store(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a full disk: writing fails after some blocks."""
    image = await site.image()
    usual = reading.Stream.put

    async def put(stream: reading.Stream, block: bytes) -> None:
        if stream.size >= 2 * MIB:
            raise OSError(28, "No space left on device")
        await usual(stream, block)

    monkeypatch.setattr(reading.Stream, "put", put)
    assert await site.data(image) == DATA
    (whole, (start, stop)) = site.store.reads
    assert whole == (0, len(DATA))
    assert 0 < start < stop == len(DATA)
    assert await site.cached() == set()
    assert site.files("partial") == []


async def test_a_store_that_breaks_off_leaves_no_copy(site: Site) -> None:
    image = await site.image()
    site.store.breaks_at = 3 * MIB
    with pytest.raises(StorageUnavailable):  # in process; a server breaks the connection
        await site.get(image)
    assert await site.cached() == set()
    assert site.files("partial") == []
    site.store.breaks_at = None
    assert await site.data(image) == DATA
    assert await site.cached({image}) == {image}


async def test_what_has_another_hash_is_not_kept(site: Site) -> None:
    image = await site.image()
    damaged = bytes([DATA[0] ^ 1]) + DATA[1:]
    (site.store.directory / image).write_bytes(damaged)
    assert await site.data(image) == damaged, "Without a cache it would be the same."
    assert await site.data(image) == damaged
    assert site.store.reads == [(0, len(DATA))] * 2
    assert await site.cached() == set()
    assert site.files("partial") == []


async def test_a_damaged_copy_is_replaced(site: Site) -> None:
    image = await site.image()
    await site.data(image)
    assert await site.cached({image}) == {image}
    (copy,) = site.files("data")
    os.truncate(copy, 1000)
    assert await site.data(image) == DATA
    assert await site.cached({image}) == {image}
    assert copy.stat().st_size == len(DATA)


async def test_the_least_recently_used_goes(opened: Open) -> None:
    async with opened(size=2 * len(DATA)) as site:
        first, second, third = [await site.image() for _ in range(3)]
        for image in (first, second):
            await site.data(image)
        assert await site.cached({first, second}) == {first, second}
        await site.data(first)
        site.age()
        await site.data(third)
        assert await site.cached({first, third}) == {first, third}


async def test_what_is_larger_than_the_cache_goes_past_it(opened: Open) -> None:
    async with opened(size=len(DATA) - 1) as site:
        small, large = await site.image(b"small"), await site.image()
        await site.data(small)
        assert await site.cached({small}) == {small}
        site.age()
        assert await site.data(large) == DATA
        assert await site.cached() == {small}


async def test_a_smaller_bound_counts_from_the_next_start(opened: Open) -> None:
    async with opened() as site:
        images = [await site.image() for _ in range(3)]
        for image in images:
            await site.data(image)
        assert await site.cached({*images}) == {*images}
        site.age()
    async with opened(size=len(DATA)) as site:
        assert await site.cached() == {images[-1]}


async def test_ranges_go_past_the_cache(site: Site) -> None:
    image = await site.image()
    answer = await site.get(image, Range="bytes=0-9")
    assert (answer.status_code, answer.content) == (206, DATA[:10])
    assert (await site.get(image, **{"Content-Range": "bytes 0-9/*"})).content == DATA[:10]
    assert await site.cached() == set()
    await site.data(image)
    assert await site.cached({image}) == {image}
    assert (await site.get(image, Range="bytes=1-2")).content == DATA[1:3]
    assert site.store.reads[-1] == (1, 3)
    assert (await site.listed())["cached_images"][0]["hits"] == 0


async def test_deactivated_images_are_not_served_from_it(site: Site) -> None:
    image = await site.image()
    await site.data(image)
    assert await site.cached({image}) == {image}
    await site.client.post(f"/v2/images/{image}/actions/deactivate")
    assert (await site.get(image)).status_code == 403
    reads = len(site.store.reads)
    assert (await site.get(image, **site.admin)).content == DATA
    assert len(site.store.reads) == reads + 1
    assert (await site.listed())["cached_images"][0]["hits"] == 0
    await site.client.post(f"/v2/images/{image}/actions/reactivate")
    assert await site.data(image) == DATA
    assert len(site.store.reads) == reads + 1


async def test_a_deleted_image_leaves_at_once(site: Site) -> None:
    image, other = await site.image(), await site.image(b"other")
    for each in (image, other):
        await site.data(each)
    assert await site.cached({image, other}) == {image, other}
    (await site.client.delete(f"/v2/images/{image}")).raise_for_status()
    assert await site.cached() == {other}
    assert len(site.files("data")) == 1


async def test_a_store_with_files_is_not_read_through(site: Site) -> None:
    image = await site.image(store="fast")
    assert await site.data(image) == DATA
    assert await site.cached() == set()
    assert site.files("partial") == []


async def test_unless_it_is_named(opened: Open) -> None:
    async with opened(stores=("fast",)) as site:
        fast, slow = await site.image(store="fast"), await site.image()
        assert await site.data(fast) == await site.data(slow) == DATA
        assert await site.cached({fast}) == {fast}
        assert site.store.reads == [(0, len(DATA))]


async def test_without_a_cache_nothing_changes(opened: Open) -> None:
    async with opened(directory="") as site:
        image = await site.image()
        assert await site.data(image) == await site.data(image) == DATA
        assert site.store.reads == [(0, len(DATA))] * 2
        assert not site.directory.exists()


async def test_a_cache_that_cannot_be_used_is_gone_round(site: Site) -> None:
    image = await site.image()
    site.directory.rename(site.directory.with_name("away"))
    site.directory.write_text("in the way")
    assert await site.data(image) == DATA
    assert (await site.client.get("/v2/cache", headers=site.admin)).status_code == 503
    (await site.client.delete(f"/v2/images/{image}")).raise_for_status()


async def test_images_are_fetched_ahead_once(site: Site) -> None:
    images = [await site.image() for _ in range(3)]
    kept = await site.image(store="fast")
    site.store.pause = 0.002
    for image in (*images, kept, *images):
        (await site.client.put(f"/v2/cache/{image}", headers=site.admin)).raise_for_status()
    assert await site.cached({*images, kept}) == {*images, kept}
    assert site.store.reads == [(0, len(DATA))] * 3
    for _ in range(100):
        if not (await site.listed())["queued_images"]:
            break
        await asyncio.sleep(0.05)
    listed = await site.listed()
    assert listed["queued_images"] == []
    assert [each["hits"] for each in listed["cached_images"]] == [0] * 4
    assert await site.data(kept) == await site.data(images[0]) == DATA
    assert len(site.store.reads) == 3
    assert sum(each["hits"] for each in (await site.listed())["cached_images"]) == 2


async def test_what_cannot_be_fetched_waits(opened: Open) -> None:
    """And is there at the next start."""
    async with opened() as site:
        image, gone = await site.image(), await site.image()
        site.store.away = True
        for each in (image, gone):
            (await site.client.put(f"/v2/cache/{each}", headers=site.admin)).raise_for_status()
        await site.client.post(f"/v2/images/{gone}/actions/deactivate")
        await asyncio.sleep(1.5)
        assert (await site.listed())["queued_images"] == [image]
    async with opened() as site:
        assert await site.cached({image}) == {image}


async def test_what_can_never_be_fetched_does_not_wait(site: Site) -> None:
    image = await site.image()
    (site.store.directory / image).write_bytes(DATA[::-1])
    (await site.client.put(f"/v2/cache/{image}", headers=site.admin)).raise_for_status()
    for _ in range(100):
        if not (await site.listed())["queued_images"]:
            break
        await asyncio.sleep(0.05)
    listed = await site.listed()
    assert listed == {"cached_images": [], "queued_images": []}


async def test_other_data_has_another_copy(site: Site) -> None:
    """As when an image's data changes behind the cache: the old copy is not found, and the sweep takes it away."""
    image = await site.image()
    await site.data(image)
    assert await site.cached({image}) == {image}
    (copy,) = site.files("data")
    stale = copy.with_name(copy.name.replace(copy.name.split(".")[1], hashlib.md5(b"old").hexdigest()))
    copy.rename(stale)
    assert await site.data(image) == DATA
    assert len(site.store.reads) == 2
