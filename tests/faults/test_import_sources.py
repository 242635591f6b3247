"""Web servers that are slow, broken or hostile, as sources of imports; each import ends, with the data or a reason."""

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.support.attacked import Site, eventually
from tests.support.origin import CAP, DATA, Origin
from tests.support.outcome import SECONDS, Outcome, begin, ended, is_active, is_queued
from tests.support.system import free_port

CONFIGURATION = f"""
[uris]
allowed_networks = ["127.0.0.0/8"]
allowed_ports = []
connect_seconds = 2
read_seconds = 2
[image]
size_cap = {CAP}
[jobs]
concurrency = 64
lease_seconds = 5
"""
BROKEN_OFF = "The remote server broke its answer off, or broke HTTP's rules."
LATE = "The remote server did not answer in time."
REFUSED = "The URI does not pass filtering."
TOO_LARGE = "The incoming image is too large: The provided image is too large."
WELL = {
    "good": DATA,
    "chunked": DATA,
    "until-close": DATA,
    "in-pauses": DATA,
    "moved-to-good": DATA,
    "longer": DATA[:-1000],  # what comes after the announced end is not part of the answer
    "empty": b"",
}
ILL = {
    "stalls": LATE,
    "says-nothing": LATE,
    "head-trickles": LATE,
    "resets": BROKEN_OFF,
    "shorter": BROKEN_OFF,
    "chunks-break-off": BROKEN_OFF,
    "bad-chunks": BROKEN_OFF,
    "endless": TOO_LARGE,
    "endless-until-close": TOO_LARGE,
    "too-long": TOO_LARGE,
    "endless-interim": LATE,
    "endless-head": BROKEN_OFF,
    "closes": BROKEN_OFF,
    "garbage": BROKEN_OFF,
    "not-found": "The remote server answered with status 404.",
    "broken": "The remote server answered with status 500.",
    "no-content": "The remote server answered with status 204.",
    "part": "The remote server answered with status 206.",
    "packed": "The remote server sent encoded data although it was asked not to.",
    "two-lengths": BROKEN_OFF,
    "negative-length": BROKEN_OFF,
    "both-lengths": BROKEN_OFF,
    "moved-in": REFUSED,
    "moved-to-metadata": REFUSED,
    "moved-to-a-file": REFUSED,
    "moved-for-ever": "The remote server redirects too often.",
    "moved-nowhere": "The remote server redirects to nowhere.",
}


def kept(site: Site) -> list[str]:
    """The images of all files; unfinished data counts as well, under another name."""
    return sorted(name.partition(".")[0] for name in site.files())


class Played(NamedTuple):
    """A service whose images were imported from each behaviour."""

    site: Site
    first: dict[str, Outcome]
    images: dict[str, str]
    origin: Origin


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def played(request: pytest.FixtureRequest, servers: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """All imports at once, since most of them wait."""
    file = tmp_path_factory.mktemp("sources") / "calotype.toml"
    file.write_text(CONFIGURATION)
    server = servers.unstarted(request.param, configuration=file)
    server.start()
    try:
        site, origin = Site(server), Origin()
        images = {name: site.image() for name in (*ILL, *WELL)}
        begun = time.monotonic()
        for name, image in images.items():
            begin(site, image, origin.url(name))
        first = {name: ended(site, image, begun) for name, image in images.items()}
        yield Played(site, first, images, origin)
    finally:
        server.kill()


@pytest.mark.parametrize("behaviour", WELL)
def test_what_a_good_server_sends_is_imported(played: Played, behaviour: str) -> None:
    is_active(played.first[behaviour], WELL[behaviour])
    assert played.site.data(played.images[behaviour]) == WELL[behaviour]


@pytest.mark.parametrize("behaviour", ILL)
def test_what_a_bad_server_does_is_told(played: Played, behaviour: str) -> None:
    outcome = played.first[behaviour]
    is_queued(outcome, ILL[behaviour])
    assert played.origin.url("") not in outcome.task["message"]
    assert outcome.seconds < SECONDS


def test_afterwards_each_image_can_be_imported(played: Played) -> None:
    site, origin = played.site, played.origin
    assert eventually(lambda: kept(site) == sorted(played.images[name] for name in WELL), 5)
    begun = time.monotonic()
    again = [played.images[name] for name in ILL]
    for image in again:
        begin(site, image, origin.url("chunked"))
    for image in again:
        is_active(ended(site, image, begun), DATA)
    assert eventually(lambda: kept(site) == sorted(played.images.values()), 5)
    assert "Traceback" not in site.server.log


def test_a_server_that_is_gone(played: Played) -> None:
    image = played.site.image()
    begin(played.site, image, f"http://127.0.0.1:{free_port()}/good")
    is_queued(ended(played.site, image, time.monotonic()), "The remote server cannot be connected to.")
