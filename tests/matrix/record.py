"""Records the matrix from the originals: `python -m tests.matrix.record`, as CONTRIBUTING.md says."""

import os
import sys

from tests.matrix import recorded
from tests.matrix.calls import ALL
from tests.matrix.cloud import Cloud
from tests.matrix.people import People
from tests.matrix.play import outcomes, play


def main() -> None:
    """Play every call, or those whose names begin with an argument; keep the outcomes beside those recorded before."""
    cloud = Cloud(*(os.environ[f"MATRIX_{api}_URL"] for api in ("IDENTITY", "IMAGE", "COMPUTE")))
    people = People(cloud, os.environ["MATRIX_ADMIN_PASSWORD"])
    prefixes = tuple(sys.argv[1:]) or ("",)
    try:
        table = play(cloud, people, threads=4, wanted=lambda call: call.name.startswith(prefixes))
    finally:
        people.leave()
    known = recorded.read() | outcomes(table)
    recorded.write({call.name: known[call.name] for call in ALL if call.name in known})


if __name__ == "__main__":
    main()
