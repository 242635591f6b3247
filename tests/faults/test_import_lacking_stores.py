"""Workers that do not know a store which a task needs, as while a configuration is rolled out (image-v2 13.4)."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from calotype.app import Parts
from calotype.database import tables, tasks
from calotype.database.statements import Statement
from calotype.images.model import Task
from calotype.settings import Image, Settings, Store
from tests.support.scene import Scene
from tests.support.unserved import asked_for, finished, opened, settings

THREE_IS_AWAY = "The store three is not configured."
_TASK = Statement(tables.tasks.select())


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is put off comes again soon."""
    monkeypatch.setattr("calotype.jobs.worker.RETRY_SECONDS", 0.2)
    monkeypatch.setattr("calotype.jobs.worker.POLL_SECONDS", 0.05)


@pytest.fixture
def new(tmp_path: Path, sqlite_url: str) -> Settings:
    """With the stores one, two and three."""
    return settings(tmp_path, sqlite_url)


@pytest.fixture
def old(tmp_path: Path, sqlite_url: str) -> Settings:
    """Without the store three."""
    return settings(tmp_path, sqlite_url, {"one": Store(), "two": Store()})


async def put_off(parts: Parts) -> Task:
    """The task, once a worker of these parts took it and let go of it."""
    await parts.worker.open()
    async with asyncio.timeout(10):
        while True:
            (row,) = await parts.database.all(_TASK, {})
            task = tasks.task(row)
            if task.attempts and task.status != "processing":
                break
            await asyncio.sleep(0.005)
    await parts.worker.close()
    return task


@pytest.mark.parametrize(("staged_in", "stored_in"), [("one", "three"), ("three", "two"), ("three", "three")])
def test_another_worker_takes_what_one_cannot_do(
    new: Settings, old: Settings, staged_in: str, stored_in: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = msgspec.structs.replace(new, image=Image(default_store=staged_in))

    async def played() -> tuple[Task, Task]:
        async with opened(new) as knowing, opened(old) as lacking:
            await asked_for(knowing, "glance-direct", stores=[stored_in])
            return await put_off(lacking), await finished(knowing)

    first, last = asyncio.run(played())
    assert (first.status, first.attempts) == ("pending", 1)
    assert THREE_IS_AWAY in first.message
    assert (last.status, last.attempts) == ("success", 2)
    Scene(new, monkeypatch).state().is_whole([stored_in])


@pytest.mark.parametrize(
    ("staged_in", "must_succeed", "status", "failed"),
    [
        ("one", True, "queued", "three"),
        ("one", False, "active", "three"),
        ("three", True, "queued", "two"),
        ("three", False, "queued", "three,two"),
    ],
)
def test_if_no_worker_knows_the_store_the_task_says_so(
    new: Settings,
    old: Settings,
    staged_in: str,
    must_succeed: bool,
    status: str,
    failed: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    new = msgspec.structs.replace(new, image=Image(default_store=staged_in))

    async def played() -> Task:
        async with opened(new) as knowing:
            await asked_for(knowing, "glance-direct", stores=["two", "three"], must_succeed=must_succeed)
        async with opened(old) as lacking:
            return await finished(lacking)

    task = asyncio.run(played())
    assert task.attempts == 3
    state = Scene(old, monkeypatch).state()
    assert state.image.status == status
    assert state.image.properties["os_glance_failed_import"] == failed
    if status == "queued":
        assert (task.status, task.message) == ("failure", THREE_IS_AWAY)
        assert (state.image.size, state.files) == (None, {})
    else:
        assert task.status == "success"
        assert [each.store for each in state.image.locations] == ["two"]
    if staged_in == "one":  # what lies in the store three stays noted as loose, until somebody knows it
        state.is_tidy()
