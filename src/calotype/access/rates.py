"""How often one may ask: a token bucket for each user and each address, in the memory of this process."""

import ipaddress
import math
import time
from collections.abc import Callable

from calotype.access.errors import TooManyRequests
from calotype.settings import Rate

REMEMBERED = 20_000
"""How many buckets of one kind there are at most; beyond that the one that was used least lately is forgotten."""

_ROUNDING = 1e-9


class Buckets:
    """One bucket for each name. It holds up to `burst` requests and gets `pace` a second."""

    def __init__(self, pace: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._pace = pace
        self._burst = max(burst, 1.0)
        self._clock = clock
        self._levels: dict[str, tuple[float, float]] = {}

    def take(self, name: str) -> None:
        """Take one out; raises TooManyRequests when the bucket is empty."""
        self.look(name)
        self.charge(name)

    def look(self, name: str) -> None:
        """Raise TooManyRequests when the bucket is empty."""
        level = self._level(name, self._clock())
        if level < 1.0 - _ROUNDING:
            raise TooManyRequests(max(1, math.ceil((1.0 - level) / self._pace)))

    def charge(self, name: str) -> None:
        """Take one out, of an empty bucket on credit: others may have emptied it since it was looked at."""
        moment = self._clock()
        level = self._level(name, moment)
        # Taken out and put in again: the order is that of the last use.
        self._levels.pop(name, None)
        self._levels[name] = (level - 1.0, moment)
        if len(self._levels) > REMEMBERED:
            del self._levels[next(iter(self._levels))]

    def _level(self, name: str, moment: float) -> float:
        level, since = self._levels.get(name, (self._burst, moment))
        return min(self._burst, level + (moment - since) * self._pace)


class Rates:
    """The limits that the settings ask for."""

    def __init__(self, settings: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self._callers = Buckets(*settings.caller, clock) if settings.caller else None
        self._addresses = Buckets(*settings.address, clock) if settings.address else None

    @property
    def any(self) -> bool:
        """Whether anything is limited."""
        return self._callers is not None or self._addresses is not None

    def of_caller(self, user_id: str) -> None:
        """Count a request of a user; raises TooManyRequests."""
        if self._callers is not None:
            self._callers.take(user_id)

    def room_of_caller(self, user_id: str) -> None:
        """Raise TooManyRequests when a user has no request left, without counting one."""
        if self._callers is not None:
            self._callers.look(user_id)

    def charge_caller(self, user_id: str) -> None:
        """Count a request of a user that has been let through."""
        if self._callers is not None:
            self._callers.charge(user_id)

    def of_address(self, address: str) -> None:
        """Count a request that is not known to be anybody's, or a log-in; raises TooManyRequests."""
        if self._addresses is not None:
            self._addresses.take(_network(address))


def _network(address: str) -> str:
    """What one client is taken to have: an IPv4 address, or the network of 64 bits of an IPv6 address."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        mapped = found.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)
