"""What is true of all URLs and all addresses."""

import asyncio
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calotype.settings import Uris
from calotype.stores.uris import Uri, UriFilter, UriRefused, parse

CHARACTERS = "abzABZ019-._~:/?#[]@!$&'()*+,;=%\\ \t\n\x00\u3002\uff0e\u2460\u00e4\u00df\u200d\u0130\ud800\U0001f600"
NUMBERS = ["127", "0x7f", "::1", ":80"]
WORDS = ["http", "https", "://", "//", "localhost", "example", "xn--", "[::", "]", "%2e", "@"]
PIECES = st.sampled_from([*CHARACTERS, *NUMBERS, *WORDS])
URLS = st.one_of(
    st.text(max_size=60),
    st.lists(PIECES, max_size=20).map("".join),
    st.lists(PIECES, max_size=12).map(lambda pieces: "http://" + "".join(pieces)),
)


@pytest.fixture(scope="module")
def uris() -> Iterator[UriFilter]:
    found = UriFilter(Uris(allowed_ports=()), lambda host: ["151.101.2.132"])
    yield found
    asyncio.run(found.close())


@given(url=URLS)
def test_any_text_passes_or_is_refused(uris: UriFilter, url: str) -> None:
    try:
        place = asyncio.run(uris.place(url))
    except UriRefused:
        return
    assert place.addresses
    assert parse(str(place.uri)).origin == place.uri.origin
    assert parse(str(place.uri)).target == place.uri.target


@given(url=URLS)
def test_other_parsers_find_the_same_host_in_what_passed(url: str) -> None:
    try:
        uri = parse(url)
    except UriRefused:
        return
    assert seen_by_others(uri) == {uri.origin}


def seen_by_others(uri: Uri) -> set[tuple[str, str, int]]:
    ports = {"http": 80, "https": 443}
    one, two = urlsplit(str(uri)), httpx.URL(str(uri))
    return {
        (one.scheme, one.hostname or "", one.port or ports[one.scheme]),
        (two.scheme, two.raw_host.decode().strip("[]"), two.port or ports[two.scheme]),
    }


def passes(url: str, **settings: object) -> bool:
    uris = UriFilter(Uris(**settings))  # type: ignore[arg-type]
    try:
        asyncio.run(uris.check(url))
    except UriRefused:
        return False
    return True


# Not for everybody, though Pythons before those of 2024, or all, call them global.
ALSO = [IPv4Network("192.0.0.0/24"), IPv4Network("192.88.99.0/24"), IPv4Network("168.63.129.16/32")]
ALSO_6 = list(map(IPv6Network, ("2001::/23", "2002::/16", "3fff::/20", "64:ff9b:1::/48", "5f00::/16", "fec0::/10")))


def is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        usual = address.is_global and not address.is_multicast and not address.is_reserved
        return usual and not any(address in network for network in ALSO)
    if address.ipv4_mapped or address in IPv6Network("64:ff9b::/96"):
        return is_public(IPv4Address(address.packed[-4:]))
    usual = address.is_global and not address.is_multicast and not address.is_reserved
    return usual and not any(address in network for network in ALSO_6)


@given(address=st.ip_addresses(), port=st.sampled_from(["", ":80", ":443", ":22"]))
def test_an_address_passes_exactly_if_it_is_public(address: IPv4Address | IPv6Address, port: str) -> None:
    host = f"[{address}]" if isinstance(address, IPv6Address) else str(address)
    passed = passes(f"http://{host}{port}/")
    assert passed == (is_public(address) and port != ":22")


@given(hidden=st.ip_addresses(v=4), seed=st.integers(0, 2**32 - 1))
def test_an_address_inside_another_is_judged_too(hidden: IPv4Address, seed: int) -> None:
    inner, flipped = int(hidden), int(hidden) ^ 0xFFFFFFFF
    forms = [
        (0xFFFF << 32) | inner,  # mapped
        inner,  # compatible
        (0x64FF9B << 96) | inner,  # NAT64
        (0x2002 << 112) | (inner << 80) | seed,  # 6to4
        (0x20010000 << 96) | (inner << 64) | seed,  # the server of Teredo
        (0x20010000 << 96) | (seed << 64) | flipped,  # the client of Teredo
    ]
    for form in forms:
        # Even where the carrying network is allowed, what it carries must be.
        if not is_public(hidden):
            assert not passes(f"http://[{IPv6Address(form)}]/", allowed_networks=("::/2",)), IPv6Address(form)
