"""policy.yaml and its directory: what they may hold, which of them wins, and that a change is put in force."""

import asyncio
import logging
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from calotype.access.caller import Caller
from calotype.access.policy import files as policy_files
from calotype.access.policy.files import PolicyWatch
from calotype.access.policy.rules import DEFAULTS
from calotype.cli import main
from calotype.settings import Policy, SettingsError
from tests.support.catalogue import an_image

READER = Caller(user_id="me", project_id="mine", roles=frozenset(("reader",)))
OWN = an_image(owner="mine", visibility="private")


def allowed(files: Policy, rule: str = "modify_image") -> bool:
    """Whether a reader may do that to an image of the project."""
    return policy_files.load(files).allows(rule, READER, OWN)


def test_without_files_the_defaults_hold() -> None:
    assert policy_files.rulebook(Policy()).texts == DEFAULTS
    assert not allowed(Policy())


def test_a_file_changes_the_rules_that_it_names(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    for text in (
        '"modify_image": "role:reader"',
        "modify_image: ''",
        '{"modify_image": "@"}',
        "modify_image: 'rule:x'\nx: '@'",
    ):
        file.write_text(text)
        assert allowed(Policy(file=str(file)))
    for text in ("", "# nothing", "delete_image: ''"):
        file.write_text(text)
        assert not allowed(Policy(file=str(file)))


def test_the_last_file_wins(tmp_path: Path) -> None:
    file, directory = tmp_path / "policy.yaml", tmp_path / "policy.d"
    file.write_text("modify_image: '!'\ndelete_image: ''")
    directory.mkdir()
    (directory / "inside").mkdir()
    files = Policy(file=str(file), directory=str(directory))
    for name, text, expected in (
        ("b.yaml", "modify_image: '@'", True),
        (".c.yaml", "modify_image: '!'", True),
        ("a.yaml", "modify_image: '!'", True),
        ("c.yaml", "modify_image: '!'", False),
    ):
        (directory / name).write_text(text)
        assert (allowed(files), allowed(files, "delete_image")) == (expected, True)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: b: c", "policy: {file}: not YAML: mapping values are not allowed here"),
        ("- a", "policy: {file}: not a list of NAME: RULE"),
        ("get_image:", 'policy: {file}: get_image: a rule is a text; "" lets everybody, "!" nobody'),
        ("get_image: [[a]]", 'policy: {file}: get_image: a rule is a text; "" lets everybody, "!" nobody'),
        ("1: role:a", 'policy: {file}: 1: a rule is a text; "" lets everybody, "!" nobody'),
        ("get_image: role:a and", "policy: get_image: not understood: 'role:a and'"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError) as refused:
        policy_files.load(Policy(file=str(file)))
    assert str(refused.value).startswith(told.format(file=file))


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"policy: .*none.yaml: No such file or directory"):
        policy_files.load(Policy(file=str(tmp_path / "none.yaml")))
    with pytest.raises(SettingsError, match=r"policy.directory: .*none: No such file or directory"):
        policy_files.load(Policy(directory=str(tmp_path / "none")))


def test_a_change_is_put_in_force(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file, directory = tmp_path / "policy.yaml", tmp_path / "policy.d"
    directory.mkdir()
    file.write_text("modify_image: '!'")
    files = Policy(file=str(file), directory=str(directory))
    policy = policy_files.load(files)
    watch = PolicyWatch(files, policy)

    def after(path: Path, text: str | None) -> bool:
        if text is None:
            path.unlink()
        else:
            (tmp_path / "new").write_text(text)
            os.replace(tmp_path / "new", path)
        asyncio.run(watch.look())
        return policy.allows("modify_image", READER, OWN)

    with caplog.at_level(logging.INFO, "calotype.policy"):
        assert after(file, "modify_image: '@'")
        assert not after(directory / "a.yaml", "modify_image: '!'")
        assert after(directory / "a.yaml", "modify_image: '@'")
        assert after(directory / "a.yaml", "modify_image: 'role:a and'")
        assert after(file, "modify_image: '!'")
        assert not after(directory / "a.yaml", None)
        assert not after(file, None)
    said = [record.getMessage() for record in caplog.records]
    assert said[:3] == ["the changed policy files are in force"] * 3
    assert said[3] == "policy: modify_image: not understood: 'role:a and'; the rules of before stay in force"
    assert said[-1].endswith("No such file or directory; the rules of before stay in force")
    asyncio.run(watch.look())
    assert len(caplog.records) == len(said), "A file that stays as it is is not read again."


def test_the_commands(tmp_path: Path) -> None:
    def do(*words: str) -> tuple[int, str]:
        found = CliRunner(env={"CALOTYPE_POLICY_FILE": str(tmp_path / "policy.yaml")}).invoke(main, ["policy", *words])
        return found.exit_code, found.output

    (tmp_path / "policy.yaml").write_text("delete_image: 'role:a or rule:nowhere'\nmine: ''")
    status, told = do("list", "--changed")
    assert status == 0
    assert "Warning: delete_image names nowhere, which is no rule; `default` stands in." in told
    assert "Warning: mine counts only where" in told
    assert [line.split()[0] for line in told.splitlines() if "yes" in line] == ["delete_image", "mine"]
    assert do("check", "get_image", "--role", "reader", "--project", "mine")[0] == 0
    assert do("check", "get_image", "--role", "reader", "--project", "mine", "--target", "owner=x")[0] == 1
    public = ("--target", "owner=x", "--target", "visibility=public")
    assert do("check", "get_image", "--role", "reader", "--project", "mine", *public)[0] == 0
    assert do("check", "unheard_of")[0] == 2
    assert do("check", "get_image", "--target", "owner")[0] == 2
    assert len(do("check")[1].splitlines()) == len(DEFAULTS) + 2


def test_the_sample_says_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    sample = CliRunner().invoke(main, ["policy", "sample"]).output
    file.write_text(sample)
    assert policy_files.rulebook(Policy(file=str(file))).texts == DEFAULTS
    file.write_text("\n".join(line[2:] for line in sample.splitlines() if line.startswith('# "')))
    assert policy_files.rulebook(Policy(file=str(file))).texts == DEFAULTS
    assert sample.count('# "') == len(DEFAULTS)
