"""The list of what does not run may neither lack a line nor keep one too many."""

from pathlib import Path

import pytest

from tests.tempest import skips


@pytest.fixture(autouse=True)
def _file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "skips.txt"
    file.write_text("# of these\n\nmodule.Class: all boot\nmodule.Other.test_a: boots\n")
    monkeypatch.setattr(skips, "FILE", file)


IDLE = ["module.Class.test_a", "module.Class.test_b", "module.Other.test_a(x)"]


def test_a_true_list_has_no_differences() -> None:
    assert skips.differences([*IDLE, "module.Other.test_b"], ["module.Other.test_b"]) == []


def test_a_test_that_no_longer_runs_is_told() -> None:
    found = skips.differences([*IDLE, "module.Other.test_ab"], [])
    assert found == ["module.Other.test_ab ran in no pass and is not in skips.txt"]


def test_a_test_that_runs_again_is_told() -> None:
    assert skips.differences(IDLE, ["module.Class.test_b"]) == ["module.Class.test_b ran and is in skips.txt"]


def test_a_line_for_no_test_is_told() -> None:
    assert skips.differences(IDLE[:2], []) == ["module.Other.test_a is in skips.txt and is no test"]
