"""Every call by every persona about every kind of image is answered as the originals answer it: `recorded.json`.

What `differences.py` does not explain is a fault.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.matrix import recorded
from tests.matrix.calls import ALL
from tests.matrix.differences import DIFFERENCES, UNSEEN, Difference, expected
from tests.matrix.play import Table

COMPATIBILITY = Path(__file__).parents[2] / "docs" / "compatibility.md"
THEIRS = recorded.read()
CELLS = [(call, kind, persona) for call, rows in THEIRS.items() for kind, row in rows.items() for persona in row]


def wanted(call: str, kind: str, persona: str) -> tuple[str, Difference | None]:
    """What Calotype has to say; and why, if it is not what the originals say."""
    told = "absent" if recorded.unseen(THEIRS, call, kind, persona) else kind
    return expected(call, kind, persona, THEIRS[call][told][persona])


@pytest.mark.parametrize("call", [each.name for each in ALL])
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_every_persona_gets_the_answer_of_the_originals(
    played: Callable[[str], Table], database: str, call: str
) -> None:
    wrong: dict[str, list[str]] = {}
    for kind, row in played(database)[call].items():
        for persona, told in row.items():
            right, _ = wanted(call, kind, persona)
            if told.outcome != right:
                wrong.setdefault(f"{told.outcome!r} instead of {right!r}", []).append(f"{persona}: {kind}")
    assert not wrong


def test_the_recording_is_of_the_calls_that_are_played() -> None:
    assert list(THEIRS) == [each.name for each in ALL]


def test_every_difference_is_there_and_documented() -> None:
    assert set(DIFFERENCES) == {difference for cell in CELLS if (difference := wanted(*cell)[1]) is not None}
    lines = COMPATIBILITY.read_text().splitlines()
    for name in (UNSEEN, *(each.line for each in DIFFERENCES)):
        assert any(line.startswith(f"| {name}") for line in lines), name


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_no_call_is_a_failure_of_the_service(played: Callable[[str], Table], database: str) -> None:
    table = played(database)
    assert not [cell for cell in CELLS if table[cell[0]][cell[1]][cell[2]].outcome.startswith("5")]
