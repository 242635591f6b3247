"""SIGTERM: what is under way is finished or fails cleanly, and the server ends in time."""

import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import httpx
import pytest

from tests.support.attacked import Site
from tests.support.raw import Raw

DATA = bytes(range(256)) * 16384  # 4 MiB
HALF = len(DATA) // 2
Start = Callable[..., Site]


def end(site: Site) -> None:
    """Ask the server to end, as an operator does."""
    site.server.signal(signal.SIGTERM)
    time.sleep(0.5)


@pytest.mark.parametrize(("lane", "workers"), [("granian", "1"), ("granian", "3"), ("uvicorn", "1"), ("uvicorn", "2")])
def test_what_is_under_way_is_finished(start: Start, lane: str, workers: str) -> None:
    site = start("sqlite", options=("--server", lane, "--workers", workers))
    image, ready = site.image(), site.image()
    assert site.put(ready, DATA).status_code == 204
    with Raw(site.port) as upload, Raw(site.port, receive_buffer=4096) as download:
        upload.request(*site.upload_head(image, Content_Length=str(len(DATA))), DATA[:HALF])
        download.request("GET", f"/v2/images/{ready}/file", {"X-Auth-Token": site.token})
        assert site.status(image, "saving") == "saving"
        end(site)
        try:
            uploaded = upload.send(DATA[HALF:]).answer().status == 204
        except ConnectionError:
            uploaded = False
        with suppress(ConnectionError):
            assert download.answer().body == DATA
        assert site.server.wait(10) == 0
    site.server.start()
    assert site.show(image)["status"] == ("active" if uploaded else "queued")
    assert site.files() == ({image, ready} if uploaded else {ready})
    if uploaded:
        assert site.data(image) == DATA
    assert uploaded, "Requests under way are finished first."


@pytest.mark.parametrize("lane", ["granian", "uvicorn"])
def test_a_stalled_upload_does_not_keep_the_server_from_ending(start: Start, lane: str) -> None:
    site = start("sqlite", options=("--server", lane), environment={"CALOTYPE_STOP_SECONDS": "2"})
    image = site.image()
    with Raw(site.port) as upload:
        upload.request(*site.upload_head(image, Content_Length=str(len(DATA))), DATA[:HALF])
        assert site.status(image, "saving") == "saving"
        started = time.monotonic()
        end(site)
        assert site.server.wait(10) is not None
        assert time.monotonic() - started < 8
    # uvicorn breaks it off, and it clears up; Granian kills the worker, and the next start does.
    assert lane == "granian" or site.files() == set()
    site.server.start()
    assert site.show(image)["status"] == "queued"
    assert site.files() == set()


def test_requests_at_the_moment_of_the_end_get_an_answer_or_none(start: Start) -> None:
    site = start("sqlite", options=("--workers", "2"))
    made: list[str] = []
    wrong: list[int] = []

    def create() -> None:
        try:
            with site.server.client() as api:
                while True:
                    answer = api.post("/v2/images", json={"name": "made"})
                    if answer.status_code == 201:
                        made.append(answer.json()["id"])
                    else:
                        wrong.append(answer.status_code)
        except httpx.TransportError:
            pass

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.7)
    assert site.server.stop() == 0
    for thread in threads:
        thread.join()
    site.server.start()
    assert not wrong
    assert len(made) > 10
    with site.server.client() as api:
        assert [api.get(f"/v2/images/{image}").status_code for image in made] == [200] * len(made)
