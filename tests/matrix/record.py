"""Records the matrix from the originals: `python -m tests.matrix.record`, as CONTRIBUTING.md says."""

import os
import sys
from fnmatch import fnmatchcase

from tests.matrix import recorded
from tests.matrix.calls import ALL
from tests.matrix.cloud import Cloud
from tests.matrix.people import PERSONAS, People
from tests.matrix.play import outcomes, play


def main() -> None:
    """Play every call, or those whose names begin with an argument, by every persona, or those whose names fit
    MATRIX_PERSONAS, a shell pattern; keep the outcomes beside those recorded before.
    """
    cloud = Cloud(*(os.environ[f"MATRIX_{api}_URL"] for api in ("IDENTITY", "IMAGE", "COMPUTE")))
    people = People(cloud, os.environ["MATRIX_ADMIN_PASSWORD"])
    prefixes = tuple(sys.argv[1:]) or ("",)
    personas = [each for each in PERSONAS if fnmatchcase(each, os.environ.get("MATRIX_PERSONAS", "*"))]
    try:
        table = play(cloud, people, 4, lambda call: call.name.startswith(prefixes), personas)
    finally:
        people.leave()
    known = recorded.read()
    for call, kinds in outcomes(table).items():
        before = known.get(call, {})
        known[call] = {kind: _in_order(before.get(kind, {}) | row) for kind, row in kinds.items()}
    recorded.write({call.name: known[call.name] for call in ALL if call.name in known})


def _in_order(row: dict[str, str]) -> dict[str, str]:
    return {persona: row[persona] for persona in PERSONAS if persona in row}


if __name__ == "__main__":
    main()
