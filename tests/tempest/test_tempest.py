"""OpenStack's own integration tests of images, unmodified: `make tempest`."""

from collections.abc import Callable

import pytest

from tests.tempest.passes import PASSES
from tests.tempest.run import Outcome, Results
from tests.tempest.skips import differences

DATABASES = ("sqlite", "postgresql")
LINES = 25

Told = tuple[Results, list[str]]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", PASSES)
@pytest.mark.parametrize("database", DATABASES)
def test_nothing_fails(database: str, name: str, told: Callable[[str, str], Told]) -> None:
    results, faults = told(database, name)
    if results.failed or faults:
        pytest.fail("\n\n".join([results.summary, *map(_shown, results.failed), *faults]), pytrace=False)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("database", DATABASES)
def test_what_runs_in_no_pass_is_written_down(database: str, told: Callable[[str, str], Told]) -> None:
    every = [told(database, name)[0] for name in PASSES]
    listed = frozenset().union(*(results.listed for results in every))
    passed = frozenset().union(*(results.passed for results in every))
    if found := differences(listed, passed):
        pytest.fail("\n".join(found), pytrace=False)


def _shown(outcome: Outcome) -> str:
    """Name, the end of the traceback, and the end of what tempest noted of its requests."""
    where = f"{outcome.fixture} of {outcome.id}" if outcome.fixture else outcome.id
    texts = [text for name, text in sorted(outcome.details.items()) if text.strip()]
    return "\n".join([f"{outcome.status.upper()} {where}", *("\n".join(text.splitlines()[-LINES:]) for text in texts)])
