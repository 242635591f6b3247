"""What a new worker is given of the files that settings name: what the others have."""

from pathlib import Path

import pytest

from calotype.files import FilesInForce, read
from calotype.settings import Image, Policy, Settings

PROTECTIONS = "[.*]\ncreate = @\nread = team\nupdate = @\ndelete = @\n"
FIRST = "team: 'role:a'"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "protections.conf").write_text(PROTECTIONS)
    found = tmp_path / "policy.yaml"
    found.write_text(FIRST)
    return found


@pytest.fixture
def kept(file: Path) -> FilesInForce:
    image = Image(
        property_protection_file=str(file.with_name("protections.conf")),
        property_protection_rule_format="policies",
    )
    settings = Settings(image=image, policy=Policy(file=str(file)))
    return FilesInForce(settings, read(settings))


def test_what_two_looks_have_found_is_taken(kept: FilesInForce, file: Path) -> None:
    taken = []
    for text in ("team: 'role:b'", "team: 'role:c'", "team: 'role:c'", "team: 'role:c'"):
        file.write_text(text)
        kept.look()
        taken.append(kept.files.policy[file].decode())
    assert taken == [FIRST, FIRST, "team: 'role:c'", "team: 'role:c'"]


@pytest.mark.parametrize("text", [None, "[broken", "team: !!bool x", "other: 'role:a'"])
def test_what_the_workers_would_not_take_is_not_taken(kept: FilesInForce, file: Path, text: str | None) -> None:
    """The last one lacks a rule that a property protection names."""
    before = kept.files
    if text is None:
        file.unlink()
    else:
        file.write_text(text)
    for _ in range(3):
        kept.look()
    assert kept.files == before
    file.write_text("team: '!'")
    kept.look()
    kept.look()
    assert kept.files == before._replace(policy={file: b"team: '!'"})


@pytest.mark.parametrize(("text", "taken"), [("", False), (" \n", False), ("{}", True)])
def test_an_emptied_file_is_not_taken(file: Path, text: str, taken: bool) -> None:
    settings = Settings(policy=Policy(file=str(file)))
    kept = FilesInForce(settings, read(settings))
    file.write_text(text)
    kept.look()
    kept.look()
    assert kept.files.policy[file].decode() == (text if taken else FIRST)
