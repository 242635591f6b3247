"""Signed requests that are sent again, to several workers at the same time."""

from collections.abc import Callable

import httpx
import pytest

from tests.support.access_key import signed
from tests.support.server import Server
from tests.support.threads import together

TIMES = 16


@pytest.mark.parametrize("lane", ["granian", "uvicorn"])
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_of_all_copies_one_counts_whichever_worker_gets_it(
    start_server: Callable[..., Server], database: str, lane: str
) -> None:
    server = start_server(database, options=("--server", lane, "--workers", "2"))
    host = f"127.0.0.1:{server.port}"
    body = b'{"name": "once"}'
    lines = signed(
        server.access_key(),
        "POST",
        "/v2/images",
        {"Host": host, "Content-Type": "application/json"},
        body=body,
    )

    def copy() -> int:
        return httpx.post(f"http://{host}/v2/images", content=body, headers=lines, timeout=30).status_code

    assert sorted(together([copy] * TIMES)) == [201] + [401] * (TIMES - 1)
    with server.client() as api:
        assert [each["name"] for each in api.get("/v2/images").json()["images"]] == ["once"]
