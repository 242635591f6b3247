"""A worker dies at each of its transactions, before it and right after it; another one brings the import to its end."""

import asyncio
import gzip
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from calotype.settings import Plugins, Settings
from tests.support.mortal import Death, run
from tests.support.postgres import Postgres
from tests.support.unserved import DATA, STORES, Mirror, State, asked_for, opened, settings

LATER = 60.0
"""Seconds after which no lease holds any more."""
ALL = ["one", "two", "three"]
PACKED = "packed"
"""glance-direct of data that a plugin has to unpack."""
STORIES = {
    # method, named stores, where the data goes, whether all must succeed, transactions of a run that nothing disturbs
    "direct": ("glance-direct", False, ["local"], True, 5),
    "direct-to-all": ("glance-direct", True, ALL, True, 9),
    "direct-to-any": ("glance-direct", True, ALL, False, 9),
    "web": ("web-download", True, ["two", "three"], True, 9),
    "packed": (PACKED, True, ["two"], True, 7),
    "copy": ("copy-image", True, ["two", "three"], True, 7),
}
CASES = [("sqlite", story) for story in STORIES] + [("postgresql", story) for story in ("direct-to-all", "web", "copy")]


@pytest.mark.parametrize(("database", "story"), CASES)
def test_whenever_a_worker_dies_another_one_ends_the_import(
    request: pytest.FixtureRequest, mirror: Mirror, tmp_path: Path, database: str, story: str
) -> None:
    method, named, stores, all_or_none, transactions = STORIES[story]
    url: str = request.getfixturevalue("sqlite_url" if database == "sqlite" else "postgres_url")
    origin = tmp_path / "origin"
    plugins = Plugins(enabled=("image_decompression",)) if method == PACKED else Plugins()
    data = gzip.compress(DATA) if method == PACKED else DATA
    first = settings(origin, url, STORES if named else {}, plugins)
    wanted = {"stores": stores, "must_succeed": all_or_none} if named else {}
    asyncio.run(_ask(first, "glance-direct" if method == PACKED else method, mirror.url, wanted, data))
    there = [*stores, *(["one"] if method == "copy-image" else [])]

    def copied(directory: Path) -> str:
        """The URL of another database that holds the same."""
        if database == "sqlite":
            return f"sqlite:///{shutil.copy(tmp_path / 'calotype.db', directory)}"
        postgres: Postgres = request.getfixturevalue("postgres")
        return postgres.database(url.rpartition("/")[2])

    def die_and_go_on(death: Death) -> None:
        home = tmp_path / f"{death.transaction}-{death.committed}"
        shutil.copytree(origin, home)
        chosen = settings(home, copied(home), first.stores, plugins)
        assert not run(chosen, death), "The worker did not come so far."
        assert run(chosen, None, LATER)
        state = State(chosen)
        state.is_whole(there)
        assert not [path for path in (home / "scratch").rglob("*") if path.is_file()]
        # What the dead one had begun last is begun anew under another name, and nothing else.
        assert state.task.attempts <= 2

    deaths = [Death(number, committed) for number in range(1, transactions + 1) for committed in (False, True)]
    with ThreadPoolExecutor(3) as threads:
        for _ in threads.map(die_and_go_on, deaths):
            pass
    assert run(first, None), "A worker that nothing disturbs lives."
    State(first).is_whole(there)


async def _ask(chosen: Settings, method: str, url: str, wanted: dict[str, object], data: bytes) -> None:
    async with opened(chosen) as parts:
        await asked_for(parts, method, url, data, **wanted)
