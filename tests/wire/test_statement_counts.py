"""How many SQL statements the common calls run, in the test's own process: a call that asks more is noticed."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from calotype.app import build
from calotype.cli import clouds
from calotype.cli.prepare import prepare
from calotype.settings import Log, Policy, Settings
from tests.support.inprocess import InProcess


@pytest.fixture
def settings(url: str, tmp_path: Path) -> Settings:
    """A prepared deployment, on each database in turn."""
    found = Settings(data=str(tmp_path / "data"), database=url, log=Log(requests=False))
    prepare(found)
    return found


@pytest_asyncio.fixture
async def demo(settings: Settings) -> AsyncIterator[InProcess]:
    """The running application, with the demo user's token in every request."""
    async with InProcess(build(settings)) as running:
        running.client.headers["X-Auth-Token"] = await token(running, settings, "demo")
        yield running


async def token(running: InProcess, settings: Settings, who: str) -> str:
    """A token of one of the first users, known to the service."""
    login = clouds.read(settings)[f"calotype-{who}"]["auth"]
    domain = {"id": "default"}
    user = {"name": login["username"], "password": login["password"], "domain": domain}
    scope = {"project": {"name": login["project_name"], "domain": domain}}
    identity = {"methods": ["password"], "password": {"user": user}}
    answer = await running.client.post("/v3/auth/tokens", json={"auth": {"identity": identity, "scope": scope}})
    found: str = answer.headers["X-Subject-Token"]
    await running.client.get("/v2/images", headers={"X-Auth-Token": found})
    return found


async def create(demo: InProcess, **attributes: object) -> str:
    """The id of a new image."""
    answer = await demo.client.post("/v2/images", json=attributes)
    assert answer.status_code == 201, answer.text
    found: str = answer.json()["id"]
    return found


@pytest.mark.asyncio
async def test_one_image_is_one_statement(demo: InProcess) -> None:
    image = await create(demo, name="n", os_distro="alpine", tags=["x"])
    for path in (f"/v2/images/{image}", f"/v2.1/images/{image}", f"/v2.1/images/{image}/metadata"):
        answer, statements = await demo.counted("GET", path)
        assert (answer.status_code, statements) == (200, 1), path


@pytest.mark.asyncio
async def test_a_list_is_one_statement_however_long(demo: InProcess) -> None:
    for number in range(12):
        await create(demo, name=f"n{number}", os_distro="alpine", tags=["x"])
    for path in ("/v2/images", "/v2/images?tag=x&os_distro=alpine", "/v2.1/images", "/v2.1/images/detail"):
        answer, statements = await demo.counted("GET", path)
        assert (answer.status_code, len(answer.json()["images"]), statements) == (200, 12, 1), path


@pytest.mark.asyncio
async def test_a_page_after_a_marker_is_two_statements(demo: InProcess) -> None:
    image = await create(demo, name="n")
    for path in (f"/v2/images?marker={image}", f"/v2.1/images/detail?marker={image}"):
        answer, statements = await demo.counted("GET", path)
        assert (answer.status_code, statements) == (200, 2), path


@pytest.mark.asyncio
async def test_definitions_take_as_many_statements_however_many_they_are(demo: InProcess, settings: Settings) -> None:
    path = "/v2/metadefs/namespaces"
    part = {"title": "P", "type": "string"}
    demo.client.headers["X-Auth-Token"] = await token(demo, settings, "admin")
    for number in range(1, 13):
        wanted = {
            "namespace": f"n{number}",
            "resource_type_associations": [{"name": f"t{each}"} for each in range(number)],
            "properties": {f"p{each}": part for each in range(number)},
            "objects": [{"name": f"o{each}", "properties": {"p": part}} for each in range(number)],
            "tags": [{"name": f"t{each}"} for each in range(number)],
        }
        assert (await demo.client.post(path, json=wanted)).status_code == 201
    for query, expected in (
        ("", 2),
        ("?limit=5&resource_types=t0,t1", 2),
        ("?marker=n6&sort_key=namespace", 3),
        ("/n1", 2),
        ("/n12", 2),
        ("/n12/objects", 2),
        ("/n12/tags?marker=t3", 2),
        ("/n12/properties", 2),
        ("/n12/resource_types", 2),
        ("/n12/properties/p3", 2),
        ("/n12/properties/p3?resource_type=t0", 3),
    ):
        answer, statements = await demo.counted("GET", path + query)
        assert (answer.status_code, statements) == (200, expected), query
    assert len((await demo.client.get(path)).json()["namespaces"]) == 12


