"""Requests signed with access keys, through the whole application, on each database in turn."""

import asyncio
import base64
import hashlib
import time
from typing import Any

import msgspec

from calotype.access.vault import Vault
from calotype.api.entrance import LARGEST
from calotype.app import build
from calotype.database import access_keys as rows
from calotype.settings import Imports
from tests.support.access_key import Pair, Signing, sdk_date, signed
from tests.support.inprocess import InProcess
from tests.support.site import HOST, JSON, PATCH, RENAME, UNSIGNED, Site

PLAIN = "The request you have made requires authentication."


async def test_all_three_apis_know_who_signed(site: Site) -> None:
    image = await site.image()
    for path in (f"/v2/images/{image}", f"/v2.1/images/{image}", f"/v2.1/{site.project}/images/{image}", "/v2/images"):
        answer = await site.ask("GET", path)
        assert answer.status_code == 200, (path, answer.text)
        assert image in answer.text
    own = (await site.ask("GET", "/v3/auth/projects")).json()["projects"]
    assert [each["id"] for each in own] == [site.project]
    assert (await site.ask("GET", f"/v2/images/{image}")).json()["owner"] == site.project


async def test_roles_count_as_with_a_token(site: Site) -> None:
    image = await site.image()
    admin, token = await site.new_key("admin"), await site.log_in()
    assert (await site.ask("GET", "/v3/users")).status_code == 403
    assert (await site.ask("GET", "/v3/users", admin)).status_code == 200
    assert (await site.ask("GET", f"/v2/images/{image}", admin)).status_code == 200
    by_token = await site.running.client.get("/v3/users", headers={"X-Auth-Token": token})
    assert by_token.json() == (await site.ask("GET", "/v3/users")).json()


async def test_the_project(site: Site) -> None:
    """X-Project-Id, else the one in the path, else the only one; with two and none named, the caller has no scope."""
    await site.image("first")
    other = await site.another_project("other")
    await site.noticed()
    for options, project in (
        ({"signed": {"X-Project-Id": site.project}}, site.project),
        ({"signed": {"X-Project-Id": other}}, other),
    ):
        made = await site.ask("POST", "/v2/images", json={"name": project}, **options)
        assert made.json()["owner"] == project
    for project, names in ((site.project, {"first", site.project}), (other, {other})):
        listed = (await site.ask("GET", f"/v2.1/{project}/images")).json()["images"]
        assert {each["name"] for each in listed} == names
    unscoped = await site.ask("GET", "/v3/auth/projects")
    assert len(unscoped.json()["projects"]) == 2
    assert (await site.ask("GET", "/v3/auth/catalog")).status_code == 403
    mismatch = await site.ask("GET", f"/v2.1/{project}/images", signed={"X-Project-Id": site.project})
    assert mismatch.status_code == 400


async def test_a_foreign_project_is_refused(site: Site) -> None:
    foreign = (await site.accounts.create_project("foreign")).id
    for project in (foreign, "0" * 32, "x"):
        answer = await site.ask("GET", "/v2/images", signed={"X-Project-Id": project})
        assert answer.status_code == 401, project
        assert PLAIN in answer.text


async def test_the_project_named_like_the_region(site: Site) -> None:
    """What the Huawei SDK asks first (A.4)."""
    region = await site.another_project("RegionOne")
    await site.noticed()
    answer = await site.ask("GET", "/v3/projects", params={"name": "RegionOne"})
    assert [each["id"] for each in answer.json()["projects"]] == [region]


REFUSED: dict[str, dict[str, Any]] = {
    "another secret": {"pair": lambda pair: Pair(pair.access, "x" * 40)},
    "an unknown key": {"pair": lambda pair: Pair("UNKNOWN", pair.secret)},
    "another method": {"method": "HEAD"},
    "another path": {"path": "/v2/images/x"},
    "another query": {"path": "/v2/images?limit=1"},
    "another host": {"sent": {"Host": "elsewhere"}},
    "another agent": {"headers": {**HOST, "User-Agent": "a"}, "sent": {"User-Agent": "b"}},
    "another date": {"sent": {"X-Sdk-Date": lambda: sdk_date(time.time() + 5)}},
    "a body": {"body": b"{}"},
    "a project that is not signed": {"sent": {"X-Project-Id": "p"}},
    "a cut signature": {"authorization": lambda text: text[:-1]},
    "a flipped signature": {"authorization": lambda text: text[:-1] + ("0" if text[-1] != "0" else "1")},
}


