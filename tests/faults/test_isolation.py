"""What a project may not see answers exactly as what does not exist, and no secret comes out."""

import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from calotype.settings import Settings
from tests.support.attacked import OCTETS, PATCH, Site
from tests.support.server import clean_environment

ABSENT = str(uuid.UUID(int=0x0123456789AB4DEFA123456789ABCDEF))


@pytest.fixture(params=["private", "shared"])
def hidden(request: pytest.FixtureRequest, site: Site) -> Iterator[str]:
    """An image of `demo` with data, tags, properties and a member, which `alt` may not see."""
    image = site.image(visibility=request.param, tags=["secret-tag"], colour="secret")
    assert site.put(image, b"secret data").status_code == 204
    with site.server.client() as api:
        api.post(f"/v2/images/{image}/members", json={"member": "somebody"})
        yield image
        api.delete(f"/v2/images/{image}").raise_for_status()


def calls(image: str, project: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Every call that names an image, in both APIs and under every mount: method, path, options."""
    change = [{"op": "add", "path": "/p", "value": "v"}]
    metadata = {"json": {"metadata": {"a": "b"}}}
    new = [
        ("GET", f"/v2/images/{image}", {}),
        ("GET", f"/image/v2/images/{image}", {}),
        ("GET", f"/v2/images/{image}/file", {}),
        ("GET", f"/v2/images/{image}/file", {"headers": {"Range": "bytes=0-1"}}),
        ("PUT", f"/v2/images/{image}/file", {"content": b"mine", "headers": OCTETS}),
        ("PATCH", f"/v2/images/{image}", {"json": change, "headers": PATCH}),
        ("PATCH", f"/v2/images/{image}", {"json": [], "headers": PATCH}),
        ("DELETE", f"/v2/images/{image}", {}),
        ("PUT", f"/v2/images/{image}/tags/t", {}),
        ("DELETE", f"/v2/images/{image}/tags/secret-tag", {}),
        ("DELETE", f"/v2/images/{image}/tags/other", {}),
        ("GET", f"/v2/images/{image}/members", {}),
        ("POST", f"/v2/images/{image}/members", {"json": {"member": project}}),
        ("GET", f"/v2/images/{image}/members/somebody", {}),
        ("GET", f"/v2/images/{image}/members/{project}", {}),
        ("PUT", f"/v2/images/{image}/members/{project}", {"json": {"status": "accepted"}}),
        ("PUT", f"/v2/images/{image}/members/somebody", {"json": {"status": "accepted"}}),
        ("DELETE", f"/v2/images/{image}/members/somebody", {}),
        ("POST", f"/v2/images/{image}/actions/deactivate", {}),
        ("POST", f"/v2/images/{image}/actions/reactivate", {}),
        ("PUT", f"/v2/images/{image}/stage", {"content": b"mine", "headers": OCTETS}),
        ("POST", f"/v2/images/{image}/import", {"json": {"method": {"name": "glance-direct"}}}),
        ("GET", f"/v2/images/{image}/tasks", {}),
        ("GET", f"/v2/images/{image}/locations", {}),
        ("POST", f"/v2/images/{image}/locations", {"json": {"url": "http://127.0.0.1/x"}}),
        ("GET", f"/v2/images?marker={image}", {}),
        ("GET", f"/v2/images?id={image}", {}),
        ("GET", f"/v2/images?id=in:{image}", {}),
        ("GET", f"/v2/images?id={image}&member_status=all&visibility=shared", {}),
        ("GET", f"/v2/images?id={image}&visibility=all&os_hidden=false", {}),
    ]
    old = [
        (method, f"{prefix}/images/{image}{tail}", options)
        for prefix in ("/v2.1", f"/v2.1/{project}", f"/v2/{project}", f"/compute/v2.1/{project}")
        for method, tail, options in (
            ("GET", "", {}),
            ("DELETE", "", {}),
            ("GET", "/metadata", {}),
            ("GET", "/metadata/colour", {}),
            ("POST", "/metadata", metadata),
            ("PUT", "/metadata", metadata),
            ("PUT", "/metadata/a", {"json": {"meta": {"a": "b"}}}),
            ("DELETE", "/metadata/colour", {}),
        )
    ]
    lists = [("GET", f"/v2.1/images{detail}?marker={image}", {}) for detail in ("", "/detail")]
    return [*new, *old, *lists]


def seen(answer: httpx.Response, image: str) -> tuple[int, str, list[tuple[str, str]]]:
    """All of an answer but what differs between any two of them."""
    request_ids = {value for name, value in answer.headers.items() if "request-id" in name}

    def plain(text: str) -> str:
        text = text.replace(image, "IMAGE")
        for each in request_ids:
            text = text.replace(each, "REQUEST")
        return text

    headers = [(name, plain(value)) for name, value in answer.headers.multi_items() if name != "date"]
    return answer.status_code, plain(answer.text), headers


@pytest.mark.parametrize("persona", ["alt", "reader", "roleless"])
def test_a_hidden_image_answers_as_an_absent_one(site: Site, hidden: str, persona: str) -> None:
    """The other users of the owner's project see it, so for them the owner is `admin`."""
    if persona != "alt":
        with site.server.client("admin") as api:
            body = {"name": "of admin", "visibility": "private", "disk_format": "raw", "container_format": "bare"}
            hidden = api.post("/v2/images", json=body).raise_for_status().json()["id"]
            api.put(f"/v2/images/{hidden}/file", content=b"secret data", headers=OCTETS).raise_for_status()
    before = admin_sees(site, hidden)
    project = site.server.personas[persona].project_id
    with site.server.client(persona) as api:
        pairs = zip(calls(hidden, project), calls(ABSENT, project), strict=True)
        for (method, path, options), (_, absent, _options) in pairs:
            one = seen(api.request(method, path, **options), hidden)
            other = seen(api.request(method, absent, **options), ABSENT)
            assert one == other, (method, path)
            assert one[0] < 500
    assert admin_sees(site, hidden) == before


def admin_sees(site: Site, image: str) -> list[Any]:
    """The image and its members."""
    with site.server.client("admin") as api:
        return [api.get(f"/v2/images/{image}{tail}").json() for tail in ("", "/members")]


def test_no_list_shows_or_counts_a_hidden_image(site: Site, hidden: str) -> None:
    demo = site.server.personas["demo"].project_id
    queries = [
        "", f"owner={demo}", "tag=secret-tag", "colour=secret", "name=image", "status=active", "size_min=0",
        "visibility=private", "visibility=shared", "visibility=shared&member_status=all", "visibility=all",
        "os_hidden=true", f"id={hidden}", f"id=in:{hidden},{ABSENT}", "checksum=" + site.show(hidden)["checksum"],
        "sort_key=size&sort_dir=asc", "created_at=gt:2000-01-01T00:00:00Z", "protected=false", "limit=1000",
    ]  # fmt: skip
    old = ["", "?status=ACTIVE", "?name=image", "?property-colour=secret", f"?property-id={hidden}", "?type=x",
           f"?property-owner={demo}", "?property-visibility=all", "?property-visibility=private"]  # fmt: skip
    with site.server.client("alt") as api:
        for path in [f"/v2/images?{query}" for query in queries] + [f"/v2.1/images/detail{query}" for query in old]:
            answer = api.get(path)
            assert answer.status_code == 200, path
            shown = answer.json()["images"]
            assert hidden not in [each["id"] for each in shown], path
            assert "secret-tag" not in answer.text.replace("tag=secret-tag", ""), path


def test_a_hidden_image_takes_the_time_of_an_absent_one(sqlite_site: Site) -> None:
    image = sqlite_site.image(visibility="private", **{f"p{number}": "x" * 200 for number in range(100)})
    with sqlite_site.server.client("alt") as api:

        def seconds(path: str) -> float:
            started = time.perf_counter()
            assert api.get(path).status_code == 404
            return time.perf_counter() - started

        for form in ("/v2/images/{}", "/v2.1/images/{}"):
            paths = [form.format(each) for each in (image, ABSENT)]
            times = [[seconds(path) for path in paths] for _ in range(300)]
            medians = [statistics.median(column) for column in zip(*times, strict=True)]
            assert abs(medians[0] - medians[1]) < 0.0005, medians


def test_the_wrong_user_takes_the_time_of_the_wrong_password(sqlite_site: Site) -> None:
    def seconds(name: str) -> float:
        who = {"user": {"name": name, "domain": {"id": "default"}, "password": "wrong"}}
        body = {"auth": {"identity": {"methods": ["password"], "password": who}}}
        started = time.perf_counter()
        answer = httpx.post(f"{sqlite_site.server.base}/v3/auth/tokens", json=body)
        assert answer.status_code == 401
        return time.perf_counter() - started

    times = [[seconds("demo"), seconds("nobody at all")] for _ in range(15)]
    known, unknown = (statistics.median(column) for column in zip(*times, strict=True))
    assert 0.5 < known / unknown < 2


def test_accounts_of_others_answer_as_absent_ones(site: Site) -> None:
    admin = site.server.personas["admin"]
    with site.server.client("alt") as api:
        for path, known in (("users", admin.user_id), ("projects", admin.project_id)):
            one, other = api.get(f"/v3/{path}/{known}"), api.get(f"/v3/{path}/{ABSENT}")
            assert seen(one, known) == seen(other, ABSENT)
        headers = [{"X-Subject-Token": token} for token in ("A" * 43, "")]
        assert {api.get("/v3/auth/tokens", headers=each).status_code for each in headers} <= {403, 404}


def test_no_secret_comes_out(start: Callable[..., Site]) -> None:
    site = start("sqlite", options=("--workers", "2"))
    passwords = [str(cloud["auth"]["password"]) for cloud in site.server.clouds.values()]
    secrets = [*passwords, *(persona.token for persona in site.server.personas.values())]
    texts = []
    with site.server.client() as api:
        for password in passwords:
            for extra in ({}, {"domain": 5}, {"domain": {"id": "default"}}):
                who = {"user": {"name": "demo", "password": password, **extra}}
                for scope in (None, 5, {"project": {"id": "x"}}):
                    body = {"auth": {"identity": {"methods": ["password"], "password": who}, "scope": scope}}
                    texts.append(api.post("/v3/auth/tokens", json=body).text)
        for secret in secrets:
            body = {"auth": {"identity": {"methods": ["token"], "token": {"id": secret, "x": 1}}, "scope": 7}}
            texts.append(api.post("/v3/auth/tokens", json=body).text)
            strange = {"X-Subject-Token": secret + "x", "X-Service-Token": secret + "y"}
            for path in ("/v3/auth/tokens", "/v2.1/images", "/v2/images/x"):
                texts.append(api.get(path, headers=strange).text)
            texts.append(api.post("/v2/images", json={"name": "x", "tags": 5}, headers={"X-Auth-Token": "z"}).text)
    lines = subprocess.run(["ps", "-eww", "-o", "args"], check=True, capture_output=True, text=True).stdout
    environments = [Path(f"/proc/{pid}/cmdline").read_text() for pid in site.workers()]
    site.server.stop()
    for secret in secrets:
        assert not any(secret in text for text in (*texts, site.server.log, lines, *environments))


def test_settings_show_no_password() -> None:
    settings = Settings(database="postgresql://calotype:s3cret@127.0.0.1:1/x")
    assert "s3cret" not in repr(settings)
    assert "s3cret" not in str(settings)


@pytest.mark.parametrize(
    "url", ["postgresql://calotype:s3cret@127.0.0.1:1/x", "postgresql://calotype:s3cret@127.0.0.1:port/x"]
)
def test_a_database_that_cannot_be_reached_shows_no_password(tmp_path: Path, url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "calotype", "serve", "--data", str(tmp_path / "data"), "--bind", "127.0.0.1:0"],
        check=False, capture_output=True, text=True, timeout=60, env={**clean_environment(), "CALOTYPE_DATABASE": url},
    )  # fmt: skip
    assert done.returncode != 0
    assert "s3cret" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
