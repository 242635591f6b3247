"""`calotype metadefs`, on each database."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from calotype.cli import main
from calotype.metadefs.loading import STANDARD

Do = Callable[..., Result]


@pytest.fixture
def do(url: str, monkeypatch: pytest.MonkeyPatch) -> Do:
    """Runs a command line on the database."""
    monkeypatch.setenv("CALOTYPE_DATABASE", url)
    return lambda *line: CliRunner().invoke(main, ["metadefs", *map(str, line)])


def told(result: Result) -> Any:
    """The JSON that a command printed."""
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def write(path: Path, **document: Any) -> Path:
    """A file with a namespace in it."""
    path.write_text(json.dumps(document))
    return path


def test_the_standard_definitions_are_loaded_once(do: Do) -> None:
    assert do("list").output == "Nothing found.\n"
    files = {file.name: json.loads(file.read_text()) for file in STANDARD.glob("*.json")}
    first = told(do("load", "--format", "json"))
    assert [each["result"] for each in first] == ["created"] * len(files)
    assert {each["namespace"] for each in first} == {each["namespace"] for each in files.values()}
    assert {each["result"] for each in told(do("load", "--format", "json"))} == {"kept"}
    assert {each["result"] for each in told(do("load", "--replace", "--format", "json"))} == {"replaced"}
    listed = {each["namespace"]: each for each in told(do("list", "--format", "json"))}
    assert list(listed) == sorted(listed)
    assert listed["OS::Compute::Watchdog"] == {
        "namespace": "OS::Compute::Watchdog",
        "visibility": "public",
        "protected": True,
        "owner": "admin",
        "resource_types": ["OS::Glance::Image", "OS::Cinder::Volume", "OS::Nova::Flavor"],
    }


def test_files_and_directories(do: Do, tmp_path: Path) -> None:
    one = write(tmp_path / "one.json", namespace="one", owner="me", tags=[{"name": "t"}])
    write(tmp_path / "two.json", namespace="two", visibility="public", self="/v2/x", created_at="2014-08-28T17:13:06Z")
    (tmp_path / "README").write_text("no definition")
    assert told(do("load", one, "--format", "json")) == [{"namespace": "one", "result": "created"}]
    assert [each["result"] for each in told(do("load", tmp_path, "--format", "json"))] == ["kept", "created"]
    assert [(each["namespace"], each["owner"]) for each in told(do("list", "--format", "json"))] == [
        ("one", "me"),
        ("two", "admin"),
    ]


def test_one_wrong_file_and_nothing_is_loaded(do: Do, tmp_path: Path) -> None:
    write(tmp_path / "a.json", namespace="right")
    for number, (text, complaint) in enumerate(
        (
            ("[]", "this is not one namespace, a JSON object."),
            ("{", "this is not JSON in UTF-8."),
            ('{"namespace": "x", "colour": "red"}', "Provided object does not match schema 'namespace'"),
            ('{"display_name": "x"}', "'namespace' is a required property"),
        )
    ):
        wrong = tmp_path / f"b{number}.json"
        wrong.write_text(text)
        refused = do("load", tmp_path)
        assert (refused.exit_code, f"Error: {wrong}: " in refused.output) == (1, True)
        assert complaint in refused.output
        assert len(refused.output.splitlines()) == 1
        wrong.unlink()
    assert do("load", tmp_path / "absent.json").exit_code == 2
    assert told(do("list", "--format", "json")) == []


def test_unload(do: Do, tmp_path: Path) -> None:
    write(tmp_path / "a.json", namespace="a")
    write(tmp_path / "b.json", namespace="b", protected=True)
    assert do("load", tmp_path).exit_code == 0
    assert do("unload", "a").exit_code == 0
    refused = do("unload", "b")
    assert (refused.exit_code, refused.output) == (
        1,
        "Error: Namespace b is protected; --force removes it all the same.\n",
    )
    assert do("unload", "b", "--force").exit_code == 0
    absent = do("unload", "b")
    assert (absent.exit_code, absent.output) == (1, "Error: Namespace b not found\n")
    assert do("unload").exit_code == 2


def test_without_tables(empty_url: str) -> None:
    result = CliRunner().invoke(main, ["metadefs", "list", "--database", empty_url])
    assert result.exit_code == 1
    assert "Run `calotype db upgrade`" in result.output
