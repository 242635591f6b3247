"""Too many requests: who is refused, how each API words it, and who goes on undisturbed."""

import json
from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.support.access_key import Pair, Signing
from tests.support.attacked import eventually
from tests.support.server import Server
from tests.support.servers import Servers

BURST = 12
LIMITS = {
    "CALOTYPE_RATE_PER_CALLER": "1/m",
    "CALOTYPE_RATE_CALLER_BURST": str(BURST),
    # Preparing the personas logs six of them in.
    "CALOTYPE_RATE_PER_ADDRESS": "1/m",
    "CALOTYPE_RATE_ADDRESS_BURST": str(BURST + 8),
}


@pytest.fixture(scope="module", params=["granian", "uvicorn"])
def lane(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def limited(start_server: Callable[..., Server], lane: str) -> Server:
    return start_server(environment=LIMITS, options=("--server", lane))


def until_refused(ask: Callable[[], httpx.Response]) -> tuple[int, httpx.Response]:
    """How many requests passed, and the answer to the first one that did not."""
    for passed in range(2 * BURST + 8):
        answer = ask()
        if answer.status_code == 429:
            seconds = int(answer.headers["Retry-After"])
            assert 1 <= seconds <= 60
            return passed, answer
    pytest.fail("nothing was refused")


def refused(limited: Server) -> bool:
    """Whether the log tells that demo was refused."""
    lines = [json.loads(line) for line in limited.log.splitlines() if '"status":429' in line]
    return bool(lines) and {line.get("user") for line in lines} == {limited.personas["demo"].user_id}


def test_a_caller(limited: Server) -> None:
    with limited.client("demo") as demo, limited.client("alt") as alt:
        passed, _ = until_refused(lambda: demo.get("/v2/images"))
        assert passed == BURST
        compute, identity = demo.get("/v2.1/images"), demo.get("/v3/auth/projects")
        text = demo.get("/v2/images", headers={"Accept": "text/plain"})
        upload = demo.put(
            "/v2/images/x/file", content=b"x" * 100_000, headers={"Content-Type": "application/octet-stream"}
        )
        assert alt.get("/v2/images").status_code == 200
        assert demo.get("/healthcheck").status_code == 200
        assert demo.get("/v3").status_code == 200
    fault = {"code": 429, "message": "This request was rate-limited.", "retryAfter": compute.headers["Retry-After"]}
    assert compute.json() == {"overLimit": fault}
    assert compute.headers["x-compute-request-id"]
    message = "This request was rate-limited."
    assert identity.json() == {"error": {"code": 429, "message": message, "title": "Too Many Requests"}}
    assert text.text.startswith("429 Too Many Requests")
    assert text.headers["x-openstack-request-id"].startswith("req-")
    assert message in text.text
    assert [each.status_code for each in (compute, identity, text, upload)] == [429] * 4
    assert eventually(lambda: refused(limited), 5)


def test_a_signer(limited: Server) -> None:
    pair = limited.access_key()
    until_refused(lambda: httpx.get(f"{limited.base}/v2/images", auth=Signing(pair)))
    assert eventually(lambda: refused(limited), 5)


def test_an_address_without_a_valid_token(limited: Server) -> None:
    headers = {"X-Auth-Token": "nonsense"}
    paths: Iterator[str] = iter(["/v2/images", "/v2.1/images", "/v3/users"] * BURST)
    statuses = []

    def ask() -> httpx.Response:
        answer = httpx.get(limited.base + next(paths), headers=headers)
        statuses.append(answer.status_code)
        return answer

    until_refused(ask)
    assert set(statuses[:-1]) == {401}
    signed = httpx.get(f"{limited.base}/v2/images", auth=Signing(Pair("UNKNOWN", "x")))
    assert signed.status_code == 429
    with limited.client("demo") as demo:
        assert demo.get("/v2/images").status_code == 200


def test_an_address_with_a_token_beside_a_bad_one_of_a_service(limited: Server) -> None:
    paths: Iterator[str] = iter(["/v2/images", "/v2.1/images"] * BURST)
    with limited.client("demo") as demo:
        passed, _ = until_refused(lambda: demo.get(next(paths), headers={"X-Service-Token": "nonsense"}))
        assert 0 < passed <= BURST + 8
        assert demo.get("/v2/images").status_code == 200


def test_log_ins(limited: Server) -> None:
    user = {"name": "demo", "domain": {"id": "default"}, "password": "wrong"}
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}
    statuses = []

    def ask() -> httpx.Response:
        answer = httpx.post(f"{limited.base}/v3/auth/tokens", json=body, timeout=30)
        statuses.append(answer.status_code)
        return answer

    until_refused(ask)
    assert set(statuses[:-1]) == {401}
    demo = limited.personas["demo"]
    words = {"user": {"original_password": "wrong", "password": "new"}}
    change = httpx.post(f"{limited.base}/v3/users/{demo.user_id}/password", json=words)
    assert change.status_code == 429
    told = f'"address":"127.0.0.1","request_id":"{change.headers["x-openstack-request-id"]}"'
    assert eventually(lambda: f'"too many requests of an address",{told}' in limited.log, 5)


def test_behind_a_proxy_each_client_counts_for_itself(servers: Servers) -> None:
    server = servers.unstarted("sqlite", environment={**LIMITS, "CALOTYPE_PROXY_HEADERS": "true"}).start()
    try:
        claims = iter(range(1000))

        def ask(address: str) -> httpx.Response:
            # What a client claims itself comes first, and does not count.
            headers = {"X-Forwarded-For": f"203.0.113.{next(claims)}, {address}"}
            return httpx.get(f"{server.base}/v2/images", headers=headers)

        passed, _ = until_refused(lambda: ask("192.0.2.1"))
        assert passed == BURST + 8
        assert ask("192.0.2.2").status_code == 401
    finally:
        server.kill()
