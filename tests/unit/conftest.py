"""Fixtures of the unit tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.compute import Service, service


@pytest.fixture
def compute(tmp_path: Path) -> Iterator[Service]:
    """The Compute API over an empty catalogue."""
    with service(tmp_path) as made:
        yield made
