"""What a persona may not see cannot be told from what does not exist, by no answer about it."""

from collections.abc import Callable, Iterator

import pytest

from tests.matrix import recorded
from tests.matrix.calls import OF_AN_IMAGE
from tests.matrix.conftest import Deployment
from tests.matrix.kinds import MADE
from tests.matrix.people import PERSONAS
from tests.matrix.play import Table, Told

THEIRS = recorded.read()
HIDDEN = [
    (call.name, kind, persona)
    for call in OF_AN_IMAGE
    for kind in MADE
    for persona in PERSONAS
    if recorded.unseen(THEIRS, call.name, kind, persona)
]
"""Who may not see what, by the originals; and each call about it."""


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
    """No clock: what takes another time takes other statements first."""
    pairs = list(_pairs(played(database)))
    counts = deployment(database).statements()
    told = {}
    for cell, hidden, absent in pairs:
        one, other = counts[hidden.request_id], counts[absent.request_id]
        if one != other:
            told[cell] = (one, other)
    assert not told


def _pairs(table: Table) -> Iterator[tuple[tuple[str, str, str], Told, Told]]:
    """What was told of each hidden image, and of the one that does not exist."""
    for call, kind, persona in HIDDEN:
        if call in table:
            yield (call, kind, persona), table[call][kind][persona], table[call]["absent"][persona]
