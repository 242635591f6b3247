"""Calls with tokens of a Keystone: how each API refuses them, what a service's token changes, where links lead."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import msgspec
import pytest

from calotype.app import build
from calotype.settings import Compute, Identity, Settings
from tests.support.inprocess import InProcess
from tests.support.played_keystone import PlayedKeystone, token_of_today

IMAGES = {"image": "/v2/images", "compute": "/v2.1/images"}
READER = [{"id": "r1", "name": "reader"}]
SERVICE = [{"id": "r9", "name": "service"}]
LINK = "6e4f1b9e-0000-4000-8000-000000000001"


@pytest.fixture
def keystone() -> Iterator[PlayedKeystone]:
    """A Keystone that knows a member and a service."""
    played = PlayedKeystone()
    played.tokens |= {
        "demo": token_of_today(),
        "nova": token_of_today("nova", roles=SERVICE),
        "late": token_of_today(seconds=-1),
    }
    yield played
    if "*" not in played.status:
        played.go()


@pytest.fixture
def settings(keystone: PlayedKeystone, sqlite_url: str, tmp_path: Any) -> Settings:
    return Settings(
        data=str(tmp_path), database=sqlite_url, identity=Identity(source="keystone"), keystone=keystone.settings
    )


@pytest.fixture
async def site(settings: Settings) -> AsyncIterator[InProcess]:
    async with InProcess(build(settings)) as running:
        yield running


async def get(site: InProcess, path: str, token: str = "demo", **headers: str) -> httpx.Response:
    sent = {"X-Auth-Token": token, "Accept": "application/json", **headers}
    return await site.client.get(path, headers={name.replace("_", "-"): value for name, value in sent.items()})


async def test_a_call_with_a_known_token_costs_nothing_for_it(site: InProcess, keystone: PlayedKeystone) -> None:
    headers = {"X-Auth-Token": "demo", "Content-Type": "application/json"}
    made = await site.client.post("/v2/images", headers=headers, json={"id": LINK, "name": "one"})
    assert (made.status_code, made.json()["owner"]) == (201, "project-demo")
    shown, statements = await site.counted("GET", f"/v2.1/images/{LINK}", headers={"X-Auth-Token": "demo"})
    assert (shown.status_code, statements) == (200, 1)
    assert keystone.count("validate") == 1
    alternate = next(link["href"] for link in shown.json()["image"]["links"] if link["rel"] == "alternate")
    assert alternate == f"https://image.example//images/{LINK}"


async def test_a_herd_with_one_new_token_is_one_question(site: InProcess, keystone: PlayedKeystone) -> None:
    keystone.delay = 0.1
    answers = await asyncio.gather(*(get(site, path) for path in IMAGES.values() for _ in range(50)))
    assert [each.status_code for each in answers] == [200] * 100
    assert keystone.count("validate") == 1


async def test_an_endpoint_set_by_hand_goes_before_the_catalogues(settings: Settings) -> None:
    by_hand = msgspec.structs.replace(settings, compute=Compute(image_endpoint="https://hand.example"))
    async with InProcess(build(by_hand)) as site:
        headers = {"X-Auth-Token": "demo"}
        await site.client.post("/v2/images", headers=headers, json={"id": LINK})
        shown = await get(site, f"/v2.1/images/{LINK}")
        assert shown.json()["image"]["links"][2]["href"] == f"https://hand.example/images/{LINK}"


async def test_a_token_that_does_not_count_is_401(site: InProcess, keystone: PlayedKeystone) -> None:
    for api in IMAGES:
        for token in ("unknown", "late", "no token", ""):
            refused = await get(site, IMAGES[api], token)
            assert refused.status_code == 401
            assert refused.headers["WWW-Authenticate"] == f'Keystone uri="{keystone.url}"'
            assert ("error" in refused.json()) == (api == "compute")


async def test_without_keystone_each_api_says_503(site: InProcess, keystone: PlayedKeystone) -> None:
    assert (await get(site, "/v2/images")).status_code == 200
    keystone.go()
    image, compute = [await get(site, path, "unknown") for path in IMAGES.values()]
    text = "The Keystone service is temporarily unavailable."
    assert (image.status_code, image.json()["code"]) == (503, "503 Service Unavailable")
    assert text in image.json()["message"]
    assert (compute.status_code, compute.json()["title"]) == (503, "Service Unavailable")
    assert compute.json()["message"].endswith(f"<br /><br />\n{text}\n\n")
    assert [(await get(site, path)).status_code for path in IMAGES.values()] == [200, 200]


async def test_a_service_token_counts_if_it_is_a_services(site: InProcess) -> None:
    for path in IMAGES.values():
        for helper, status in (("nova", 200), ("demo", 401), ("unknown", 401), (" nova ", 200), ("", 200), (" ", 200)):
            assert (await get(site, path, X_Service_Token=helper)).status_code == status


async def test_only_with_a_service_a_token_may_be_over(site: InProcess) -> None:
    for path in IMAGES.values():
        assert (await get(site, path, "late", X_Service_Token="nova")).status_code == 200
        assert (await get(site, path, "late")).status_code == 401
        assert (await get(site, path, "late", X_Service_Token="demo")).status_code == 401
        assert (await get(site, path, "unknown", X_Service_Token="nova")).status_code == 401


async def test_access_rules_hold_in_each_api(site: InProcess, keystone: PlayedKeystone) -> None:
    rules = [
        {"service": "image", "method": "GET", "path": "/v2/images"},
        {"service": "image", "method": "GET", "path": "/v2/schemas/*"},
        {"service": "compute", "method": "GET", "path": "/v2.1/{project}/images/**"},
    ]
    keystone.tokens["ruled"] = token_of_today(application_credential={"id": "a", "access_rules": rules})
    allowed = ("/v2/images", "/v2/images?limit=1", "/v2/schemas/image", "/v2.1/project-demo/images/detail")
    refused = ("/v2/images/x", "/v2/schemas", "/v2.1/images", "/v2.1/images/detail", "/image/v2/members")
    assert [(await get(site, path, "ruled")).status_code for path in allowed[:3]] == [200] * 3
    assert (await get(site, allowed[3], "ruled")).status_code != 401
    assert [(await get(site, path, "ruled")).status_code for path in refused] == [401] * len(refused)
    assert (await site.client.post("/v2/images", headers={"X-Auth-Token": "ruled"}, json={})).status_code == 401
    assert (await get(site, "/v2.1/images", "ruled", X_Service_Token="nova")).status_code == 200


async def test_headers_of_the_client_are_no_proof(site: InProcess) -> None:
    forged = {"X-Identity-Status": "Confirmed", "X-User-Id": "u", "X-Project-Id": "p", "X-Roles": "admin"}
    assert (await get(site, "/v2/images", "unknown", **forged)).status_code == 401
    assert (await get(site, "/v2/images", "unknown", **{n.replace("-", "_"): v for n, v in forged.items()})
            ).status_code == 401  # fmt: skip


async def test_identity_is_elsewhere(site: InProcess, keystone: PlayedKeystone) -> None:
    for method, path in (("GET", "/v3"), ("POST", "/v3/auth/tokens"), ("GET", "/identity"), ("GET", "/identity/v3/x")):
        answer = await site.client.request(method, path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, 404)
        assert keystone.url in answer.json()["error"]["message"]


async def test_the_root_says_where_identity_is(site: InProcess, keystone: PlayedKeystone) -> None:
    entries = (await site.client.get("/")).json()["versions"]
    assert [each["links"][0]["href"] for each in entries if each["id"] == "v3.14"] == [f"{keystone.url}/"]
    assert keystone.count("validate") == 0
