"""A worker dies at each of its transactions, before it and right after it; another one brings the import to its end."""

import asyncio
import gzip
import shutil
from collections.abc import Callable
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
STORIES = [
    # method, named stores, where the data goes, whether all must succeed, transactions of a run that nothing disturbs
    pytest.param("glance-direct", False, ["local"], True, 5, id="direct"),
    pytest.param("glance-direct", True, ALL, True, 9, id="direct-to-all"),
    pytest.param("glance-direct", True, ALL, False, 9, id="direct-to-any"),
    pytest.param("web-download", True, ["two", "three"], True, 9, id="web"),
    pytest.param(PACKED, True, ["two"], True, 7, id="packed"),
    pytest.param("copy-image", True, ["two", "three"], True, 7, id="copy"),
]


@pytest.fixture(params=["sqlite", "postgresql"])
def copies(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Path, str], str]:
    """Makes another database that holds what the one at the URL does; in the directory, or on a server."""
    if request.param == "postgresql":
        postgres: Postgres = request.getfixturevalue("postgres")
        return lambda _directory, url: postgres.database(url.rpartition("/")[2])
    return lambda directory, _url: f"sqlite:///{directory / 'calotype.db'}"


@pytest.mark.parametrize(("method", "named", "stores", "all_or_none", "transactions"), STORIES)
def test_whenever_a_worker_dies_another_one_ends_the_import(
    request: pytest.FixtureRequest,
    copies: Callable[[Path, str], str],
    mirror: Mirror,
    tmp_path: Path,
    method: str,
    named: bool,
    stores: list[str],
    all_or_none: bool,
    transactions: int,
) -> None:
    origin = tmp_path / "origin"
    origin.mkdir()
    if "sqlite" in request.node.callspec.id:
        url = f"sqlite:///{shutil.copy(request.getfixturevalue('sqlite_template'), origin / 'calotype.db')}"
    else:
        url = request.getfixturevalue("postgres_url")
    plugins = Plugins(enabled=("image_decompression",)) if method == PACKED else Plugins()
    data = gzip.compress(DATA) if method == PACKED else DATA
    first = settings(origin, url, STORES if named else {}, plugins)
    wanted = {"stores": stores, "must_succeed": all_or_none} if named else {}
    asyncio.run(_ask(first, "glance-direct" if method == PACKED else method, mirror.url, wanted, data))
    there = [*stores, *(["one"] if method == "copy-image" else [])]

    def die_and_go_on(death: Death) -> None:
        home = tmp_path / f"{death.transaction}-{death.committed}"
        shutil.copytree(origin, home)
        chosen = settings(home, copies(home, url), first.stores, plugins)
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
