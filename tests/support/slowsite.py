"""A service in process with the stores `slow` and `fast` and a cache, and what tests ask of it."""

import asyncio
import os
import random
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from calotype.cli import clouds
from calotype.settings import Settings
from tests.support.inprocess import InProcess
from tests.support.slowstore import SlowStore

MIB = 2**20
DATA = random.Random(1).randbytes(4 * MIB + 123)
OCTETS = {"Content-Type": "application/octet-stream"}

Open = Callable[..., Any]
"""Opens a SlowSite for the length of an `async with`; the arguments are settings of the cache."""


class SlowSite:
    """A service with the stores `slow` and `fast`, and what the tests ask of it."""

    def __init__(self, running: InProcess, store: SlowStore, settings: Settings, admin: dict[str, str]) -> None:
        self.counted = running.counted
        self.client = running.client
        self.store = store
        self.directory = settings.directory / "cache"
        self.database = settings.database_url.removeprefix("sqlite:///")
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

    async def execute(self, statement: str, *values: str) -> None:
        """Change the rows behind the service's back."""

        def run() -> None:
            with sqlite3.connect(self.database) as file:
                file.execute(statement, values)

        await asyncio.to_thread(run)

    def age(self) -> None:
        """Have every copy last been used an hour ago, one second after another in the order of their uses."""
        paths = [path for folder in ("data", "hits") for path in (self.directory / folder).iterdir()]
        for number, path in enumerate(sorted(paths, key=lambda each: each.stat().st_mtime)):
            moment = time.time() - 3600 + number
            os.utime(path, (moment, moment))

    def files(self, folder: str) -> list[Path]:
        """What lies in a part of the cache."""
        return list((self.directory / folder).iterdir())


async def token(running: InProcess, settings: Settings, user: str) -> str:
    """A token of a user that the first start made."""
    login = clouds.read(settings)[f"calotype-{user}"]["auth"]
    domain = {"id": "default"}
    who = {"user": {"name": user, "password": str(login["password"]), "domain": domain}}
    scope = {"project": {"name": login["project_name"], "domain": domain}}
    body = {"auth": {"identity": {"methods": ["password"], "password": who}, "scope": scope}}
    found: str = (await running.client.post("/v3/auth/tokens", json=body)).headers["X-Subject-Token"]
    return found
