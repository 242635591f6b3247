"""Which URLs of users are read: tables of verdicts."""

import asyncio
import socket
import time

import pytest

from calotype.images.errors import Invalid
from calotype.settings import Uris
from calotype.stores.uris import MAX_LENGTH, UriFilter, UriRefused, parse, system_addresses

NAMES = {
    "mirror.example": ["151.101.2.132", "2a04:4e42::644"],
    "xn--bcher-kva.example": ["151.101.2.132"],
    "a_b.example": ["151.101.2.132"],
    "mirror": ["151.101.2.132"],
    "0x7f.example": ["151.101.2.132"],
    "localhost": ["::1", "127.0.0.1"],
    "internal.example": ["10.1.2.3"],
    "metadata.example": ["169.254.169.254"],
    "both.example": ["151.101.2.132", "192.168.0.1"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "zone.example": ["fe80::1%2"],
    "nat64.example": ["64:ff9b::9765:284"],
    "nothing.example": [],
}


def resolve(host: str) -> list[str]:
    try:
        return NAMES[host]
    except KeyError:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from None


def reason(url: str, **settings: object) -> str:
    """Why a URL is refused, empty if it is not."""
    uris = UriFilter(Uris(**settings), resolve)  # type: ignore[arg-type]

    async def ask() -> None:
        await uris.check(url)
        await uris.close()

    try:
        asyncio.run(ask())
    except UriRefused as refused:
        return refused.reason
    return ""


SPACE = "has a space, a control character or a backslash"
NOT_HOST = "has a host that is neither a name nor an address in standard form"
NOT_UNDERSTOOD = "has a host that cannot be understood"
NO_HOST = "has no host, or one that cannot be understood"
USER = "has a user name or password"
NOT_URL = "is not an absolute URL"


def private(host: str, address: str | None = None) -> str:
    return f"host {host} has the address {address or host}, which is not public"


@pytest.mark.parametrize(
    ("url", "verdict"),
    [
        # plainly good
        ("http://mirror.example/alpine.qcow2", ""),
        ("https://mirror.example/", ""),
        ("https://mirror.example", ""),
        ("https://mirror.example?x=1", ""),
        ("https://mirror.example#part", ""),
        ("HTTPS://Mirror.EXAMPLE/a", ""),
        ("https://mirror.example./a", ""),
        ("https://mirror.example:443/a", ""),
        ("https://mirror.example:80/a", ""),
        ("https://mirror.example:00443/a", ""),
        ("https://mirror.example:/a", ""),
        ("https://mirror.example/a@b:c\u00e4%20?d=http://x/#e", ""),
        ("https://mirror/a", ""),
        ("https://a_b.example/", ""),
        ("https://0x7f.example/", ""),
        ("https://b\u00fccher.example/", ""),
        ("https://xn--bcher-kva.example/", ""),
        ("https://mirror\u3002example/", ""),  # an ideographic full stop is one
        ("https://\uff4dirror.example/", ""),  # a full-width letter is one
        ("http://151.101.2.132/", ""),
        ("http://[2a04:4e42::644]/", ""),
        ("http://[2A04:4E42:0:0::0644]:80/", ""),
        ("http://[::ffff:151.101.2.132]/", ""),
        ("http://nat64.example/", ""),
        ("http://[64:ff9b::151.101.2.132]/", ""),
        # not a URL that can be read
        ("", NOT_URL),
        ("mirror.example/a", NOT_URL),
        ("//mirror.example/a", NOT_URL),
        ("http:mirror.example", NOT_URL),
        ("http:/mirror.example", NOT_URL),
        ("http:///a", NO_HOST),
        ("http://", NO_HOST),
        ("http://:80/", NO_HOST),
        ("http://?a", NO_HOST),
        ("http://#a", NO_HOST),
        ("http://./", NOT_HOST),
        ("http://../", NOT_HOST),
        ("http://mirror..example/", NOT_HOST),
        ("http://mirror.example../", NOT_HOST),
        ("http://-mirror.example/", NOT_HOST),
        ("http://" + "a" * 64 + ".example/", NOT_HOST),
        ("http://" + "a." * 130 + "example/", NOT_HOST),
        ("http://mirror.example/" + "a" * MAX_LENGTH, f"longer than {MAX_LENGTH} characters"),
        ("http://mirror.example/\ud800", "is not text"),
        # schemes
        ("file:///etc/passwd", "scheme file cannot be read"),
        ("FILE://mirror.example/etc/passwd", "scheme file cannot be read"),
        ("filesystem://mirror.example/a", "scheme filesystem cannot be read"),
        ("swift+config://x/y/z", "scheme swift+config cannot be read"),
        ("ftp://mirror.example/a", "scheme ftp cannot be read"),
        ("gopher://mirror.example/a", "scheme gopher cannot be read"),
        ("javascript:alert(1)", NOT_URL),
        # what parsers understand differently
        (" http://mirror.example/", SPACE),
        ("http://mirror.example/a b", SPACE),
        ("http://mirror.example/\n", SPACE),
        ("ht\ntp://mirror.example/", SPACE),
        ("http://mirror.exa\tmple/", SPACE),
        ("http://mirror.example/\r\nX-Header: 1", SPACE),
        ("http://mirror.example/\x00", SPACE),
        ("http://mirror.example\\@localhost/", SPACE),
        ("http:\\\\localhost/", SPACE),
        ("http://mirror.example/\x85", SPACE),
        ("http://a@mirror.example/", USER),
        ("http://a:b@mirror.example/", USER),
        ("http://mirror.example@localhost/", USER),
        ("http://mirror.example:80@localhost/", USER),
        ("http://@mirror.example/", USER),
        ("http://mirror.example#@localhost/", ""),  # the fragment is nobody's host
        ("http://mirror.example%2elocalhost/", NOT_UNDERSTOOD),
        ("http://%6cocalhost/", NOT_UNDERSTOOD),
        ("http://127%2e0.0.1/", NOT_UNDERSTOOD),
        ("http://mirror.example,localhost/", NOT_HOST),
        ("http://mirror.example;localhost/", NOT_HOST),
        ("http://[mirror.example]/", NO_HOST),
        ("http://[::1/", NO_HOST),
        ("http://::1/", NO_HOST),
        ("http://[::1]x/", NO_HOST),
        ("http://[fe80::1%25eth0]/", NO_HOST),
        ("http://[]/", NO_HOST),
        ("http://[:]/", NOT_HOST),
        ("http://[v1.x]/", NO_HOST),
        ("http://[1.2.3.4]/", NOT_HOST),
        # ports
        ("http://mirror.example:0/", "port 0 does not exist"),
        ("http://mirror.example:65536/", "port 65536 does not exist"),
        ("http://mirror.example:22/", "port 22 is not allowed"),
        ("http://mirror.example:65535/", "port 65535 is not allowed"),
        ("http://mirror.example:-80/", NO_HOST),
        ("http://mirror.example:+80/", NO_HOST),
        ("http://mirror.example:80:80/", NO_HOST),
        ("http://mirror.example:http/", NO_HOST),
        ("http://mirror.example:\u0668\u0660/", NO_HOST),
        ("http://mirror.example:000080/", NO_HOST),
        # numbers that some take for addresses
        ("http://2130706433/", NOT_HOST),
        ("http://127.1/", NOT_HOST),
        ("http://127.0.1/", NOT_HOST),
        ("http://0/", NOT_HOST),
        ("http://0x7f000001/", NOT_HOST),
        ("http://0x7f.1/", NOT_HOST),
        ("http://127.0.0.0x1/", NOT_HOST),
        ("http://127.0.0x/", NOT_HOST),
        ("http://0177.0.0.1/", NOT_HOST),
        ("http://127.0.0.01/", NOT_HOST),
        ("http://017700000001/", NOT_HOST),
        ("http://1.2.3.4.5/", NOT_HOST),
        ("http://256.1.1.1/", NOT_HOST),
        ("http://151.101.2.132./", NOT_HOST),
        ("http://mirror.example.1/", NOT_HOST),
        ("http://[::127.0.0.256]/", NOT_HOST),
        # addresses that are not public, plain and in disguise
        ("http://127.0.0.1/", private("127.0.0.1")),
        ("http://127.255.255.254:80/", private("127.255.255.254")),
        ("http://\u2460\u2461\u2466.\u24ea.\u24ea.\u2460/", private("127.0.0.1")),  # circled digits
        ("http://\uff11\uff12\uff17.\uff10.\uff10.\uff11/", private("127.0.0.1")),  # full-width digits
        ("http://127\u30020\u30020\u30021/", private("127.0.0.1")),
        ("http://0.0.0.0/", private("0.0.0.0")),
        ("http://10.0.0.1/", private("10.0.0.1")),
        ("http://172.31.255.255/", private("172.31.255.255")),
        ("http://192.168.1.1/", private("192.168.1.1")),
        ("http://100.64.0.1/", private("100.64.0.1")),
        ("http://100.100.100.200/latest/meta-data/", private("100.100.100.200")),
        ("http://169.254.169.254/latest/meta-data/", private("169.254.169.254")),
        ("http://168.63.129.16/", private("168.63.129.16")),
        ("http://192.0.0.192/", private("192.0.0.192")),
        ("http://192.88.99.1/", private("192.88.99.1")),
        ("http://198.18.0.1/", private("198.18.0.1")),
        ("http://224.0.0.1/", private("224.0.0.1")),
        ("http://240.0.0.1/", private("240.0.0.1")),
        ("http://255.255.255.255/", private("255.255.255.255")),
        ("http://[::]/", private("::")),
        ("http://[::1]/", private("::1")),
        ("http://[0:0:0:0:0:0:0:1]/", private("::1")),
        ("http://[fd00:ec2::254]/", private("fd00:ec2::254")),
        ("http://[fe80::1]/", private("fe80::1")),
        ("http://[fec0::1]/", private("fec0::1")),
        ("http://[ff0e::1]/", private("ff0e::1")),
        ("http://[2001:db8::1]/", private("2001:db8::1")),
        ("http://[4000::1]/", private("4000::1")),
        ("http://[::ffff:127.0.0.1]/", private("127.0.0.1")),
        ("http://[::ffff:7f00:1]/", private("127.0.0.1")),
        ("http://[::ffff:169.254.169.254]/", private("169.254.169.254")),
        ("http://[::127.0.0.1]/", private("::7f00:1")),
        ("http://[64:ff9b::127.0.0.1]/", private("64:ff9b::7f00:1")),
        ("http://[64:ff9b::10.0.0.1]/", private("64:ff9b::a00:1")),
        ("http://[64:ff9b:1::151.101.2.132]/", private("64:ff9b:1::9765:284")),
        ("http://[2002:7f00:1::]/", private("2002:7f00:1::")),
        ("http://[2002:9765:284::1]/", private("2002:9765:284::1")),
        ("http://[2001:0:9765:284::80ff:fffe]/", private("2001:0:9765:284::80ff:fffe")),
        # names that lead there
        ("http://localhost/", private("localhost", "::1")),
        ("http://LOCALHOST./", private("localhost", "::1")),
        ("http://\uff4c\uff4f\uff43\uff41\uff4c\uff48\uff4f\uff53\uff54/", private("localhost", "::1")),
        ("http://internal.example/", private("internal.example", "10.1.2.3")),
        ("http://metadata.example/", private("metadata.example", "169.254.169.254")),
        ("http://both.example/", private("both.example", "192.168.0.1")),
        ("http://mapped.example/", private("mapped.example", "::ffff:127.0.0.1")),
        ("http://zone.example/", private("zone.example", "fe80::1%2")),
        ("http://unknown.example/", "host unknown.example was not found: [Errno -2] Name or service not known"),
        ("http://nothing.example/", "host nothing.example has no address"),
    ],
)
def test_verdicts(url: str, verdict: str) -> None:
    assert reason(url) == verdict


ANY_PORT: dict[str, object] = {"allowed_ports": ()}


@pytest.mark.parametrize(
    ("url", "settings", "verdict"),
    [
        ("http://mirror.example/", {"allowed_schemes": ("https",)}, "scheme http is not allowed"),
        (
            "http://mirror.example/",
            {"allowed_schemes": (), "disallowed_schemes": ("http",)},
            "scheme http is not allowed",
        ),
        ("http://mirror.example/", {"disallowed_schemes": ("http",)}, ""),
        ("file://mirror.example/", {"allowed_schemes": ()}, "scheme file cannot be read"),
        ("http://mirror.example/", {"allowed_hosts": ("other.example",)}, "host mirror.example is not allowed"),
        ("http://mirror.example/", {"allowed_hosts": ("MIRROR.example",)}, ""),
        ("http://mirror.example/", {"allowed_hosts": ("151.101.2.132",)}, "host mirror.example is not allowed"),
        ("http://mirror.example/", {"disallowed_hosts": ("mirror.example",)}, "host mirror.example is not allowed"),
        ("http://MIRROR.example./", {"disallowed_hosts": ("mirror.example",)}, "host mirror.example is not allowed"),
        (
            "http://mirror.example/",
            {"disallowed_hosts": ("151.101.2.132",)},
            "host mirror.example has the address 151.101.2.132, which is not allowed",
        ),
        (
            "http://nat64.example/",
            {"disallowed_hosts": ("151.101.2.132",)},
            "host nat64.example has the address 64:ff9b::9765:284, which is not allowed",
        ),
        (
            "http://[::ffff:151.101.2.132]/",
            {"disallowed_hosts": ("151.101.2.132",)},
            "host 151.101.2.132 is not allowed",
        ),
        (
            "http://mirror.example/",
            {"allowed_hosts": ("mirror.example",), "disallowed_hosts": ("mirror.example", "151.101.2.132")},
            "",
        ),
        ("http://mirror.example:8080/", {"allowed_ports": (8080,)}, ""),
        ("http://mirror.example/", {"allowed_ports": (8080,)}, ""),  # a port that is not written is not judged
        ("http://mirror.example:80/", {"allowed_ports": (8080,)}, "port 80 is not allowed"),
        ("http://mirror.example:22/", {**ANY_PORT, "disallowed_ports": (22,)}, "port 22 is not allowed"),
        ("http://mirror.example:23/", {**ANY_PORT, "disallowed_ports": (22,)}, ""),
        ("http://mirror.example:443/", {"disallowed_ports": (443,)}, ""),
        # in order: scheme, host, port
        (
            "http://a.example:22/",
            {"allowed_schemes": ("https",), "allowed_hosts": ("b.example",)},
            "scheme http is not allowed",
        ),
        ("http://a.example:22/", {"allowed_hosts": ("b.example",)}, "host a.example is not allowed"),
        # private after all
        ("http://localhost/", {"allowed_hosts": ("localhost",)}, ""),
        ("http://127.0.0.1/", {"allowed_hosts": ("localhost",)}, "host 127.0.0.1 is not allowed"),
        ("http://[::ffff:127.0.0.1]/", {"allowed_hosts": ("127.0.0.1",)}, ""),
        ("http://[0::1]/", {"allowed_hosts": ("0:0::1",)}, ""),
        ("http://unknown.example/", {"allowed_hosts": ("unknown.example",)}, "host unknown.example was not found: "),
        ("http://internal.example/", {"allowed_networks": ("10.1.2.0/24",)}, ""),
        ("http://10.1.3.3/", {"allowed_networks": ("10.1.2.0/24",)}, private("10.1.3.3")),
        ("http://[64:ff9b::10.1.2.3]/", {"allowed_networks": ("10.1.2.0/24",)}, ""),
        ("http://mapped.example/", {"allowed_networks": ("127.0.0.0/8",)}, ""),
        ("http://both.example/", {"allowed_networks": ("10.1.2.0/24",)}, private("both.example", "192.168.0.1")),
        ("http://localhost/", {"allowed_networks": ("127.0.0.0/8",)}, private("localhost", "::1")),
        ("http://[2002:a01:203::1]/", {"allowed_networks": ("2002::/16",)}, private("2002:a01:203::1")),
        ("http://[2002:a01:203::1]/", {"allowed_networks": ("2002::/16", "10.0.0.0/8")}, ""),
        (
            "http://internal.example/",
            {"allowed_networks": ("10.0.0.0/8",), "disallowed_hosts": ("10.1.2.3",)},
            "host int",
        ),
    ],
)
def test_verdicts_of_other_rules(url: str, settings: dict[str, object], verdict: str) -> None:
    found = reason(url, **settings)
    assert found.startswith(verdict)
    assert bool(found) == bool(verdict)


def test_a_refusal_tells_the_user_nothing_of_the_network() -> None:
    texts = set()
    for url in ("http://internal.example/", "http://unknown.example/", "http://mirror.example:22/", "file:///x"):
        with pytest.raises(Invalid) as refused:
            asyncio.run(UriFilter(Uris(), resolve).check(url))
        texts.add(refused.value.text)
    assert texts == {"The URI does not pass filtering."}


@pytest.mark.parametrize("url", ["http://me:hunter2@mirror.example/", "http://internal.example/?token=hunter2"])
def test_no_reason_repeats_a_secret(url: str) -> None:
    assert "hunter2" not in reason(url)


@pytest.mark.parametrize(
    ("url", "parts", "text"),
    [
        ("HTTP://A.example.", ("http", "a.example", None, "/"), "http://a.example/"),
        ("http://a.example?b#c", ("http", "a.example", None, "/?b"), "http://a.example/?b"),
        ("http://a.example:80/", ("http", "a.example", 80, "/"), "http://a.example/"),
        ("http://a.example:443/b", ("http", "a.example", 443, "/b"), "http://a.example:443/b"),
        ("https://[0::1]:8443/", ("https", "::1", 8443, "/"), "https://[::1]:8443/"),
        ("http://a.example/\u00e4%2f%zz?\u20ac", ("http", "a.example", None, "/%C3%A4%2f%zz?%E2%82%AC"), None),
    ],
)
def test_parts(url: str, parts: tuple[object, ...], text: str | None) -> None:
    uri = parse(url)
    assert (uri.scheme, uri.host, uri.port, uri.target) == parts
    assert text is None or str(uri) == text


async def test_a_slow_name_server_is_not_waited_for() -> None:
    def slow(host: str) -> list[str]:
        time.sleep(0.3)
        return ["151.101.2.132"]

    uris = UriFilter(Uris(connect_seconds=0.05), slow)
    with pytest.raises(UriRefused) as refused:
        await uris.check("http://mirror.example/")
    assert refused.value.reason == "host mirror.example was not found in time"


def test_the_systems_resolver() -> None:
    assert {"127.0.0.1", "::1"} & set(system_addresses("localhost"))
    with pytest.raises(socket.gaierror):
        system_addresses("name.invalid")
