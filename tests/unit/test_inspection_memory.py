"""Parsers refer to themselves: what they hold of the data goes with the work, not when somebody sweeps."""

import asyncio
import gc
import random
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from calotype.app import Parts
from calotype.images.errors import ContentRefused
from calotype.images.inspect import detect, examine
from calotype.settings import Image as Limits
from calotype.settings import Settings
from tests.support.hostile import MIB, iso, qcow2
from tests.support.unserved import CALLER, asked_for, new_image, opened, pieces, settings
from tests.support.waiting import nothing_is_due

TIMES = 8
DATA = bytes(512) + random.Random(5).randbytes(MIB - 1024)
"""Parsers wait for the rest of the window with it; another window would be looked at and not be held."""
KINDS = {"raw": DATA, "iso": iso() + DATA[:900_000], "refused": qcow2(backing=200) + DATA[:900_000]}


@contextmanager
def nothing_kept() -> Iterator[None]:
    """What happens inside TIMES times may keep some objects, and no data; nobody sweeps meanwhile."""
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        yield
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()
    assert kept < TIMES * MIB // 4


def refusable(work: Callable[[], object]) -> None:
    """Do it, whatever the verdict."""
    try:
        work()
    except ContentRefused:
        return


@pytest.mark.parametrize("kind", KINDS)
def test_of_files(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "data"
    path.write_bytes(KINDS[kind])
    with nothing_kept():
        for _ in range(TIMES):
            refusable(partial(examine, path, Limits()))
            with path.open("rb") as file:
                refusable(partial(detect, file))


@pytest.fixture
def chosen(tmp_path: Path, sqlite_url: str) -> Settings:
    """Of a service on SQLite."""
    return settings(tmp_path, sqlite_url, {})


def test_of_uploads_good_and_refused(chosen: Settings) -> None:
    async def uploaded() -> None:
        async with opened(chosen) as parts:
            for disk_format in ("raw", "qcow2"):
                image_id = await new_image(parts, disk_format=disk_format)
                with nothing_kept():
                    for _ in range(TIMES):
                        await upload(parts, image_id)
                        image_id = await new_image(parts, disk_format=disk_format)

    async def upload(parts: Parts, image_id: str) -> None:
        try:
            await parts.transfer.upload(CALLER, image_id, pieces(DATA), None)
        except ContentRefused:
            return

    asyncio.run(uploaded())


def test_of_imports(chosen: Settings) -> None:
    async def imported() -> None:
        async with opened(chosen) as parts:
            await parts.worker.open()
            await over(parts, await asked_for(parts, "glance-direct", data=DATA))
            with nothing_kept():
                for _ in range(TIMES):
                    await over(parts, await asked_for(parts, "glance-direct", data=DATA))
            await parts.worker.close()

    async def over(parts: Parts, image_id: str) -> None:
        async with asyncio.timeout(20):
            await nothing_is_due(parts.database)
        assert (await parts.library.show(CALLER, image_id)).status == "active"

    asyncio.run(imported())
