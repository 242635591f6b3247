"""Access rules of application credentials: which requests a token may make (spec: identity-and-huawei B.1, step 5).

A path of a rule is compared as a whole with the path of a request, percent-encoded: `*` and `{name}` stand for one
segment, `**` for anything. All rules are matched at once, in time that grows with the lengths, whatever the rules are:
they are written by users.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

import msgspec

LONGEST = 4096
_AS_IT_IS = "/~!$&'()*+,;=:@"
"""What is not encoded besides letters, digits and -._: by WebOb's quoting keystonemiddleware compares."""
_PARTS = re.compile(r"(\*\*)|(\*|\{[^}]*\})|(.)", re.DOTALL)


class AccessRule(msgspec.Struct, frozen=True):
    """Requests of a method to paths of a service, which is named by its type."""

    id: str
    service: str
    path: str
    method: str


class Machine(NamedTuple):
    """Paths of rules with one bit for each state of each: it is set while that many steps of that path have been taken.

    `characters` has the states that a character takes one step on from; `segment` those that stay for all but a slash;
    `anything` those that stay for everything. Both may be left without a character. `begin` are the first states, `end`
    the last ones.
    """

    characters: dict[str, int]
    singles: int
    segment: int
    anything: int
    begin: int
    end: int


def permits(rules: Sequence[AccessRule], service: str, method: str, *paths: str) -> bool:
    """Whether one of the rules allows a request to `service`, whose path is written in any of the ways given."""
    patterns = tuple(rule.path for rule in rules if rule.service == service and rule.method == method)
    return any(matches(patterns, path) for path in {*paths})


def matches(patterns: tuple[str, ...], path: str) -> bool:
    """Whether a path is one of those that a rule's path stands for; one of more than LONGEST characters never is."""
    encoded = quote(path, _AS_IT_IS, errors="surrogatepass")
    if len(encoded) > LONGEST or not patterns:
        return False
    machine = _machine(patterns)
    loops = machine.segment | machine.anything
    states = _skipped(machine.begin, loops)
    for character in encoded:
        moving = machine.characters.get(character, 0)
        staying = machine.anything
        if character != "/":
            moving |= machine.singles
            staying |= machine.segment
        states = _skipped((states & moving) << 1 | states & staying, loops)
        if not states:
            return False
    return bool(states & machine.end)


def _skipped(states: int, loops: int) -> int:
    """The states with those that are reached without a character."""
    while (more := states | (states & loops) << 1) != states:
        states = more
    return states


@lru_cache(64)
def _machine(patterns: tuple[str, ...]) -> Machine:
    characters: dict[str, int] = {}
    singles = segment = anything = begin = end = first = 0
    for pattern in patterns:
        one = _one(pattern)
        for character, states in one.characters.items():
            characters[character] = characters.get(character, 0) | states << first
        singles |= one.singles << first
        segment |= one.segment << first
        anything |= one.anything << first
        begin |= 1 << first
        end |= one.end << first
        first += one.end.bit_length()
    return Machine(characters, singles, segment, anything, begin, end)


def _one(pattern: str) -> Machine:
    characters: dict[str, int] = {}
    singles = segment = anything = 0
    state = 1
    for everything, one, literal in _PARTS.findall(pattern):
        if everything:
            anything |= state
        elif one:
            # A character that is no slash, then any number of them.
            singles |= state
            state <<= 1
            segment |= state
        elif literal.isascii():  # no other is in an encoded path, and each would be kept
            characters[literal] = characters.get(literal, 0) | state
        state <<= 1
    return Machine(characters, singles, segment, anything, 1, state)
