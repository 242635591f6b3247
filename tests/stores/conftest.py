"""Fixtures of the tests of stores."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from calotype.app import build
from calotype.cli.prepare import prepare
from calotype.settings import Cache, Image, Log, Settings, Store
from tests.support import slowstore
from tests.support.inprocess import InProcess
from tests.support.slowsite import Open, SlowSite, token


@pytest.fixture
def opened(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens a service; the arguments are settings of the cache."""
    made = slowstore.install(monkeypatch)

    @asynccontextmanager
    async def open_site(**cache: Any) -> AsyncIterator[SlowSite]:
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
            yield SlowSite(running, made[-1], settings, {"X-Auth-Token": admin})

    return open_site


@pytest_asyncio.fixture
async def site(opened: Open) -> AsyncIterator[SlowSite]:
    """A service with an empty cache of the usual size."""
    async with opened() as made:
        yield made
