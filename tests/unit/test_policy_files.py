"""policy.yaml and its directory: what they may hold, which of them wins, and that a change is put in force."""

import asyncio
import logging
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from calotype.access import protections
from calotype.access.caller import Caller
from calotype.access.policy import files as policy_files
from calotype.access.policy.files import PolicyWatch
from calotype.access.policy.policy import Policy as Rules
from calotype.access.policy.rules import DEFAULTS
from calotype.cli import main
from calotype.settings import Image, Policy, SettingsError
from tests.support.catalogue import an_image

READER = Caller(user_id="me", project_id="mine", roles=frozenset(("reader",)))
OWN = an_image(owner="mine", visibility="private")


def allowed(files: Policy, rule: str = "modify_image") -> bool:
    """Whether a reader may do that to an image of the project."""
    return load(files).allows(rule, READER, OWN)


def load(files: Policy) -> Rules:
    """The policy that the files make."""
    return policy_files.load(policy_files.read(files))


def test_without_files_the_defaults_hold() -> None:
    assert load(Policy()).rules.texts == DEFAULTS
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
        (".c.yaml", "delete_image: '!'", True),
        ("a.yaml", "modify_image: '!'", True),
        ("c.yaml", "modify_image: '!'", False),
    ):
        (directory / name).write_text(text)
        assert (allowed(files), allowed(files, "delete_image")) == (expected, True)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: b: c", "policy: {file}: line 1: not YAML: mapping values are not allowed here"),
        ("a: ''\nb: 'c", "policy: {file}: line 2: not YAML: found unexpected end of stream"),
        ("a: ''\n? [b]\n: ''", "policy: {file}: line 2: not YAML: found unhashable key"),
        ("a: 2026-13-01", "policy: {file}: not YAML: month must be in 1..12"),
        ("a: \x00", "policy: {file}: not YAML: unacceptable character #x0000"),
        ("[" * 9999, "policy: {file}: not YAML: maximum recursion depth exceeded"),
        ("a: !!bool x", "policy: {file}: not YAML: 'x'"),
        ("a: !!int ''", "policy: {file}: not YAML: string index out of range"),
        ("a: !!timestamp x", "policy: {file}: not YAML: 'NoneType' object"),
        ('a: "\\UFFFFFFFF"', "policy: {file}: not YAML: Python int too large"),
        ("!!set {get_image}", "policy: {file}: not a list of NAME: RULE"),
        ("get_image: '" + "not " * 100 + "role:a'", "policy: {file}: line 1: get_image: it is nested too deep"),
        ("get_image: '" + "not " * 9999 + "role:a'", "policy: a rule is nested too deep"),
        ("get_image: '" + "not " * 400 + "role:a'", "policy: {file}: line 1: get_image: it is nested too deep"),
        (
            "get_image: rule:r0\n" + "".join(f"r{n}: rule:r{n + 1}\n" for n in range(400)),
            "policy: {file}: line 101: r99: it is nested too deep, or names others too deep",
        ),
        ("- a", "policy: {file}: not a list of NAME: RULE"),
        ("get_image", "policy: {file}: not a list of NAME: RULE"),
        ("\nget_image:", 'policy: {file}: line 2: get_image: a rule is a text; "" lets everybody, "!" nobody'),
        ("get_image: [[a]]", 'policy: {file}: line 1: get_image: a rule is a text; "" lets everybody, "!" nobody'),
        ("1: role:a", 'policy: {file}: line 1: 1: a rule is a text; "" lets everybody, "!" nobody'),
        ("~: role:a", 'policy: {file}: None: a rule is a text; "" lets everybody, "!" nobody'),
        ("# x\n\nget_image: role:a and", "policy: {file}: line 3: get_image: not understood: 'role:a and'"),
        ("a: ''\nb: rule:c\nc: rule:b", "policy: {file}: line 2: b: it names itself: b -> c -> b"),
        ("context_is_admin: rule:add_image", "policy: {file}: line 1: context_is_admin: it names itself: context_is"),
        ("default: rule:nowhere", "policy: {file}: line 1: default: it names itself: default -> default"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError) as refused:
        load(Policy(file=str(file)))
    assert str(refused.value).startswith(told.format(file=file))


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"policy: .*none.yaml: No such file or directory"):
        load(Policy(file=str(tmp_path / "none.yaml")))
    with pytest.raises(SettingsError, match=r"policy.directory: .*none: No such file or directory"):
        load(Policy(directory=str(tmp_path / "none")))


