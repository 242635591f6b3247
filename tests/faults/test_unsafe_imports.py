"""Imports of data made to do harm, or that nobody signed: the task fails, and nothing is left (image-v2 13.4, 24)."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support import hostile, signing
from tests.support.server import Server
from tests.support.waiting import until

OCTETS = {"Content-Type": "application/octet-stream"}


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """The directory of the certificates."""
    (tmp_path / "certificates").mkdir()
    return tmp_path / "certificates"


@pytest.fixture
def server(start_server: Callable[..., Server], certificates: Path) -> Server:
    """A server of its own that knows the certificates."""
    return start_server("sqlite", environment={"CALOTYPE_SIGNATURE_CERTIFICATES": str(certificates)})


def imported(api: httpx.Client, disk_format: str, data: bytes, properties: dict[str, str]) -> tuple[Any, Any]:
    """Import the data into a new image; the image and its task when it is over."""
    body = {"disk_format": disk_format, "container_format": "bare", **properties}
    path = f"/v2/images/{api.post('/v2/images', json=body).raise_for_status().json()['id']}"
    api.put(f"{path}/stage", content=data, headers=OCTETS).raise_for_status()
    api.post(f"{path}/import", json={"method": {"name": "glance-direct"}}).raise_for_status()

    def task() -> Any:
        return api.get(f"{path}/tasks").raise_for_status().json()["tasks"][0]

    asyncio.run(until(lambda: task()["status"] in ("success", "failure")))
    return api.get(path).json(), task()


def test_what_was_signed_is_imported_and_nothing_else(server: Server, certificates: Path) -> None:
    key, data = signing.keys()["ECC_SECP384R1"], b"an image" * 1000
    uuid = signing.certify(key, certificates)
    signed = signing.properties(signing.sign(key, data, "SHA-512"), "SHA-512", "ECC_SECP384R1", uuid)
    with server.client() as api:
        image, task = imported(api, "raw", data, signed)
        assert (image["status"], task["status"]) == ("active", "success")
        kept = files(server)
        image, task = imported(api, "raw", b"forged", signed)
    assert (image["status"], image["size"], task["status"]) == ("queued", None, "failure")
    assert task["message"].startswith(f"Signature verification failed for image {image['id']}: ")
    asyncio.run(until(lambda: files(server) == kept))


def test_what_is_unsafe_is_not_imported(server: Server) -> None:
    with server.client() as api:
        image, task = imported(api, "qcow2", hostile.qcow2(backing=200), {})
    assert (image["status"], task["status"], task["message"]) == ("queued", "failure", "Image failed safety checks")
    asyncio.run(until(lambda: files(server) == []))


def files(server: Server) -> list[Path]:
    """The data of images, finished or not."""
    return sorted(file for file in (server.data / "images").rglob("*") if file.is_file())
