"""Revocation events of a Keystone, and which tokens they hit (spec: identity-and-huawei B.2)."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from calotype.access.moments import microseconds

Attributes = Mapping[str, tuple[str, ...]]
"""What is known of a token, under the names that events have for it; each name may have several values."""

# In the order in which they tell tokens apart best: an event is looked up by the first that it has.
_NAMES = (
    "audit_id",
    "audit_chain_id",
    "OS-TRUST:trust_id",
    "OS-OAUTH1:access_token_id",
    "user_id",
    "OS-OAUTH1:consumer_id",
    "project_id",
    "domain_scope_id",
    "domain_id",
    "role_id",
    "expires_at",
)
_KNOWN = frozenset(_NAMES)
_TIMES = ("issued_before", "revoked_at")


class Event(NamedTuple):
    """One revocation: of tokens of which all attributes in it are true, and which were not issued after `before`."""

    attributes: tuple[tuple[str, str], ...]
    before: int

    def hits(self, attributes: Attributes, issued_at: int) -> bool:
        """Whether a token is revoked. What an event says beside the known names cannot be compared and is not asked
        for: who is hit wrongly is only validated again."""
        if issued_at > self.before:
            return False
        return all(value in attributes.get(name, ()) for name, value in self.attributes if name in _KNOWN)


class Revocations:
    """Events, ordered so that a token is compared with few of them."""

    def __init__(self, events: Iterable[Event]) -> None:
        self._by: dict[tuple[str, str], list[Event]] = {}
        self._of_all: list[Event] = []
        for event in events:
            said = dict(event.attributes)
            name = next((each for each in _NAMES if each in said), None)
            at = self._of_all if name is None else self._by.setdefault((name, said[name]), [])
            at.append(event)
        self._names = tuple(name for name in _NAMES if any(name == key[0] for key in self._by))

    def __bool__(self) -> bool:
        return bool(self._by or self._of_all)

    def hit(self, attributes: Attributes, issued_at: int) -> bool:
        """Whether one of the events hits a token."""
        if any(event.hits(attributes, issued_at) for event in self._of_all):
            return True
        return any(
            event.hits(attributes, issued_at)
            for name in self._names
            for value in attributes.get(name, ())
            for event in self._by.get((name, value), ())
        )


def event(document: Mapping[str, object]) -> Event:
    """An event as Keystone lists it; raises ValueError, KeyError."""
    before = document.get("issued_before") or document["revoked_at"]
    attributes = sorted(
        (name, value) for name, value in document.items() if isinstance(value, str) and name not in _TIMES
    )
    return Event(tuple((name, _comparable(name, value)) for name, value in attributes), microseconds(str(before)))


def second(moment: datetime) -> str:
    """A time to the second, as two of them are compared."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _comparable(name: str, value: str) -> str:
    return second(datetime.fromisoformat(value)) if name == "expires_at" else value