def test_the_file_that_counts_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("get_image: role:a and")
    (tmp_path / "b").write_text("\nget_image: role:b and")
    with pytest.raises(SettingsError) as refused:
        load(Policy(directory=str(tmp_path)))
    assert str(refused.value) == f"policy: {tmp_path / 'b'}: line 2: get_image: not understood: 'role:b and'"


class Watched:
    """A policy whose files are looked at."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "policy.yaml"
        self.more = directory / "policy.d"
        self.more.mkdir()
        self.file.write_text("modify_image: '!'")
        self._files = Policy(file=str(self.file), directory=str(self.more))
        self._texts = policy_files.read(self._files)
        self.policy = policy_files.load(self._texts)
        self._watch = PolicyWatch(self._files, self.policy, self._texts)

    def look(self, looks: int = 2) -> bool:
        """Whether readers may change images after so many looks."""
        for _ in range(looks):
            asyncio.run(self._watch.look())
        return self.policy.allows("modify_image", READER, OWN)

    async def opened_anew(self) -> Rules:
        """The policy of a worker that is started now, over the files of the server's start."""
        policy = policy_files.load(self._texts)
        watch = PolicyWatch(self._files, policy, self._texts)
        await watch.open()
        await watch.close()
        return policy


@pytest.fixture
def watched(tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """Readers may not change images by its files."""
    caplog.set_level(logging.INFO, "calotype.policy")
    monkeypatch.setattr(policy_files, "LOOK_SECONDS", 0.01)
    return Watched(tmp_path)


def test_a_change_is_put_in_force(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    def after(path: Path, text: str | None) -> bool:
        if text is None:
            path.unlink()
        else:
            new = watched.file.with_name("new")
            new.write_text(text)
            os.replace(new, path)
        return watched.look()

    file, another = watched.file, watched.more / "a.yaml"
    assert after(file, "modify_image: '@'")
    assert not after(another, "modify_image: '!'")
    assert after(another, "modify_image: '@'")
    assert after(another, "modify_image: 'role:a and'")
    assert after(file, "modify_image: '!'")
    assert not after(another, None)
    assert not after(file, None)
    said = [record.getMessage() for record in caplog.records]
    assert said[:3] == ["the changed policy files are in force"] * 3
    told = f"policy: {another}: line 1: modify_image: not understood: 'role:a and'; the rules of before stay in force"
    assert said[3:5] == [told] * 2
    assert said[-1].endswith("No such file or directory; the rules of before stay in force")
    watched.look()
    assert len(caplog.records) == len(said), "Files that stay as they are are not told of again."


def test_a_change_counts_when_two_looks_have_found_it(watched: Watched) -> None:
    for text in ("", "modify_image: '@'", "modify_image: '@'\ndelete_image: ''"):
        watched.file.write_text(text)
        assert not watched.look(1)
    assert watched.look(1)


def test_a_file_that_is_empty_for_long_does_not_put_the_defaults_in_force(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    watched.file.write_text("modify_image: '@'")
    assert watched.look()
    for text in ("", " \n"):
        watched.file.write_text(text)
        assert watched.look()
        told = f"policy: {watched.file}: empty; a file without rules holds {{}}; the rules of before stay in force"
        assert caplog.records[-1].getMessage() == told
    watched.file.write_text("{}")
    assert not watched.look()
    (watched.more / "a.yaml").write_text("")
    assert not watched.look()
    (watched.more / "b.yaml").write_text("modify_image: '@'")
    assert watched.look(), "A file that has never had rules stands in nobody's way."
    (watched.more / "b.yaml").write_text("")
    assert watched.look(), "One that got its rules later does."


def test_a_file_that_can_be_read_again_is_read_again(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may read everything, so this test refuses in the system's place."""
    read_bytes, closed = Path.read_bytes, [watched.file]

    def guarded(path: Path) -> bytes:
        if path in closed:
            raise PermissionError(13, "Permission denied")
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", guarded)
    watched.file.write_text("modify_image: '@'")
    assert not watched.look()
    closed.clear()
    assert watched.look()


def test_files_that_say_the_same_are_not_told_of(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    watched.look()
    new = watched.file.with_name("new")
    new.write_bytes(watched.file.read_bytes())
    os.replace(new, watched.file)
    watched.look()
    assert caplog.records == []


def test_a_file_that_is_put_back_is_in_force_again(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    before = watched.file.read_bytes()
    for content in (b"", before):
        watched.file.write_bytes(content)
        watched.look()
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]


def test_a_rule_that_a_property_protection_names_does_not_vanish(
    watched: Watched, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    watched.file.write_text("team: 'role:reader'")
    watched.look()
    conf = tmp_path / "protections.conf"
    conf.write_text("[.*]\ncreate = @\nread = team\nupdate = @\ndelete = @\n")
    settings = Image(property_protection_file=str(conf), property_protection_rule_format="policies")
    protected = protections.load(settings, watched.policy, conf.read_bytes())
    assert protected is not None
    watched.file.write_text("modify_image: '@'")
    assert not watched.look()
    assert protected.allows(READER, "read", "p")
    told = "policy: team: a property protection names it, and it is no rule any more; the rules of before stay in force"
    assert caplog.records[-1].getMessage() == told


def test_what_changed_files_hardly_mean_is_told(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    watched.file.write_text("modify_imag: '@'")
    watched.look()
    warning = caplog.records[-1]
    told = "policy: modify_imag is no rule of Glance's, and nothing names it: it has no effect"
    assert (warning.levelname, warning.getMessage()) == ("WARNING", told)


@pytest.mark.parametrize(
    ("text", "allowed"), [("modify_image: '@'", True), ("modify_image: 'role:a and'", False), ("", False)]
)
async def test_a_worker_that_is_started_anew_begins_with_what_is_in_force(
    watched: Watched, text: str, allowed: bool
) -> None:
    watched.file.write_text(text)
    assert (await watched.opened_anew()).allows("modify_image", READER, OWN) is allowed


def test_the_commands(tmp_path: Path) -> None:
    def do(*words: str) -> tuple[int, str]:
        found = CliRunner(env={"CALOTYPE_POLICY_FILE": str(tmp_path / "policy.yaml")}).invoke(main, ["policy", *words])
        return found.exit_code, found.output

    (tmp_path / "policy.yaml").write_text("delete_image: 'role:a or rule:nowhere'\nmine: ''")
    status, told = do("list", "--changed")
    assert status == 0
    assert "Warning: delete_image names nowhere, which is no rule: `default` stands in.\n" in told
    assert "Warning: mine is no rule of Glance's, and nothing names it: it has no effect.\n" in told
    assert [line.split()[0] for line in told.splitlines() if "yes" in line] == ["delete_image", "mine"]
    assert do("check", "get_image", "--role", "reader", "--project", "mine")[0] == 0
    assert do("check", "get_image", "--role", "reader", "--project", "mine", "--target", "owner=x")[0] == 1
    public = ("--target", "owner=x", "--target", "visibility=public")
    assert do("check", "get_image", "--role", "reader", "--project", "mine", *public)[0] == 0
    assert do("check", "get_image", "--role", "Reader", "--project", "mine")[0] == 0
    assert do("check", "get_image", "--role", "admin")[0] == 1, "A token without a project is refused."
    assert do("check", "unheard_of")[0] == 2
    assert do("check", "get_image", "--target", "owner")[0] == 2
    assert len(do("check")[1].splitlines()) == len(DEFAULTS) + 2


def test_the_sample_says_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    sample = CliRunner().invoke(main, ["policy", "sample"]).output
    file.write_text(sample)
    assert load(Policy(file=str(file))).rules.texts == DEFAULTS
    file.write_text("\n".join(line[2:] for line in sample.splitlines() if line.startswith('# "')))
    assert load(Policy(file=str(file))).rules.texts == DEFAULTS
    assert sample.count('# "') == len(DEFAULTS)
