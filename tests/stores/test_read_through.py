"""A slow store behind the cache: read once, verified, never in the way."""

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path

import pytest

from calotype.images import cache as reading
from calotype.images.cache import FILLINGS, Cache, name_of
from calotype.images.data import Data
from calotype.images.errors import StorageUnavailable
from calotype.settings import Cache as CacheSettings
from calotype.settings import Settings
from tests.support.catalogue import an_image
from tests.support.slowsite import DATA, MIB, Open, SlowSite
from tests.support.waiting import until


async def test_the_second_download_does_not_touch_the_store(site: SlowSite) -> None:
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


async def test_many_at_once_are_one_read(site: SlowSite) -> None:
    image = await site.image()
    site.store.pause = 0.01
    found = await asyncio.gather(*(site.data(image) for _ in range(12)))
    assert found == [DATA] * 12
    assert site.store.reads == [(0, len(DATA))]
    assert await site.cached({image}) == {image}


async def test_a_client_that_goes_away_breaks_nothing(site: SlowSite) -> None:
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


async def test_the_filling_goes_on_when_nobody_waits_for_it(site: SlowSite) -> None:
    image = await site.image()
    site.store.pause = 0.02
    leaving = asyncio.create_task(site.get(image))
    await asyncio.sleep(0.1)
    leaving.cancel()
    assert await site.cached({image}) == {image}
    assert await site.data(image) == DATA