async def test_what_is_not_what_was_signed_is_refused_alike(site: Site) -> None:
    for name, how in REFUSED.items():
        pair = how.get("pair", lambda pair: pair)(site.pair)
        lines = signed(pair, "GET", "/v2/images", how.get("headers", HOST))
        lines["Authorization"] = how.get("authorization", lambda text: text)(lines["Authorization"])
        lines |= {key: value() if callable(value) else value for key, value in how.get("sent", {}).items()}
        answer = await site.running.client.request(
            how.get("method", "GET"), how.get("path", "/v2/images"), headers=lines, content=how.get("body", b"")
        )
        assert answer.status_code == 401, name
        assert answer.headers["WWW-Authenticate"].endswith('/v3"')
        if answer.request.method != "HEAD" and name != "a body":
            assert PLAIN in answer.text, name


async def test_refusals_have_the_shape_of_each_api(site: Site) -> None:
    wrong = Pair(site.pair.access, "x" * 40)
    expected = {"error": {"code": 401, "title": "Unauthorized", "message": PLAIN}}
    assert (await site.ask("GET", "/v2.1/images", wrong)).json() == expected
    assert (await site.ask("GET", "/v3/auth/projects", wrong)).json() == expected
    page = await site.ask("GET", "/v2/images", wrong, headers={"Accept": "text/html"})
    assert page.headers["Content-Type"].startswith("text/html")
    assert "401 Unauthorized" in page.text


NOT_OFFERED: list[tuple[dict[str, str], str]] = [
    ({"X-Security-Token": "t"}, "X-Security-Token"),
    ({"Authorization": "SDK-HMAC-SM3 Access=a, SignedHeaders=host, Signature=0"}, "SDK-HMAC-SHA256"),
    ({"Authorization": "V11-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host, Signature=0"}, "SDK-HMAC-SHA256"),
]


async def test_what_is_not_offered_is_said(site: Site) -> None:
    for headers, says in NOT_OFFERED:
        for path in ("/v2.1/images", "/v2/images", "/v3/auth/projects"):
            answer = await site.send("GET", path, HOST, sent=headers)
            assert answer.status_code == 401
            assert says in answer.text


async def test_the_time_of_signing(site: Site) -> None:
    for ahead, status in ((-897, 200), (898, 200), (-903, 401), (905, 401)):
        date = sdk_date(time.time() + ahead)
        answer = await site.send("GET", "/v2/images", HOST, date=date)
        assert answer.status_code == status, ahead
        if status == 401:
            assert date in answer.text
            assert "signed at" in answer.text


async def test_the_body_is_verified_before_anything_is_done_with_it(site: Site) -> None:
    changed = await site.send("POST", "/v2/images", JSON, b'{"name": "changed"}', hashed=b'{"name": "signed"}')
    assert changed.status_code == 401
    assert (await site.ask("GET", "/v2/images")).json()["images"] == []


async def test_a_body_that_is_not_signed(site: Site) -> None:
    image = await site.image()
    headers = {**PATCH, **UNSIGNED}
    renamed = await site.send("PATCH", f"/v2/images/{image}", headers, RENAME, payload="UNSIGNED-PAYLOAD")
    assert renamed.json()["name"] == "new"
    hashed = await site.send("PATCH", f"/v2/images/{image}", headers, RENAME)
    assert hashed.status_code == 401


async def test_a_hash_that_comes_with_the_body_must_be_that_of_the_body(site: Site) -> None:
    body = b'{"name": "n"}'
    told = hashlib.sha256(body).hexdigest()
    headers = {**JSON, "X-Sdk-Content-Sha256": told}
    assert (await site.send("POST", "/v2/images", headers, body)).status_code == 201
    other = await site.send("POST", "/v2/images", headers, b'{"name": "m"}', payload=told)
    assert other.status_code == 401


