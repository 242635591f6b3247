"""Imports of data made to do harm, or that nobody signed: the task fails, and nothing is left (image-v2 13.4, 24)."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import hostile, signing
from tests.support.importing import files, imported
from tests.support.server import Server
from tests.support.waiting import until


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """The directory of the certificates."""
    (tmp_path / "certificates").mkdir()
    return tmp_path / "certificates"


@pytest.fixture
def server(start_server: Callable[..., Server], certificates: Path) -> Server:
    """A server of its own that knows the certificates."""
    return start_server("sqlite", environment={"CALOTYPE_SIGNATURE_CERTIFICATES": str(certificates)})


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