async def test_when_the_filling_breaks_off_clients_get_the_rest_from_the_store(
    site: SlowSite, monkeypatch: pytest.MonkeyPatch
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


async def test_a_store_that_breaks_off_leaves_no_copy(site: SlowSite) -> None:
    image = await site.image()
    site.store.breaks_at = 3 * MIB
    with pytest.raises(StorageUnavailable):  # in process; a server breaks the connection
        await site.get(image)
    assert await site.cached() == set()
    assert site.files("partial") == []
    site.store.breaks_at = None
    assert await site.data(image) == DATA
    assert await site.cached({image}) == {image}


async def test_what_has_another_hash_is_not_kept(site: SlowSite) -> None:
    image = await site.image()
    damaged = bytes([DATA[0] ^ 1]) + DATA[1:]
    (site.store.directory / image).write_bytes(damaged)
    assert await site.data(image) == damaged, "Without a cache it would be the same."
    assert await site.data(image) == damaged
    assert site.store.reads == [(0, len(DATA))] * 2
    assert await site.cached() == set()
    assert site.files("partial") == []


async def test_a_damaged_copy_is_replaced(site: SlowSite) -> None:
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


async def test_reading_one_image_takes_half_of_the_cache_at_most(opened: Open) -> None:
    """Nobody drives out everybody else's copies by reading; who may look after the cache may."""
    async with opened(size=2 * len(DATA) - 1) as site:
        small, large = await site.image(b"small"), await site.image()
        await site.data(small)
        assert await site.data(large) == await site.data(large) == DATA
        assert site.store.reads == [(0, 5), (0, len(DATA)), (0, len(DATA))]
        assert site.files("partial") == []
        assert await site.cached({small}) == {small}
        (await site.client.put(f"/v2/cache/{large}", headers=site.admin)).raise_for_status()
        assert await site.cached({small, large}) == {small, large}


async def test_a_smaller_bound_counts_from_the_next_start(opened: Open) -> None:
    async with opened() as site:
        images = [await site.image() for _ in range(3)]
        for image in images:
            await site.data(image)
        assert await site.cached({*images}) == {*images}
        site.age()
    async with opened(size=len(DATA)) as site:
        assert await site.cached() == {images[-1]}


async def test_ranges_go_past_the_cache(site: SlowSite) -> None:
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


async def test_deactivated_images_are_not_served_from_it(site: SlowSite) -> None:
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


async def test_a_deleted_image_leaves_at_once(site: SlowSite) -> None:
    image, other = await site.image(), await site.image(b"other")
    for each in (image, other):
        await site.data(each)
    assert await site.cached({image, other}) == {image, other}
    (await site.client.delete(f"/v2/images/{image}")).raise_for_status()
    assert await site.cached() == {other}
    assert len(site.files("data")) == 1


async def test_deleting_an_image_ends_its_filling(site: SlowSite) -> None:
    image, other = await site.image(), await site.image(DATA[::-1])
    site.store.pause = 0.05
    readers = []
    for each in (image, other):
        readers.append(asyncio.create_task(site.get(each)))
        await asyncio.sleep(0.15)
    assert len(site.files("partial")) == 2
    site.store.pause = 2
    await asyncio.sleep(0.1)
    async with asyncio.timeout(1):
        (await site.client.delete(f"/v2/images/{image}")).raise_for_status()
    site.store.pause = 0
    assert [path.name.partition(".")[0] for path in site.files("partial")] == [other]
    assert (await readers[1]).content == DATA[::-1]
    assert await site.cached({other}) == {other}
    await asyncio.gather(*readers, return_exceptions=True)
    assert [path.name.partition(".")[0] for path in site.files("data")] == [other]


async def test_a_filling_that_ends_before_it_begins_holds_nothing_up(tmp_path: Path) -> None:
    """As when the image is deleted in the same turn of the loop."""
    cache = Cache(Settings(data=str(tmp_path), cache=CacheSettings(directory="cache", size=MIB)))
    await cache.open()
    content = DATA[:1000]

    async def read(start: int, stop: int) -> AsyncGenerator[bytes]:
        yield content[start:stop]

    data = Data(len(content), None, read, "slow")
    for _ in range(FILLINGS + 1):
        image = an_image(size=len(content), os_hash_algo="sha512", os_hash_value=hashlib.sha512(content).hexdigest())
        download = asyncio.create_task(cache.through(image, data))
        await asyncio.create_task(cache.forget(image.id))
        async with asyncio.timeout(5):
            found = await download
            assert b"".join([piece async for piece in found.read(0, len(content))]) == content
    image = an_image(size=len(content), os_hash_algo="sha512", os_hash_value=hashlib.sha512(content).hexdigest())
    await cache.through(image, data)
    name = name_of(image)
    assert name is not None
    await until(lambda: cache.copies.has(name))


async def test_data_that_cannot_be_read_is_told_before_the_answer_begins(opened: Open) -> None:
    async with opened(directory="") as site:
        image = await site.image()
        site.store.breaks_at = 0
        assert (await site.get(image)).status_code == 503
        assert (await site.get(image, Range="bytes=1-")).status_code == 503
        site.store.pause = 0.3
        reading = asyncio.create_task(site.get(image))
        await asyncio.sleep(0.1)
        (await site.client.delete(f"/v2/images/{image}")).raise_for_status()
        assert (await reading).status_code == 404


async def test_a_store_with_files_is_not_read_through(site: SlowSite) -> None:
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


async def test_a_cache_that_cannot_be_used_is_gone_round(site: SlowSite) -> None:
    image = await site.image()
    site.directory.rename(site.directory.with_name("away"))
    site.directory.write_text("in the way")
    assert await site.data(image) == DATA
    assert (await site.client.get("/v2/cache", headers=site.admin)).status_code == 503
    (await site.client.delete(f"/v2/images/{image}")).raise_for_status()


async def test_other_data_has_another_copy(site: SlowSite) -> None:
    """As when an image's data changes behind the cache: the old copy is not found, and the sweep takes it away."""
    image = await site.image()
    await site.data(image)
    assert await site.cached({image}) == {image}
    (copy,) = site.files("data")
    stale = copy.with_name(copy.name.replace(copy.name.split(".")[1], hashlib.md5(b"old").hexdigest()))
    copy.rename(stale)
    assert await site.data(image) == DATA
    assert len(site.store.reads) == 2


async def test_workers_read_once_for_all_of_them(opened: Open) -> None:
    async with opened() as one, opened() as other:
        image = await one.image()
        for site in (one, other):
            site.store.pause = 0.01
        found = await asyncio.gather(*(site.data(image) for site in (one, other) * 6))
        assert found == [DATA] * 12
        assert one.store.reads + other.store.reads == [(0, len(DATA))]
        assert await one.cached({image}) == await other.cached({image}) == {image}
        assert await other.data(image) == DATA
        assert one.store.reads + other.store.reads == [(0, len(DATA))]


async def test_a_filling_without_progress_is_given_up(opened: Open) -> None:
    async with opened(stall_seconds=1) as site:
        image = await site.image()
        site.store.pause = 60
        waiting = asyncio.create_task(site.get(image))
        await asyncio.sleep(0.5)
        assert len(site.files("partial")) == 1
        await asyncio.sleep(1)
        assert site.files("partial") == []
        assert site.store.reads == [(0, len(DATA))] * 2, "The client goes on with the store."
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting


async def test_a_store_that_trickles_holds_no_filling_up(site: SlowSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client goes on with the store, at its pace."""
    monkeypatch.setattr("calotype.stores.fetch.WINDOW_SECONDS", 0.3)
    image = await site.image()
    monkeypatch.setattr("calotype.stores.local._PIECE", 64)
    site.store.pause = 0.1
    waiting = asyncio.create_task(site.get(image))
    for _ in range(100):
        if len(site.store.reads) == 2:
            break
        await asyncio.sleep(0.02)
    (whole, (start, stop)) = site.store.reads
    assert (whole, stop) == ((0, len(DATA)), len(DATA))
    assert start < 10 * 64
    assert site.files("partial") == site.files("data") == []
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting


async def test_beyond_some_fillings_data_goes_past_the_cache(site: SlowSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "FILLINGS", 1)
    first, second = await site.image(), await site.image(DATA[::-1])
    site.store.pause = 0.01
    assert await asyncio.gather(site.data(first), site.data(second)) == [DATA, DATA[::-1]]
    for _ in range(100):
        if not site.files("partial"):
            break
        await asyncio.sleep(0.02)
    assert len(await site.cached()) == 1


async def test_only_what_can_be_verified_is_kept(site: SlowSite) -> None:
    image = await site.image()
    await site.execute("UPDATE images SET os_hash_value = NULL")
    answer = await site.client.put(f"/v2/cache/{image}", headers=site.admin)
    assert answer.status_code == 400
    assert "only data that can be verified is cached" in answer.text
    assert await site.data(image) == DATA
    assert await site.cached() == set()
    await site.execute("UPDATE images SET os_hash_value = 'x', os_hash_algo = 'shake_128'")
    assert await site.data(image) == DATA
    assert await site.cached() == set()
    await site.execute(
        "UPDATE images SET os_hash_value = ?, os_hash_algo = 'md5'", hashlib.md5(DATA).hexdigest().upper()
    )
    assert await site.data(image) == DATA
    assert await site.cached({image}) == {image}


async def test_a_download_is_one_statement_with_a_copy_and_without(site: SlowSite) -> None:
    image = await site.image()
    for _ in range(2):
        answer, statements = await site.counted("GET", f"/v2/images/{image}/file")
        assert (answer.content, statements) == (DATA, 1)
        assert await site.cached({image}) == {image}