async def test_data_is_uploaded_unsigned_at_any_size_and_signed_up_to_12_mib(site: Site) -> None:
    octets = {**HOST, "Content-Type": "application/octet-stream"}
    for body, headers, how, status in (
        (b"small" * 1000, octets, {}, 204),
        (bytes(LARGEST), octets, {}, 204),
        (bytes(LARGEST + 1), octets, {}, 413),
        (bytes(LARGEST + 1), {**octets, **UNSIGNED}, {"payload": "UNSIGNED-PAYLOAD"}, 204),
    ):
        wanted = {"name": f"{len(body)} {how}", "disk_format": "raw", "container_format": "bare"}
        made = await site.ask("POST", "/v2/images", json=wanted)
        image = made.json()["id"]
        answer = await site.send("PUT", f"/v2/images/{image}/file", headers, body, **how)
        assert answer.status_code == status, answer.text
        found = (await site.ask("GET", f"/v2/images/{image}")).json()
        assert found["size"] == (len(body) if status == 204 else None)


async def test_a_large_signed_body_is_refused_in_the_shape_of_each_api(site: Site) -> None:
    for method, path in (("POST", "/v2/images"), ("POST", "/v3/projects"), ("PUT", "/v2.1/images/x/metadata")):
        answer = await site.send(method, path, JSON, bytes(LARGEST + 1))
        assert answer.status_code == 413, path


async def test_bodies_are_read_only_of_access_keys_that_are_there(site: Site) -> None:
    """What is read is kept: of nobody's body it would be as much as anybody likes to send."""
    disabled = await site.new_key("demo")
    await site.keys.enable(disabled.access, False)
    for pair in (Pair("UNKNOWN", "x" * 40), disabled):
        for path in ("/v2/images", "/v3/projects"):
            answer = await site.send("POST", path, JSON, bytes(LARGEST + 1), pair=pair)
            assert answer.status_code == 401, path
            assert PLAIN in answer.text


async def test_the_signature_counts_before_the_token(site: Site) -> None:
    token = await site.log_in()
    good = await site.ask("GET", "/v2/images", headers={"X-Auth-Token": "nonsense"})
    assert good.status_code == 200
    bad = await site.send("GET", "/v2/images", HOST, pair=Pair(site.pair.access, "x"), sent={"X-Auth-Token": token})
    assert bad.status_code == 401
    for other in ("Bearer x", "Basic eDp5", ""):
        headers = {"X-Auth-Token": token, "Authorization": other}
        assert (await site.running.client.get("/v2/images", headers=headers)).status_code == 200


async def test_what_ends_a_token_ends_what_a_key_may(site: Site) -> None:
    async def becomes(expected: int) -> None:
        """Within two seconds, and a revision is looked at once in one."""
        until = time.monotonic() + 2
        while (status := (await site.ask("GET", "/v2/images", signed=named)).status_code) != expected:
            assert time.monotonic() < until, f"{status} instead of {expected}"
            await asyncio.sleep(0.05)

    named = {"X-Project-Id": site.project}
    await becomes(200)
    for end, begin in (
        (site.keys.enable(site.pair.access, False), site.keys.enable(site.pair.access, True)),
        (
            site.accounts.change_user(site.demo.id, {"enabled": False}),
            site.accounts.change_user(site.demo.id, {"enabled": True, "password": "another password"}),
        ),
        (
            site.accounts.change_project(site.project, {"enabled": False}),
            site.accounts.change_project(site.project, {"enabled": True}),
        ),
    ):
        await end
        await becomes(401)
        await begin
        await becomes(200)
    await site.keys.delete(site.pair.access)
    await becomes(401)


