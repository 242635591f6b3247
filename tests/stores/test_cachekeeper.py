"""What is done for the cache behind the scenes: fetching ahead, sweeping."""

import asyncio
import shutil

import pytest

from calotype.jobs import cachekeeper
from tests.support.slowsite import DATA, Open, SlowSite


async def test_images_are_fetched_ahead_once(site: SlowSite) -> None:
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


async def test_what_can_never_be_fetched_does_not_wait(site: SlowSite) -> None:
    image = await site.image()
    (site.store.directory / image).write_bytes(DATA[::-1])
    (await site.client.put(f"/v2/cache/{image}", headers=site.admin)).raise_for_status()
    for _ in range(100):
        if not (await site.listed())["queued_images"]:
            break
        await asyncio.sleep(0.05)
    listed = await site.listed()
    assert listed == {"cached_images": [], "queued_images": []}


async def test_the_sweep_removes_what_nobody_needs(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies of images that another host deleted, and of data that an image has no more."""
    monkeypatch.setattr(cachekeeper, "SWEEP", 0.2)
    async with opened() as site, opened(directory="") as elsewhere:
        gone, kept = await site.image(), await site.image(b"kept")
        for image in (gone, kept):
            await site.data(image)
        assert await site.cached({gone, kept}) == {gone, kept}
        (copy,) = [path for path in site.files("data") if path.name.startswith(kept)]
        stale = copy.with_name(f"{kept}.{'0' * 32}.4")
        shutil.copy(copy, stale)
        (await elsewhere.client.delete(f"/v2/images/{gone}")).raise_for_status()
        assert await site.cached({kept}) == {kept}
        for _ in range(100):
            if site.files("data") == [copy]:
                break
            await asyncio.sleep(0.02)
        assert site.files("data") == [copy]
        assert await site.data(kept) == b"kept"


async def test_a_directory_that_was_deleted_is_made_anew(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cachekeeper, "SWEEP", 0.2)
    async with opened() as site:
        image = await site.image()
        await site.data(image)
        assert await site.cached({image}) == {image}
        shutil.rmtree(site.directory)
        assert await site.data(image) == DATA
        await asyncio.sleep(0.5)
        assert await site.data(image) == DATA
        assert await site.cached({image}) == {image}
