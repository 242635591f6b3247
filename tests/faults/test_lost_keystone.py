"""Limits that Keystone serves, and what becomes of the calls that need them when it is away or will not do."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.attacked import OCTETS, Site, eventually
from tests.support.commands import Command
from tests.support.keystone_limits import PASSWORD, asking
from tests.support.recorded_keystone import RecordedKeystone
from tests.support.server import Server

Start = Callable[..., Site]
MIB = 2**20


@pytest.fixture
def keystone() -> Iterator[RecordedKeystone]:
    """The recorded answers of a Keystone."""
    found = RecordedKeystone()
    yield found
    found.go()


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_limits_of_keystone_hold(keystone: RecordedKeystone, start: Start, database: str) -> None:
    site = start(
        database, environment=asking(keystone.settings, CALOTYPE_QUOTA_STORAGE="1")
    )  # which is of no effect then
    demo = keystone.project = site.server.personas["demo"].project_id
    first, second = site.image(), site.image()
    assert site.put(first, bytes(2 * MIB)).status_code == 204
    refused = site.put(second, bytes(MIB + 1))
    text = "Resource image_size_total is over limit of 3 due to current usage 2 and delta 2"
    assert (refused.status_code, refused.json()["code"]) == (413, "413 Request Entity Too Large")
    assert f"Project {demo} is over a limit for [{text}]" in refused.json()["message"]
    assert site.put(second, bytes(MIB)).status_code == 204
    with site.server.client() as api, site.server.client("alt") as alt:
        assert api.get("/v2/info/usage").json() == {
            "usage": {
                "image_count_total": {"limit": 100, "usage": 2},
                "image_count_uploading": {"limit": -1, "usage": 0},
                "image_size_total": {"limit": 3, "usage": 3},
                "image_stage_total": {"limit": 1000, "usage": 0},
            }
        }
        assert alt.get("/v2/info/usage").json()["usage"]["image_size_total"] == {"limit": 1000, "usage": 0}


def test_the_limits_are_the_owners_whoever_acts(keystone: RecordedKeystone, start: Start) -> None:
    site = start("sqlite", environment=asking(keystone.settings, CALOTYPE_QUOTA_CACHE_SECONDS="60"))
    keystone.project = site.server.personas["demo"].project_id
    image = site.image()
    with site.server.client("admin") as admin:
        answer = admin.put(f"/v2/images/{image}/file", content=bytes(3 * MIB + 1), headers=OCTETS)
        assert answer.status_code == 413
        assert keystone.project in answer.text
        assert admin.put(f"/v2/images/{image}/file", content=bytes(3 * MIB), headers=OCTETS).status_code == 204
    assert keystone.count("GET /limits") == 1


def test_what_needs_limits_is_unavailable_without_keystone_and_the_rest_is_not(
    keystone: RecordedKeystone, start: Start
) -> None:
    site = start("sqlite", environment=asking(keystone.settings))
    image, loaded = site.image(), site.image()
    assert site.put(loaded, b"data").status_code == 204
    keystone.go()
    with site.server.client() as api:
        for answer in (
            api.post("/v2/images", json={"name": "one more"}),
            site.put(image, b"data"),
            api.put(f"/v2/images/{image}/stage", content=b"data", headers=OCTETS),
            api.get("/v2/info/usage"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (503, "503 Service Unavailable")
            assert "limits of the project cannot be read from Keystone" in answer.json()["message"]
        assert site.show(image)["status"] == "queued"
        assert site.data(loaded) == b"data"
        assert api.put(f"/v2/images/{image}/tags/t").status_code == 204
        assert api.delete(f"/v2/images/{loaded}").status_code == 204
        assert api.get("/v2.1/images/detail").status_code == 200
    keystone.come()
    assert eventually(lambda: site.put(image, b"data").status_code == 204, 10)
    assert PASSWORD not in site.server.log


def test_an_upload_that_was_admitted_does_not_need_keystone_any_more(keystone: RecordedKeystone, start: Start) -> None:
    site = start("sqlite", environment=asking(keystone.settings))
    image = site.image()

    def pieces() -> Iterator[bytes]:
        yield bytes(MIB)
        assert site.status(image, "saving") == "saving"
        keystone.go()
        yield bytes(MIB)

    with site.server.client() as api:
        headers = {**OCTETS, "X-OpenStack-Image-Size": str(2 * MIB)}
        assert api.put(f"/v2/images/{image}/file", content=pieces(), headers=headers).status_code == 204
    keystone.come()


def test_a_keystone_that_will_not_do_is_refused_at_the_start(
    keystone: RecordedKeystone, start_server: Callable[..., Server]
) -> None:
    with pytest.raises(RuntimeError, match="are name, password and domain right") as refused:
        start_server("sqlite", environment=asking(keystone.settings, CALOTYPE_KEYSTONE_PASSWORD="a wrong secret"))
    assert "a wrong secret" not in str(refused.value)
    keystone.answers["GET /limits/model"] = "model-strict"
    with pytest.raises(RuntimeError, match="`flat` is the one that can be enforced"):
        start_server("sqlite", environment=asking(keystone.settings))


def test_the_doctor_looks_at_keystone(keystone: RecordedKeystone, start: Start, tmp_path: Path) -> None:
    site = start("sqlite", environment=asking(keystone.settings))
    doctor = Command("calotype", asking(keystone.settings), tmp_path, "doctor", "--data", str(site.server.data))
    assert "has limits for the image service" in doctor.try_()[1]
    keystone.answers["POST /auth/tokens"] = "token-refused"
    code, out, _ = doctor.try_()
    assert (code, "FAIL  limits: Keystone refuses the user 'calotype-limits'" in out) == (1, True)


def test_a_keystone_that_is_away_at_the_start_may_come(keystone: RecordedKeystone, start: Start) -> None:
    keystone.go()
    site = start("sqlite", environment=asking(keystone.settings))
    assert "Until it can be, what needs the limits of a project is answered with 503." in site.server.log
    with site.server.client() as api:
        assert api.get("/v2/images").status_code == 200
        assert api.post("/v2/images", json={}).status_code == 503
        keystone.come()
        assert eventually(lambda: api.post("/v2/images", json={}).status_code == 201, 10)


def test_a_keystone_that_breaks_later_is_unavailable(keystone: RecordedKeystone, start: Start) -> None:
    site = start("sqlite", environment=asking(keystone.settings))
    keystone.answers |= {"GET /limits": "registered-limits", "POST /auth/tokens": "token-refused"}
    with site.server.client() as api:
        assert api.post("/v2/images", json={}).status_code == 503
    assert "is not what Keystone does" in site.server.log or "are name, password and domain right" in site.server.log
