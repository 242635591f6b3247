"""Signed requests that come again: a write counts once, whoever sends it and however often."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from calotype.access import signing
from calotype.access.errors import Unauthorized
from calotype.access.signers import AT_ONCE
from calotype.api.entrance import LARGEST
from calotype.app import build
from calotype.settings import Rate
from tests.support.access_key import Signing, sdk_date, signed
from tests.support.inprocess import InProcess
from tests.support.site import HOST, JSON, PATCH, UNSIGNED, Site

ONCE = b'{"name": "once"}'


async def test_a_write_counts_once_and_a_read_as_often_as_it_comes(site: Site) -> None:
    date = sdk_date()
    answers = [
        await site.send("POST", "/v2/images", JSON, ONCE, date=date),
        await site.send("POST", "/v2/images", JSON, ONCE, date=date),
        await site.send("POST", "/v2/images", JSON, b'{"name": "other"}', date=date),
    ]
    assert [each.status_code for each in answers] == [201, 401, 201]
    assert "made before" in answers[1].text
    reads = [await site.send("GET", "/v2/images", HOST, date=date) for _ in range(3)]
    assert [each.status_code for each in reads] == [200, 200, 200]
    assert sorted(each["name"] for each in reads[0].json()["images"]) == ["once", "other"]


async def test_of_replays_at_the_same_time_one_counts(site: Site) -> None:
    date = sdk_date()
    sent = (site.send("POST", "/v2/images", JSON, ONCE, date=date) for _ in range(12))
    assert sorted(each.status_code for each in await asyncio.gather(*sent)) == [201] + [401] * 11


async def test_a_used_signature_is_known_to_all_and_forgotten_when_it_is_too_old(site: Site) -> None:
    date = sdk_date()
    assert (await site.send("DELETE", "/v2/images/x", HOST, date=date)).status_code == 404
    claim = _claim(signed(site.pair, "DELETE", "/v2/images/x", HOST, date=date))
    with pytest.raises(Unauthorized):
        await site.signers().use_once(claim)
    assert await site.signers(ahead=1850).purge() == 0
    assert await site.signers(ahead=1870).purge() == 1


async def test_patches_of_one_second_that_do_not_sign_their_documents(site: Site) -> None:
    """As the Huawei SDK sends them: one signature for both."""
    image, date = await site.image(), sdk_date()

    async def rename(name: str) -> int:
        patch = b'[{"op": "replace", "path": "/name", "value": "%s"}]' % name.encode()
        headers = {**PATCH, **UNSIGNED}
        answer = await site.send("PATCH", f"/v2/images/{image}", headers, patch, date=date, payload="UNSIGNED-PAYLOAD")
        return answer.status_code

    assert [await rename(name) for name in ("one", "two", "one", "two")] == [200, 200, 401, 401]
    assert (await site.ask("GET", f"/v2/images/{image}")).json()["name"] == "two"
    assert sorted(await asyncio.gather(*(rename("three") for _ in range(6)))) == [200] + [401] * 5


async def test_only_a_patch_may_come_again_with_another_body(site: Site) -> None:
    date, headers = sdk_date(), {**JSON, **UNSIGNED}
    statuses = []
    for name in ("one", "two"):
        body = b'{"name": "%s"}' % name.encode()
        answer = await site.send("POST", "/v2/images", headers, body, date=date, payload="UNSIGNED-PAYLOAD")
        statuses.append(answer.status_code)
    assert statuses == [201, 401]


async def test_a_moment_later_a_signature_takes_no_other_document(site: Site) -> None:
    claim = _claim(signed(site.pair, "PATCH", "/v2/images/x", PATCH))
    await site.signers().use_now(claim)
    await site.signers(ahead=AT_ONCE - 1).use_now(claim)
    await site.signers().use_for(claim, b"first")
    for use in (
        lambda: site.signers(ahead=AT_ONCE + 1).use_now(claim),
        lambda: site.signers().use_for(claim, b"first"),
        lambda: site.signers().use_once(claim),
    ):
        with pytest.raises(Unauthorized):
            await use()


async def test_what_was_refused_for_its_rate_may_come_again_as_it_is(site: Site) -> None:
    settings = msgspec.structs.replace(site.settings, rate=Rate(per_caller="30/m", caller_burst=1))
    async with InProcess(build(settings)) as limited:
        assert (await limited.client.get("/v2/images", auth=Signing(site.pair))).status_code == 200
        lines = signed(site.pair, "POST", "/v2/images", JSON, body=ONCE)
        refused = await limited.client.post("/v2/images", headers=lines, content=ONCE)
        assert refused.status_code == 429
        await asyncio.sleep(int(refused.headers["Retry-After"]))
        assert (await limited.client.post("/v2/images", headers=lines, content=ONCE)).status_code == 201


async def test_replays_count_for_the_address_and_not_for_the_signer(site: Site) -> None:
    settings = msgspec.structs.replace(site.settings, rate=Rate(per_caller="3/h", per_address="5/h"))
    async with InProcess(build(settings)) as limited:
        lines = signed(site.pair, "POST", "/v2/images", JSON, body=ONCE)
        answers = [await limited.client.post("/v2/images", headers=lines, content=ONCE) for _ in range(8)]
        assert [each.status_code for each in answers] == [201] + [401] * 5 + [429] * 2
        reads = [await limited.client.get("/v2/images", auth=Signing(site.pair)) for _ in range(3)]
        assert [each.status_code for each in reads] == [200, 200, 429]


async def test_replays_with_large_bodies_do_not_count_for_the_signer_and_are_not_read_a_moment_later(
    site: Site,
) -> None:
    image, limits = await site.image(), Rate(per_caller="3/h")
    async with InProcess(build(msgspec.structs.replace(site.settings, rate=limits))) as limited:
        path, headers = f"/v2/images/{image}", {**PATCH, **UNSIGNED}
        lines = signed(site.pair, "PATCH", path, headers, payload="UNSIGNED-PAYLOAD")
        sent = [b'[{"op": "replace", "path": "/name", "value": "a"}]', *[b"x" * (LARGEST + 1)] * 3]
        answers = [await limited.client.patch(path, headers=lines, content=body) for body in sent]
        assert [each.status_code for each in answers] == [200, 413, 413, 413]
        await asyncio.sleep(AT_ONCE + 0.1)
        assert (await limited.client.patch(path, headers=lines, content=sent[-1])).status_code == 401
        reads = [await limited.client.get("/v2/images", auth=Signing(site.pair)) for _ in range(3)]
        assert [each.status_code for each in reads] == [200, 200, 429]


async def test_what_was_read_of_a_key_before_a_change_does_not_outlive_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, claim, reads = site.database.one, _claim(signed(site.pair, "GET", "/v2/images", HOST)), 0

    async def meanwhile(*asked: Any) -> Any:
        nonlocal reads
        row, reads = await one(*asked), reads + 1
        if reads == 1:
            site.tokens.forget()
            signers._current()  # as another request does
        return row

    signers = site.signers()
    monkeypatch.setattr(site.database, "one", meanwhile)
    for expected in (1, 2, 2):
        await signers.signer(claim)
        assert reads == expected


async def test_who_signs_much_at_once_has_one_token(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    issue, issued = site.tokens.issue, []

    async def counted(*asked: Any) -> Any:
        issued.append(asked)
        return await issue(*asked)

    monkeypatch.setattr(site.tokens, "issue", counted)
    signers = site.signers()
    signer = await signers.signer(_claim(signed(site.pair, "GET", "/v2/images", HOST)))
    callers = await asyncio.gather(*(signers._as_token(signer, site.project) for _ in range(8)))
    assert (len({each.user_id for each in callers}), len(issued)) == (1, 1)


async def test_documents_that_are_not_taken_count_for_the_signer_of_a_new_signature(site: Site) -> None:
    limits, headers = Rate(per_caller="2/h"), {**PATCH, **UNSIGNED}
    async with InProcess(build(msgspec.structs.replace(site.settings, rate=limits))) as limited:
        answers = []
        for number in range(4):
            path = f"/v2/images/{number}"
            lines = signed(site.pair, "PATCH", path, headers, payload="UNSIGNED-PAYLOAD")
            answers.append(await limited.client.patch(path, headers=lines, content=b"x" * (LARGEST + 1)))
        assert [each.status_code for each in answers] == [413, 413, 429, 429]


async def test_a_document_that_comes_slowly_is_not_taken_a_moment_later(site: Site) -> None:
    path, headers, held = f"/v2/images/{await site.image()}", {**PATCH, **UNSIGNED}, asyncio.Event()
    lines = signed(site.pair, "PATCH", path, headers, payload="UNSIGNED-PAYLOAD")

    async def document() -> AsyncIterator[bytes]:
        await held.wait()
        yield b'[{"op": "replace", "path": "/name", "value": "late"}]'

    async with InProcess(build(site.settings)) as service:
        body = b'[{"op": "replace", "path": "/name", "value": "first"}]'
        assert (await service.client.patch(path, headers=lines, content=body)).status_code == 200
        late = asyncio.create_task(service.client.patch(path, headers=lines, content=document()))
        await asyncio.sleep(AT_ONCE + 0.1)
        held.set()
        assert (await late).status_code == 401


async def test_other_documents_of_a_recorded_signature_do_not_take_more_than_there_is(site: Site) -> None:
    limits, headers = Rate(per_caller="10/s"), {**PATCH, **UNSIGNED}
    async with InProcess(build(msgspec.structs.replace(site.settings, rate=limits))) as limited:
        held = asyncio.Event()

        async def document(number: int) -> AsyncIterator[bytes]:
            await held.wait()
            yield b'[{"op": "replace", "path": "/name", "value": "%d"}]' % number

        lines = signed(site.pair, "PATCH", "/v2/images/x", headers, payload="UNSIGNED-PAYLOAD")
        sent = [
            asyncio.create_task(limited.client.patch("/v2/images/x", headers=lines, content=document(number)))
            for number in range(50)
        ]
        await asyncio.sleep(0.5)
        held.set()
        assert {each.status_code for each in await asyncio.gather(*sent)} == {404, 429}
        await asyncio.sleep(0.2)
        assert (await limited.client.get("/v2/images", auth=Signing(site.pair))).status_code == 200


def _claim(lines: dict[str, str]) -> Any:
    return signing.claim({name.lower().encode(): value.encode() for name, value in lines.items()})
