"""`calotype key`, and what `calotype doctor` says of access keys."""

import asyncio
import base64
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from calotype.access.vault import Vault
from calotype.cli import main
from calotype.cli.prepare import prepare
from calotype.settings import Identity, Settings, SettingsError

Do = Callable[[str], Result]


@pytest.fixture
def do(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Do:
    """Runs `calotype` with a command line, split at blanks, on a prepared deployment."""
    data = str(tmp_path / "data")
    prepare(Settings(data=data, database=url, identity=Identity(password_memory_kib=64, password_iterations=1)))
    monkeypatch.setenv("CALOTYPE_DATABASE", url)
    monkeypatch.setenv("CALOTYPE_DATA", data)
    return lambda line: CliRunner().invoke(main, line.split())


def made(result: Result) -> Any:
    """The JSON that a command printed."""
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def test_the_secret_is_shown_once(do: Do) -> None:
    new = made(do("key create --user demo --description builds --format json"))
    secret = new.pop("secret_key")
    assert len(new["access_key"]) == 20
    assert len(secret) == 40
    assert (new["user"], new["enabled"], new["description"]) == ("demo", True, "builds")
    shown = do(f"key show {new['access_key']} --format json")
    assert made(shown) == new
    assert made(do("key list --format json")) == [new]
    assert secret not in shown.output


def test_keys_of_one_user(do: Do) -> None:
    keys = {user: made(do(f"key create --user {user} --format json"))["access_key"] for user in ("demo", "admin")}
    assert [each["access_key"] for each in made(do("key list --user admin --format json"))] == [keys["admin"]]
    assert len(made(do("key list --format json"))) == 2


def test_a_key_is_disabled_enabled_and_deleted(do: Do) -> None:
    key = made(do("key create --user demo --format json"))["access_key"]
    assert do(f"key disable {key}").exit_code == 0
    assert made(do(f"key show {key} --format json"))["enabled"] is False
    assert do(f"key enable {key}").exit_code == 0
    assert made(do(f"key show {key} --format json"))["enabled"] is True
    assert do(f"key delete {key}").exit_code == 0
    assert made(do("key list --format json")) == []
    for verb in ("show", "disable", "enable", "delete"):
        answer = do(f"key {verb} {key}")
        assert answer.exit_code == 1
        assert f"Could not find access key: {key}." in answer.output


def test_keys_go_with_their_user(do: Do) -> None:
    made(do("key create --user demo --format json"))
    assert do("user delete demo").exit_code == 0
    assert made(do("key list --format json")) == []


def test_nobody_and_too_long_a_description(do: Do) -> None:
    assert "Could not find user: nobody." in do("key create --user nobody").output
    assert "at most 255 characters" in do(f"key create --user demo --description {'x' * 256}").output


def test_a_lost_key_file_is_not_replaced_while_there_are_access_keys(do: Do, tmp_path: Path) -> None:
    made(do("key create --user demo --format json"))
    file = tmp_path / "data" / "access-keys.key"
    kept = file.read_bytes()
    assert "the secrets of access keys can be read" in do("doctor").output
    os.chmod(file, 0o644)
    assert f"chmod 600 {file}" in do("doctor").output
    file.unlink()
    answer = do("key create --user demo")
    assert answer.exit_code == 1
    assert f"{file} cannot be read" in answer.output
    assert f"{file} cannot be read" in do("doctor").output
    file.write_bytes(kept[:-9] + b"AAAAAAA=\n")
    assert "put back the one that the access keys were made with" in do("doctor").output


def test_no_access_key_is_made_under_another_key(do: Do, tmp_path: Path) -> None:
    """It would work, and the ones before it no longer."""
    made(do("key create --user demo --format json"))
    file = tmp_path / "data" / "access-keys.key"
    file.write_bytes(base64.urlsafe_b64encode(bytes(32)))
    answer = do("key create --user demo")
    assert answer.exit_code == 1
    assert f"{file} is not the key" in answer.output
    assert len(made(do("key list --format json"))) == 1


def test_a_secret_of_one_access_key_is_none_of_another(tmp_path: Path) -> None:
    """Whoever can write to the database cannot give his own key somebody else's secret."""
    vault = Vault(tmp_path / "key")
    vault.make()
    kept = vault.lock("A", b"secret")
    assert vault.unlock("A", kept) == b"secret"
    with pytest.raises(SettingsError, match="is not the key that the access key B"):
        vault.unlock("B", kept)


def test_a_key_file_that_is_exchanged_counts_at_once(tmp_path: Path) -> None:
    """As after the first access key of all was made anew on another host: no request fails."""
    old, new = Vault(tmp_path / "key"), Vault(tmp_path / "new")
    old.make()
    new.make()
    assert old.unlock("A", old.lock("A", b"before")) == b"before"
    kept = new.lock("B", b"after")
    new.path.replace(old.path)
    assert old.unlock("B", kept) == b"after"


def test_the_first_keys_made_at_once_share_one_file(tmp_path: Path) -> None:
    vaults = [Vault(tmp_path / "deep" / "key") for _ in range(8)]

    async def all_at_once() -> None:
        await asyncio.gather(*(asyncio.to_thread(each.make) for each in vaults))

    asyncio.run(all_at_once())
    locked = [each.lock("A", b"secret") for each in vaults]
    assert {vaults[0].unlock("A", each) for each in locked} == {b"secret"}
    assert [each.name for each in (tmp_path / "deep").iterdir()] == ["key"]
