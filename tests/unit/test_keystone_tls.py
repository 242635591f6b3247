"""A Keystone behind TLS: whom the service trusts, what it shows of itself, and files that go (docs/operations.md)."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from calotype.access.keystone.client import KeystoneClient
from calotype.access.keystone.errors import Unreachable
from calotype.access.keystone.limits import Source
from calotype.settings import Keystone
from tests.support.certified import Certified
from tests.support.played_keystone import PlayedKeystone, token


@pytest.fixture
def certified(tmp_path: Path) -> Certified:
    return Certified(tmp_path)


@pytest.fixture
def keystone(certified: Certified) -> Iterator[PlayedKeystone]:
    played = PlayedKeystone(certified.context)
    played.tokens["good"] = token()
    yield played
    played.go()


def settings(keystone: PlayedKeystone, certified: Certified, **files: str) -> Keystone:
    """Those of the service; a file is named by what it is of the server's."""
    named = {name: str(getattr(certified, what)) for name, what in files.items()}
    return msgspec.structs.replace(keystone.settings, **named)


def test_only_who_is_trusted_learns_a_token(keystone: PlayedKeystone, certified: Certified) -> None:
    with pytest.raises(Unreachable, match="certificate verify failed"):
        KeystoneClient(keystone.settings).validate("good")
    assert keystone.asked == []
    assert KeystoneClient(settings(keystone, certified, certificates="certificate")).validate("good")
    assert KeystoneClient(msgspec.structs.replace(keystone.settings, insecure=True)).validate("good")


def test_the_service_shows_its_certificate_to_a_keystone_that_asks_for_it(
    keystone: PlayedKeystone, certified: Certified
) -> None:
    certified.context.verify_mode = ssl.CERT_REQUIRED
    certified.context.load_verify_locations(certified.certificate)
    with pytest.raises(Unreachable):
        KeystoneClient(settings(keystone, certified, certificates="certificate")).validate("good")
    for shown in ({"client_certificate": "file"}, {"client_certificate": "certificate", "client_key": "key"}):
        known = settings(keystone, certified, certificates="certificate", **shown)
        assert KeystoneClient(known).validate("good")


@pytest.mark.parametrize("file", ["certificates", "client_certificate", "client_key"])
def test_a_file_that_goes_is_as_if_keystone_were_away(
    keystone: PlayedKeystone, certified: Certified, file: str
) -> None:
    files = {"certificates": "file", "client_certificate": "certificate", "client_key": "key"}
    wanted = settings(keystone, certified, **files)
    client = KeystoneClient(wanted)
    assert client.validate("good")
    path = Path(getattr(wanted, file))
    gone = path.rename(path.with_name("gone"))
    for question in (lambda: client.validate("new"), KeystoneClient(wanted).check, Source(wanted).check):
        with pytest.raises(Unreachable, match="Keystone cannot be asked"):
            question()
    gone.rename(path)
    assert client.validate("good")
