"""The passes of tempest, each run once when first asked for."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.servers import Servers
from tests.support.system import tempest_python
from tests.tempest import disks, site, sources
from tests.tempest.configuration import configuration, merged
from tests.tempest.passes import PASSES
from tests.tempest.run import Results, Tempest

Told = tuple[Results, list[str]]
"""What came of a pass, and the faults in the servers' logs."""


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Disk images, good and bad."""
    return disks.make(tmp_path_factory.mktemp("disks"))


@pytest.fixture(scope="module")
def source(manifest: Path) -> Iterator[str]:
    """The URL where they can be downloaded."""
    with sources.served(manifest.parent) as url:
        yield url


@pytest.fixture(scope="module")
def told(
    servers: Servers, manifest: Path, source: str, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, str], Told]:
    """What came of a pass, by the kind of database and its name."""
    python, done = tempest_python(), dict[tuple[str, str], Told]()
    files = {
        "http_image": f"{source}/disk.raw",
        "http_qcow2_image": f"{source}/disk.qcow2",
        "images_manifest_file": manifest,
    }

    def of(database: str, name: str) -> Told:
        if (database, name) not in done:
            each, home = PASSES[name], tmp_path_factory.mktemp(f"{database}-{name}")
            with site.served(servers, database, each, home) as nodes:
                known = configuration(nodes[0], home, site.public_image(nodes[0]))
                results = Tempest(python, home).run(each, merged(known, {"image": files}, each.options))
                done[database, name] = results, site.faults(nodes)
        return done[database, name]

    return of
