"""A file of properties that cannot be used: the service does not start without the protection it was told to give."""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.server import clean_environment
from tests.support.system import free_port

FILES = {
    "property_protection_file": ("[secret]\ncreate = admin\n", "section [secret]: read is missing"),
    "schema_file": ('{"status": {"type": "string"}}', "'status' is an attribute of every image, or reserved"),
}


def calotype(*arguments: str) -> subprocess.CompletedProcess[str]:
    """One command, run to its end."""
    return subprocess.run(
        [sys.executable, "-m", "calotype", *arguments],
        check=False, capture_output=True, text=True, timeout=60, env=clean_environment(),
    )  # fmt: skip


@pytest.mark.parametrize("setting", FILES)
@pytest.mark.parametrize("content", ["wrong", "absent"])
def test_the_service_does_not_start(tmp_path: Path, setting: str, content: str) -> None:
    file, config, data = tmp_path / "file", tmp_path / "calotype.toml", tmp_path / "data"
    text, sentence = FILES[setting]
    if content == "wrong":
        file.write_text(text)
    else:
        sentence = "No such file or directory"
    config.write_text(f'[image]\n{setting} = "{file}"\n')
    port = free_port()
    done = calotype("serve", "--data", str(data), "--config", str(config), "--bind", f"127.0.0.1:{port}")
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: image.{setting}: {file}: {sentence}")
    assert done.stderr.count("\n") == 1
    assert not data.exists()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/healthcheck")


def test_the_doctor_says_it_too(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert calotype("init", "--data", str(data)).returncode == 0
    good = tmp_path / "good.conf"
    good.write_text("[.*]\ncreate = @\nread = @\nupdate = @\ndelete = @\n")
    for setting, (text, sentence) in FILES.items():
        file, config = tmp_path / setting, tmp_path / f"{setting}.toml"
        file.write_text(text)
        config.write_text(f'[image]\n{setting} = "{file}"\n')
        done = calotype("doctor", "--data", str(data), "--config", str(config), "--bind", f"127.0.0.1:{free_port()}")
        assert done.returncode == 1
        assert f"FAIL  image.{setting}: {file}: {sentence}" in done.stdout
    config.write_text(f'[image]\nproperty_protection_file = "{good}"\nschema_file = "standard"\n')
    done = calotype("doctor", "--data", str(data), "--config", str(config), "--bind", f"127.0.0.1:{free_port()}")
    assert done.returncode == 0, done.stdout
    assert f"ok    {good} is in order\nok    standard is in order\n" in done.stdout


@pytest.mark.parametrize("value", ["role", ""])
def test_a_rule_format_that_is_none(tmp_path: Path, value: str) -> None:
    config = tmp_path / "calotype.toml"
    config.write_text(f'[image]\nproperty_protection_rule_format = "{value}"\n')
    done = calotype("serve", "--data", str(tmp_path / "data"), "--config", str(config))
    assert done.returncode == 1
    assert "property_protection_rule_format" in done.stderr
