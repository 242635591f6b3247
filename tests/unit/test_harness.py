"""The harness itself: what is missing is told, and never passes silently when it must not."""

from pathlib import Path

import pytest

from tests.support.system import NO_SKIP, require


def test_a_missing_part_skips_with_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(NO_SKIP, raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"^This test needs a thing \(Debian package thing\)\.$"):
        require("a thing (Debian package thing)", tmp_path / "absent")


@pytest.mark.parametrize("path", [None, Path("/nowhere/at/all")])
def test_a_missing_part_fails_where_nothing_may_be_skipped(monkeypatch: pytest.MonkeyPatch, path: Path | None) -> None:
    monkeypatch.setenv(NO_SKIP, "1")
    with pytest.raises(pytest.fail.Exception, match=r"^This test needs a thing\.$"):
        require("a thing", path)


def test_a_present_part_is_answered(tmp_path: Path) -> None:
    assert require("a directory", tmp_path) == tmp_path
