"""The commands of a service whose tokens are a Keystone's."""

import importlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from calotype.cli import main
from calotype.settings import SettingsError, load
from tests.support.memcached import Memcached
from tests.support.played_keystone import PASSWORD, PlayedKeystone


@pytest.fixture
def keystone() -> Iterator[PlayedKeystone]:
    played = PlayedKeystone()
    yield played
    if "*" not in played.status:
        played.go()


@pytest.fixture
def run(keystone: PlayedKeystone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs a command over a new data directory."""
    settings = {
        "IDENTITY_SOURCE": "keystone",
        "KEYSTONE_URL": keystone.url,
        "KEYSTONE_USERNAME": "glance",
        "KEYSTONE_PASSWORD": PASSWORD,
        "KEYSTONE_PROJECT": "service",
        "DATA": str(tmp_path / "data"),
        "BIND": "127.0.0.1:1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"CALOTYPE_{name}", value)
    return lambda *arguments: CliRunner().invoke(main, arguments)


@pytest.fixture
def start(run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> Callable[[], Result]:
    """Does what `calotype serve` does, but for serving."""
    monkeypatch.setenv("CALOTYPE_BIND", "127.0.0.1:0")
    monkeypatch.setattr(importlib.import_module("calotype.cli.serve"), "run", lambda settings, application: None)
    return lambda: run("serve")


def test_the_first_start_makes_no_accounts(
    run: Callable[..., Result], keystone: PlayedKeystone, tmp_path: Path
) -> None:
    made = run("init")
    assert (made.exit_code, keystone.url in made.output) == (0, True)
    assert "passwords" not in made.output
    assert not (tmp_path / "data" / "clouds.yaml").exists()
    assert keystone.asked == []


@pytest.mark.parametrize(
    "command",
    [
        ("user", "list"),
        ("user", "create", "x", "--generate-password"),
        ("project", "list"),
        ("role", "list"),
        ("domain", "list"),
        ("token", "issue", "--user", "demo"),
        ("image", "show", "x"),
    ],
)
def test_commands_on_accounts_refuse_in_a_sentence(run: Callable[..., Result], command: tuple[str, ...]) -> None:
    run("init")
    refused = run(*command)
    assert (refused.exit_code, len(refused.output.splitlines())) == (1, 1)
    assert "Keystone" in refused.output
    assert "openstack" in refused.output


def test_demo_images_need_built_in_projects(run: Callable[..., Result]) -> None:
    refused = run("serve", "--demo")
    assert (refused.exit_code, "--demo needs the projects of the built-in identity" in refused.output) == (2, True)


def test_the_start_is_refused_by_a_keystone_that_refuses_the_account(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALOTYPE_BIND", "127.0.0.1:0")
    monkeypatch.setenv("CALOTYPE_KEYSTONE_PASSWORD", "not the secret")
    refused = run("serve")
    assert (refused.exit_code, "are name, password and domain right?" in refused.output) == (1, True)
    assert "not the secret" not in refused.output


def test_the_doctor_is_content(run: Callable[..., Result], keystone: PlayedKeystone) -> None:
    run("init")
    found = run("doctor")
    assert (found.exit_code, f"ok    Keystone at {keystone.url} validates tokens" in found.output) == (0, True)


@pytest.mark.parametrize(
    ("roles", "status", "settings", "words"),
    [
        (["member"], {}, {}, "validates no tokens of others: give it the role service"),
        (["service"], {"events": 403}, {}, "revocations are noticed late"),
        (["service"], {"events": 404}, {}, "Keystone does not offer its revocations"),
        (["service"], {"login": 401}, {}, "are name, password and domain right? Has it a role in its scope?"),
        (["service"], {"login": 404}, {}, "does it exist, and is keystone.url right? ("),
        (["service"], {"*": 503}, {}, "Keystone cannot be asked"),
        (["service"], {}, {"URL": "https://k", "CERTIFICATES": "gone.pem"}, "Keystone cannot be asked: Could not find"),
        (["service"], {}, {"REGION": "Nowhere"}, "has no public endpoint of the image service in its catalogue"),
        (["service"], {}, {"AUTH_TYPE": "v3none"}, "'v3none' is not known; there are"),
        (["service"], {}, {"AUTH_TYPE": "v3applicationcredential"}, "keystone.auth:"),
        (["service"], {}, {"AUTH_TYPE": "v3password"}, "keystone.auth: Password.__init__() missing 1 required"),
        (["service"], {}, {"AUTH_TYPE": "v2password"}, "keystone.auth: You need to specify either a username"),
        (["service"], {}, {"AUTH_TYPE": "password", "AUTH": "username=x"}, "cannot log in: password is a required"),
        (["service"], {}, {"AUTH_TYPE": "none"}, "does not log in to a Keystone"),
        (["service"], {}, {"AUTH_TYPE": "password", "AUTH": "pasword=x"}, "'pasword' is no option of password"),
    ],
)
def test_the_doctor_says_what_is_wrong(
    run: Callable[..., Result],
    keystone: PlayedKeystone,
    monkeypatch: pytest.MonkeyPatch,
    roles: list[str],
    status: dict[str, int],
    settings: dict[str, str],
    words: str,
) -> None:
    run("init")
    keystone.roles, keystone.status = roles, status
    for name, value in settings.items():
        monkeypatch.setenv(f"CALOTYPE_KEYSTONE_{name}", value)
    found = run("doctor")
    assert found.exit_code == 1
    assert [line for line in found.output.splitlines() if line.startswith("FAIL  keystone") and words in line]
    assert PASSWORD not in found.output
    keystone.status = {}


@pytest.mark.parametrize(("ahead", "words"), [(45, "4[345] seconds behind"), (-90, "9[0-3] seconds ahead of")])
def test_clocks_that_differ_are_told(
    run: Callable[..., Result], start: Callable[[], Result], keystone: PlayedKeystone, ahead: float, words: str
) -> None:
    run("init")
    keystone.ahead = ahead
    found = run("doctor")
    assert found.exit_code == 1
    assert re.search(f"FAIL  keystone: the clock here is {words} Keystone's", found.output)
    assert re.search(f"Warning: the clock here is {words} Keystone's", start().output)
    keystone.ahead = ahead / 9
    assert run("doctor").exit_code == 0


def test_memcached_is_looked_at(
    run: Callable[..., Result], start: Callable[[], Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("init")
    memcached = Memcached()
    monkeypatch.setenv("CALOTYPE_KEYSTONE_MEMCACHED", memcached.place)
    monkeypatch.setenv("CALOTYPE_KEYSTONE_MEMCACHED_KEY", "a secret of all workers")
    found = run("doctor")
    assert (found.exit_code, f"ok    memcached at {memcached.place} can be used" in found.output) == (0, True)
    assert "memcached" not in start().output
    memcached.stop()
    found, started = run("doctor"), start()
    assert found.exit_code == 1
    assert f"FAIL  keystone.memcached: {memcached.place} cannot be used" in found.output
    assert started.exit_code == 0
    assert f"Warning: keystone.memcached: {memcached.place} cannot be used" in started.output


def test_without_the_package_for_memcached_there_is_no_start(
    run: Callable[..., Result], start: Callable[[], Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("init")
    monkeypatch.setenv("CALOTYPE_KEYSTONE_MEMCACHED", "127.0.0.1:1")
    monkeypatch.setenv("CALOTYPE_KEYSTONE_MEMCACHED_KEY", "a secret of all workers")
    monkeypatch.setitem(sys.modules, "memcachio", None)
    for refused in (run("doctor"), start()):
        assert refused.exit_code == 1
        assert "keystone.memcached: memcachio is not installed" in refused.output


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({}, "identity.source: keystone.url has to be set, too"),
        ({"url": "http://k"}, "identity.source: keystone.username has to be set, too"),
        ({"url": "http://k", "username": "u"}, "identity.source: keystone.password has to be set, too"),
        ({"url": "k", "auth_type": "password"}, "keystone.url: 'k' is not a URL"),
        ({"client_key": "k.pem"}, "keystone.client_key: keystone.client_certificate has to be set, too"),
        ({"memcached": "here"}, "keystone.memcached: 'here' is not HOST:PORT"),
        ({"memcached": "h:1"}, "keystone.memcached_key: a secret of 16 characters or more has to be set, too"),
    ],
)
def test_settings_that_lack_something_are_refused(section: dict[str, str], words: str) -> None:
    whole = section if "url" in section or not section else {"url": "http://k", "auth_type": "password", **section}
    environment = {f"CALOTYPE_KEYSTONE_{name.upper()}": value for name, value in whole.items()}
    with pytest.raises(SettingsError, match=words):
        load(None, {"CALOTYPE_IDENTITY_SOURCE": "keystone", **environment})


def test_a_plugin_needs_no_user() -> None:
    environment = {
        "CALOTYPE_IDENTITY_SOURCE": "keystone",
        "CALOTYPE_KEYSTONE_URL": "http://k",
        "CALOTYPE_KEYSTONE_AUTH_TYPE": "v3applicationcredential",
        "CALOTYPE_KEYSTONE_AUTH": "application_credential_id=a,application_credential_secret=b=c",
    }
    found = load(None, environment).keystone.auth
    assert found == {"application_credential_id": "a", "application_credential_secret": "b=c"}
