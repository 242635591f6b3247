"""Imports over HTTP, waited for."""

import asyncio
from pathlib import Path
from typing import Any

import httpx

from tests.support.server import Server
from tests.support.waiting import until

OCTETS = {"Content-Type": "application/octet-stream"}


def imported(api: httpx.Client, disk_format: str, data: bytes, properties: dict[str, str]) -> tuple[Any, Any]:
    """Stage the data and import it into a new image; the image and its task when it is over."""
    body = {"disk_format": disk_format, "container_format": "bare", **properties}
    path = f"/v2/images/{api.post('/v2/images', json=body).raise_for_status().json()['id']}"
    api.put(f"{path}/stage", content=data, headers=OCTETS).raise_for_status()
    api.post(f"{path}/import", json={"method": {"name": "glance-direct"}}).raise_for_status()

    def task() -> Any:
        return api.get(f"{path}/tasks").raise_for_status().json()["tasks"][0]

    asyncio.run(until(lambda: task()["status"] in ("success", "failure")))
    return api.get(path).json(), task()


def files(server: Server) -> list[Path]:
    """The data of images, finished or not, and what else the server writes on its way there."""
    places = (server.data / "images", server.data / "scratch")
    return sorted(file for place in places for file in place.rglob("*") if file.is_file())