async def test_statements(site: Site) -> None:
    """A key that is known costs nothing, a signed write one statement more than with a token, an unsigned patch two."""
    image, token = await site.image(), await site.log_in()
    counted, by_token = site.running.counted, {"X-Auth-Token": token}
    lines = signed(site.pair, "GET", f"/v2/images/{image}", HOST)
    assert (await counted("GET", f"/v2/images/{image}", headers=lines))[1] == 1
    await site.running.client.get("/v2/images", headers=by_token)
    path = f"/v2/images/{image}/tags/t"
    plain = (await counted("PUT", path, headers=by_token))[1]
    await site.running.client.delete(path, headers=by_token)
    answer, more = await counted("PUT", path, headers=signed(site.pair, "PUT", path, HOST))
    assert (answer.status_code, more) == (204, plain + 1)
    path = f"/v2/images/{image}"
    plain = (await counted("PATCH", path, headers={**PATCH, **by_token}, content=RENAME))[1]
    lines = signed(site.pair, "PATCH", path, {**PATCH, **UNSIGNED}, payload="UNSIGNED-PAYLOAD")
    answer, more = await counted("PATCH", path, headers=lines, content=RENAME.replace(b"new", b"newer"))
    assert (answer.status_code, more) == (200, plain + 2)


async def test_secrets_are_encrypted_and_the_key_is_not_in_the_database(site: Site) -> None:
    file = site.settings.access_key_file
    assert file.stat().st_mode & 0o777 == 0o600
    kept = await _kept(site)
    assert site.pair.secret.encode() not in base64.b64decode(kept)
    assert Vault(file).unlock(site.pair.access, kept) == site.pair.secret.encode()
    assert site.pair.secret not in repr(await site.keys.get(site.pair.access))


async def test_without_the_right_key_file_requests_are_answered_503(site: Site) -> None:
    file = site.settings.access_key_file
    original = file.read_bytes()
    for content in (None, b"nonsense\n", base64.urlsafe_b64encode(bytes(32))):
        file.unlink(missing_ok=True)
        if content is not None:
            file.write_bytes(content)
        async with InProcess(build(site.settings)) as fresh:
            for path in ("/v2/images", "/v2.1/images", "/v3/auth/projects"):
                answer = await fresh.client.get(path, auth=Signing(site.pair))
                assert answer.status_code == 503, path
                assert str(file) not in answer.text
            file.unlink(missing_ok=True)
            file.write_bytes(original)
            assert (await fresh.client.get("/v2/images", auth=Signing(site.pair))).status_code == 200


async def test_behind_a_proxy_that_is_believed_the_clients_own_url_counts(site: Site) -> None:
    settings = msgspec.structs.replace(site.settings, proxy_headers=True)
    lines = signed(site.pair, "GET", "/cloud/v2/images", {"Host": "cloud.example"})
    told = {"X-Forwarded-Host": "cloud.example", "X-Forwarded-Prefix": "/cloud", "Host": "inside"}
    assert (await site.running.client.get("/v2/images", headers={**lines, **told})).status_code == 401
    async with InProcess(build(settings)) as behind:
        assert (await behind.client.get("/v2/images", headers={**lines, **told})).status_code == 200


async def test_under_a_prefix_the_whole_path_is_signed(site: Site) -> None:
    for path in ("/image/v2/images", f"/compute/v2.1/{site.project}/images", "/identity/v3/auth/projects"):
        assert (await site.ask("GET", path)).status_code == 200, path


async def test_a_download_from_another_glance_needs_a_token_to_show(site: Site) -> None:
    settings = msgspec.structs.replace(site.settings, imports=Imports(methods=("glance-download",)))
    method = {"name": "glance-download", "glance_region": "RegionOne", "glance_image_id": "x"}
    async with InProcess(build(settings)) as running:
        made = await running.client.post("/v2/images", json={"name": "n"}, auth=Signing(site.pair))
        path = f"/v2/images/{made.json()['id']}/import"
        answer = await running.client.post(path, json={"method": method}, auth=Signing(site.pair))
    assert answer.status_code == 400
    assert "a signed request brings none" in answer.text


async def _kept(site: Site) -> str:
    row = await site.database.one(rows.SECRET, {"id": site.pair.access})
    assert row is not None
    found: str = row[1]
    return found
