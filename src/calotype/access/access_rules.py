"""Access rules of application credentials: which requests a token may make (spec: identity-and-huawei B.1, step 5).

A path of a rule is compared as a whole: `*` and `{name}` stand for one segment, `**` for anything. A path is matched in
time that grows with its length and the rule's, whatever the rule is: rules are written by users.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec

LONGEST = 1024
_PARTS = re.compile(r"(\*\*)|(\*|\{[^}]*\})|(.)", re.DOTALL)


class AccessRule(msgspec.Struct, frozen=True):
    """Requests of a method to paths of a service, which is named by its type."""

    id: str
    service: str
    path: str
    method: str


class Pattern(NamedTuple):
    """A path of a rule as a machine with one bit for each state: bit n is set while n steps have been taken.

    `characters` has the states that a character takes one step on from; `segment` those that stay for all but a slash;
    `anything` those that stay for everything. Both may be left without a character. `end` is the last state.
    """

    characters: dict[str, int]
    singles: int
    segment: int
    anything: int
    end: int


def permits(rules: Sequence[AccessRule], service: str, method: str, *paths: str) -> bool:
    """Whether one of the rules allows a request to `service`, whose path is written in any of the ways given."""
    return any(
        rule.service == service and rule.method == method and any(matches(rule.path, path) for path in paths)
        for rule in rules
    )


def matches(pattern: str, path: str) -> bool:
    """Whether a path is one of those that a rule's path stands for; one of more than LONGEST characters never is."""
    if len(path) > LONGEST:
        return False
    machine = _machine(pattern)
    loops = machine.segment | machine.anything
    states = _skipped(1, loops)
    for character in path:
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


@lru_cache(1024)
def _machine(pattern: str) -> Pattern:
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
        else:
            characters[literal] = characters.get(literal, 0) | state
        state <<= 1
    return Pattern(characters, singles, segment, anything, state)
