"""Which IP addresses are public: reachable for everybody, and so no way into what only this host can reach.

The tables are IANA's special-purpose address registries (RFC 6890 and its updates). They are written out because
`ipaddress.is_global` knows fewer of them the older Python is; what it refuses is refused besides.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NOT_PUBLIC = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this host, unspecified
            "10.0.0.0/8",  # private, RFC 1918
            "100.64.0.0/10",  # shared with a carrier, RFC 6598; a metadata service of Alibaba
            "127.0.0.0/8",  # loopback
            "168.63.129.16/32",  # the platform of Azure
            "169.254.0.0/16",  # link-local; metadata services
            "172.16.0.0/12",  # private
            "192.0.0.0/24",  # protocol assignments; a metadata service of Oracle
            "192.0.2.0/24",  # documentation
            "192.88.99.0/24",  # 6to4 relays, deprecated
            "192.168.0.0/16",  # private
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, broadcast
        ),
    )
)
_UNICAST = IPv6Network("2000::/3")  # all that IANA has given out for global use
_NOT_PUBLIC_6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocol assignments, Teredo among them
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4, deprecated
            "3fff::/20",  # documentation
        ),
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address in its last four bytes
_COMPATIBLE = IPv6Network("::/96")  # RFC 4291, deprecated: the same


def parse(text: str) -> Address:
    """An address as the resolver has it, without the zone of a link-local one; raises ValueError."""
    return ip_address(text.partition("%")[0])


def meant(address: Address) -> tuple[Address, ...]:
    """Everything that a connection to the address may lead to: itself, or IPv4 addresses inside it, or both."""
    if isinstance(address, IPv4Address):
        return (address,)
    if address.ipv4_mapped:
        return (address.ipv4_mapped,)
    if address in _NAT64:
        return (_last_bytes(address),)
    if address in _COMPATIBLE:
        return (address, _last_bytes(address))
    if address.sixtofour:
        return (address, address.sixtofour)
    return (address, *(address.teredo or ()))


def reachable(address: Address, allowed: Iterable[Network] = ()) -> bool:
    """Whether all that the address leads to is public, or in a network that is allowed nevertheless."""
    allowed = tuple(allowed)
    return all(_public(each) or any(each in network for network in allowed) for each in meant(address))


def _public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return address.is_global and not any(address in network for network in _NOT_PUBLIC)
    return address.is_global and address in _UNICAST and not any(address in network for network in _NOT_PUBLIC_6)


def _last_bytes(address: IPv6Address) -> IPv4Address:
    return IPv4Address(int(address) & 0xFFFFFFFF)