@pytest.mark.asyncio
async def test_what_the_rules_hide_is_not_looked_through_one_by_one(settings: Settings, tmp_path: Path) -> None:
    rules = tmp_path / "policy.yaml"
    rules.write_text("get_image: \"'yes':%(shown)s\"\nget_metadef_namespace: \"'public':%(visibility)s\"\n")
    changed = msgspec.structs.replace(settings, policy=Policy(file=str(rules)))
    images, namespaces = "/v2/images", "/v2/metadefs/namespaces"
    async with InProcess(build(changed)) as running:
        running.client.headers["X-Auth-Token"] = await token(running, changed, "admin")
        for number in range(14):
            shown = number in (0, 1)
            await create(running, name=f"n{number}", shown="yes" if shown else "no")
            wanted = {"namespace": f"n{number}", "visibility": "public" if shown else "private"}
            assert (await running.client.post(namespaces, json=wanted)).status_code == 201
        for path, statements in ((images, 2), (namespaces, 4)):
            key = path.rpartition("/")[2]
            for limit, names in ((1, ["n1"]), (2, ["n1", "n0"]), (3, ["n1", "n0"])):
                answer, counted = await running.counted("GET", f"{path}?limit={limit}")
                found = answer.json()
                assert [each.get("name") or each["namespace"] for each in found[key]] == names
                assert ("next" in found, counted) == (len(names) == limit, statements), (path, limit)
            assert (await running.counted("GET", f"{path}?limit=15"))[1] == statements / 2, path
            first = (await running.client.get(f"{path}?limit=1")).json()
            assert len((await running.client.get(first["next"])).json()[key]) == 1


@pytest.mark.asyncio
async def test_token_requests(demo: InProcess, settings: Settings) -> None:
    own = {"X-Subject-Token": demo.client.headers["X-Auth-Token"]}
    answer, statements = await demo.counted("GET", "/v3/auth/tokens?nocatalog", headers=own)
    assert (answer.status_code, statements) == (200, 2)
    user_id, project_id = answer.json()["token"]["user"]["id"], answer.json()["token"]["project"]["id"]
    path = f"/v3/users/{user_id}/application_credentials"
    wanted = {"name": "robot", "access_rules": [{"service": "image", "path": "/v2/images/*", "method": "GET"}]}
    made = (await demo.client.post(path, json={"application_credential": wanted})).json()["application_credential"]
    shown = {"application_credential": {"id": made["id"], "secret": made["secret"]}}
    person = {"user": {"id": user_id, "password": clouds.read(settings)["calotype-demo"]["auth"]["password"]}}
    image = await create(demo, name="n")
    # Who it is; the user again, the new token, and all that it grants, in two statements.
    for method, proof, scope in (
        ("password", {"password": person}, {"scope": {"project": {"id": project_id}}}),
        ("application_credential", shown, {}),
    ):
        body = {"auth": {"identity": {"methods": [method], **proof}, **scope}}
        answer, statements = await demo.counted("POST", "/v3/auth/tokens", json=body)
        assert (answer.status_code, statements) == (201, 5), method
    # Its first request looks the token up, the next ones know it.
    token_ = {"X-Auth-Token": answer.headers["X-Subject-Token"]}
    counts = [(await demo.counted("GET", f"/v2/images/{image}", headers=token_))[1] for _ in range(3)]
    assert counts == [3, 1, 1]
    wrong = {"user": {**person["user"], "password": "wrong"}}
    body = {"auth": {"identity": {"methods": ["password"], "password": wrong}}}
    answer, statements = await demo.counted("POST", "/v3/auth/tokens", json=body)
    assert (answer.status_code, statements) == (401, 1)
