"""What a persona may not see cannot be told from what does not exist, by no answer about it."""

from collections.abc import Callable, Iterator

import pytest

from tests.matrix import recorded
from tests.matrix.calls import OF_AN_IMAGE
from tests.matrix.conftest import Deployment
from tests.matrix.kinds import ABSENT, MADE, Workshop
from tests.matrix.people import PERSONAS
from tests.matrix.play import Questions, Table, Told

THEIRS = recorded.read()
HIDDEN = [
    (call.name, kind, persona)
    for call in OF_AN_IMAGE
    for kind in MADE
    for persona in PERSONAS
    if recorded.unseen(THEIRS, call.name, kind, persona)
]
"""Who may not see what, by the originals; and each call about it."""
MOST_AGAIN = 20
TIMES_AGAIN = 3


def test_the_personas_hide_and_seek() -> None:
    unseen = {(kind, persona) for call, kind, persona in HIDDEN if call == "show"}
    assert {"private", "withdrawn", "foreign private"} <= {kind for kind, persona in unseen if persona == "stranger"}
    assert not [kind for kind, persona in unseen if persona == "admin"]
    assert {kind for kind, persona in unseen if persona == "roleless"} == {*MADE}


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_the_answers_are_the_same_to_the_byte(played: Callable[[str], Table], database: str) -> None:
    told = {}
    for cell, hidden, absent in _pairs(played(database)):
        if hidden.whole != absent.whole:
            told[cell] = (hidden.whole, absent.whole)
    assert not told


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_the_database_is_asked_as_often(
    played: Callable[[str], Table], deployment: Callable[[str], Deployment], database: str
) -> None:
    """No clock: what takes another time takes other statements first.

    A request may take more by chance, because its token was looked up anew or its transaction run again: those that
    differed are asked again, and differ if the fewest do.
    """
    on = deployment(database)
    pairs = [pair for pair in _pairs(played(database)) if pair[1].request_id]  # a 401 has none: nothing was looked for
    counts = on.statements({told.request_id for _, *both in pairs for told in both})
    differ = [cell for cell, hidden, absent in pairs if counts[hidden.request_id] != counts[absent.request_id]]
    assert len(differ) <= MOST_AGAIN, differ  # more than chance
    again = {cell: _asked_again(on, *cell) for cell in differ}
    counts = on.statements({each for told in again.values() for both in told for each in both})
    fewest = {cell: _fewest(counts, told) for cell, told in again.items()}
    assert not {cell: each for cell, each in fewest.items() if each[0] != each[1]}


def _asked_again(on: Deployment, call: str, kind: str, persona: str) -> list[tuple[str, str]]:
    """The ids of requests about a hidden image, each with one about the image that does not exist."""
    workshop = Workshop(on.cloud, on.people)
    asked = Questions(on.cloud, on.people, workshop)
    question = next(each for each in OF_AN_IMAGE if each.name == call)
    images = (workshop.make(kind), ABSENT)
    found = []
    for _ in range(TIMES_AGAIN):
        hidden, absent = (asked.tell(question, persona, image).request_id for image in images)
        found.append((hidden, absent))
    workshop.clear()
    return found


def _fewest(counts: dict[str, int], told: list[tuple[str, str]]) -> tuple[int, int]:
    return min(counts[hidden] for hidden, _ in told), min(counts[absent] for _, absent in told)


def _pairs(table: Table) -> Iterator[tuple[tuple[str, str, str], Told, Told]]:
    """What was told of each hidden image, and of the one that does not exist."""
    for call, kind, persona in HIDDEN:
        yield (call, kind, persona), table[call][kind][persona], table[call]["absent"][persona]
