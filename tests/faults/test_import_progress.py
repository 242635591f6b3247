"""What can be seen of an import that is under way (image-v2 19)."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from urllib.parse import urlsplit

import httpx

from tests.support.server import Server
from tests.support.waiting import until

BUSY = "downloading: 5 of 10 bytes"


def test_step_and_bytes_are_told_while_data_comes(start_server: Callable[..., Server], source: str) -> None:
    server = start_server(
        "sqlite",
        environment={
            "CALOTYPE_JOBS_LEASE_SECONDS": "1",
            "CALOTYPE_URIS_ALLOWED_NETWORKS": "127.0.0.0/8",
            "CALOTYPE_URIS_ALLOWED_PORTS": str(urlsplit(source).port),
        },
    )
    with server.client() as api, server.client("admin") as admin:
        image = api.post("/v2/images", json={"disk_format": "raw", "container_format": "bare"}).json()["id"]
        method = {"name": "web-download", "uri": f"{source}/held"}
        api.post(f"/v2/images/{image}/import", json={"method": method}).raise_for_status()
        asyncio.run(until(lambda: _task(api, image)["message"] == BUSY))
        task = _task(api, image)
        assert task["status"] == "processing"
        assert admin.get(f"/v2/tasks/{task['id']}").json()["message"] == BUSY
        command = [sys.executable, "-m", "calotype", "task", "show", task["id"], "--data", str(server.data)]
        assert BUSY in subprocess.run(command, check=True, capture_output=True, text=True).stdout
        httpx.get(f"{source}/release").raise_for_status()
        asyncio.run(until(lambda: _task(api, image)["status"] == "success"))
        assert api.get(f"/v2/images/{image}").json()["size"] == 10


def _task(api: httpx.Client, image: str) -> dict[str, str]:
    found: dict[str, str] = api.get(f"/v2/images/{image}/tasks").raise_for_status().json()["tasks"][0]
    return found
