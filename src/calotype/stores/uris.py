"""Which URLs of users may be read (spec: image-v2 13.3; docs/decisions/0010-reading-urls.md).

A URL is taken apart once, here, and read by these very parts, so that nobody else can understand it otherwise.
"""

import asyncio
import re
import socket
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_network
from urllib.parse import quote

import idna

from calotype.images.errors import Invalid
from calotype.settings import HOST_NAME, Uris
from calotype.stores import addresses

MAX_LENGTH = 8000  # what a recipient should be able to take, RFC 9110, 4.1
DEFAULT_PORTS = {"http": 80, "https": 443}

_LOOKUPS = 8  # at a time, in threads of their own: a slow name server holds up nothing else
_BAD = re.compile(r"[\x00-\x20\x7f-\x9f\\]")  # parsers disagree on these, RFC 3986 has none of them
_PARTS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^?#]*)(\?[^#]*)?(?:#.*)?", re.DOTALL)
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::([0-9]{0,5}))?")
_ASCII = "".join(map(chr, range(0x21, 0x7F)))

Resolve = Callable[[str], list[str]]


class UriRefused(Invalid):
    """A URL that is not read. `text` tells nothing of names and networks; `reason` does, for the log, and no secret."""

    def __init__(self, reason: str) -> None:
        super().__init__("The URI does not pass filtering.")
        self.reason = reason


@dataclass(frozen=True)
class Uri:
    """The parts of an http or https URL."""

    scheme: str
    """http or https."""
    host: str
    """A name in ASCII and lower case without final dot, or an address as `ipaddress` writes it, without brackets."""
    port: int | None
    """None unless it is written."""
    target: str
    """Path and query, in ASCII; begins with a slash."""

    @property
    def origin(self) -> tuple[str, str, int]:
        """Who answers: scheme, host and port."""
        return self.scheme, self.host, self.port or DEFAULT_PORTS[self.scheme]

    @property
    def authority(self) -> str:
        """Host and port as a `Host` header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port in (None, DEFAULT_PORTS[self.scheme]) else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"


@dataclass(frozen=True)
class Place:
    """A URL that passed and the addresses, at least one, that it was judged by: the only ones to connect to."""

    uri: Uri
    addresses: tuple[str, ...]


def parse(url: str) -> Uri:
    """Take a URL apart; raises UriRefused for whatever is not plainly one with http or https and a host."""
    if len(url) > MAX_LENGTH:
        raise UriRefused(f"longer than {MAX_LENGTH} characters")
    if _BAD.search(url):
        raise UriRefused("has a space, a control character or a backslash")
    parts = _PARTS.fullmatch(url)
    if parts is None:
        raise UriRefused("is not an absolute URL")
    scheme, authority, path, query = parts.groups("")
    scheme = scheme.lower()
    if scheme not in DEFAULT_PORTS:
        raise UriRefused(f"scheme {scheme} cannot be read")
    if "@" in authority:
        raise UriRefused("has a user name or password")
    found = _AUTHORITY.fullmatch(authority)
    if found is None:
        raise UriRefused("has no host, or one that cannot be understood")
    host, digits = found.groups("")
    port = int(digits) if digits else None
    if port is not None and not 1 <= port <= 65535:
        raise UriRefused(f"port {port} does not exist")
    try:
        return Uri(scheme, _host(host), port, quote((path or "/") + query, safe=_ASCII))
    except UnicodeError:
        raise UriRefused("is not text") from None


def system_addresses(host: str) -> list[str]:
    """The addresses of a name as the operating system finds them; blocks; raises OSError."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(place[0]) for *_, place in found))


class UriFilter:
    """The rules of one deployment. `resolve` finds the addresses of a host name; it blocks, and raises OSError."""

    def __init__(self, settings: Uris, resolve: Resolve = system_addresses) -> None:
        self._settings = settings
        self._resolve = resolve
        self._allowed_hosts = frozenset(map(_entry, settings.allowed_hosts))
        self._disallowed_hosts = frozenset(map(_entry, settings.disallowed_hosts))
        self._networks = tuple(map(ip_network, settings.allowed_networks))
        self._threads = ThreadPoolExecutor(_LOOKUPS, thread_name_prefix="resolve")

    async def check(self, url: str) -> None:
        """Raises UriRefused unless the URL may be read, as the names resolve at this moment."""
        await self.place(url)

    async def place(self, url: str) -> Place:
        """The URL's parts and where they lead at this moment; raises UriRefused."""
        uri = parse(url)
        self._judge(uri)
        found = tuple(await self._addresses(uri.host))
        if uri.host not in self._allowed_hosts:
            for address in found:
                self._judge_address(uri.host, address)
        return Place(uri, found)

    async def close(self) -> None:
        """Look nothing up any more; what is under way is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _judge(self, uri: Uri) -> None:
        settings = self._settings
        if _barred(uri.scheme, settings.allowed_schemes, settings.disallowed_schemes):
            raise UriRefused(f"scheme {uri.scheme} is not allowed")
        if _barred(uri.host, self._allowed_hosts, self._disallowed_hosts):
            raise UriRefused(f"host {uri.host} is not allowed")
        if uri.port is not None and _barred(uri.port, settings.allowed_ports, settings.disallowed_ports):
            raise UriRefused(f"port {uri.port} is not allowed")

    def _judge_address(self, host: str, text: str) -> None:
        address = addresses.parse(text)
        if not addresses.reachable(address, self._networks):
            raise UriRefused(f"host {host} has the address {text}, which is not public")
        if not self._disallowed_hosts.isdisjoint(map(str, (address, *addresses.meant(address)))):
            raise UriRefused(f"host {host} has the address {text}, which is not allowed")

    async def _addresses(self, host: str) -> list[str]:
        if _is_address(host):
            return [host]
        try:
            async with asyncio.timeout(self._settings.connect_seconds):
                found = await asyncio.get_running_loop().run_in_executor(self._threads, self._resolve, host)
        except TimeoutError:
            raise UriRefused(f"host {host} was not found in time") from None
        except (OSError, UnicodeError) as error:
            raise UriRefused(f"host {host} was not found: {error}") from None
        if not found:
            raise UriRefused(f"host {host} has no address")
        return found


def _barred(value: object, allowed: Collection[object], disallowed: Collection[object]) -> bool:
    return value not in allowed if allowed else value in disallowed


def _entry(host: str) -> str:
    """A host of the settings as `Uri.host` has it."""
    return _host(f"[{host}]" if ":" in host else host)


def _host(text: str) -> str:
    """A host in the one form that is compared, looked up and connected to; raises UriRefused, UnicodeError."""
    if text.startswith("["):
        return _address(IPv6Address, text[1:-1])
    if "%" in text or len(text) > 512:
        raise UriRefused("has a host that cannot be understood")
    # Full stops and digits of other scripts become plain ones, before anything is judged.
    name = text.lower() if text.isascii() else idna.encode(text, uts46=True, std3_rules=True).decode()
    bare = name.removesuffix(".")
    return bare if HOST_NAME.fullmatch(bare) else _address(IPv4Address, name)


def _address(kind: type[IPv4Address] | type[IPv6Address], text: str) -> str:
    try:
        address = kind(text)
    except ValueError:
        raise UriRefused("has a host that is neither a name nor an address in standard form") from None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def _is_address(host: str) -> bool:
    return ":" in host or host.rpartition(".")[2].isdigit()
