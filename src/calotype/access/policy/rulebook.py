"""The rules in force: the defaults, and what the operator's files say instead, in oslo.policy's language."""

import ast
import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from oslo_config.cfg import ConfigOpts
from oslo_policy import _checks as checks
from oslo_policy.policy import Enforcer, Rules

from calotype.access.policy.rules import DEFAULTS

DEEPEST = 100
"""How many checks may lie inside one another, through the rules that are named, too: a decision recurses."""
_ELSE = "default"
"""The rule that stands in for those that are named and not there."""
_WITHOUT_PARTS = (checks.TrueCheck, checks.FalseCheck)
_LEAVES = (checks.RoleCheck, checks.GenericCheck)
_RIGHT = re.compile(r"(?:[^%]|%%|%\([^)]+\)s)*")
_PLACE = re.compile(r"%\(([^)]+)\)s")

# What it says of a rule that it does not understand comes as BadRules. A filter stays when logging is configured.
logging.getLogger("oslo_policy._parser").addFilter(lambda _: False)


class BadRules(Exception):
    """Rules that cannot be used; the text says which and why, `rules` names those of which one has to be changed."""

    def __init__(self, rules: tuple[str, ...], why: str) -> None:
        super().__init__(f"{rules[0]}: {why}")
        self.rules = rules


class Reads(NamedTuple):
    """The names of what a rule reads of the caller, and of the target."""

    caller: frozenset[str]
    target: frozenset[str]


class Rulebook:
    """Rules by name. Raises BadRules for what oslo.policy could not decide, or only by asking another service."""

    def __init__(self, changed: Mapping[str, str] = {}) -> None:
        self.texts = {**DEFAULTS, **changed}
        self._rules = Rules({name: _parsed(name, text) for name, text in self.texts.items()}, _ELSE)
        self._reads = {name: self._read_by(name) for name in self._rules}
        conf = ConfigOpts()
        conf([], project="calotype", default_config_files=[], default_config_dirs=[])
        self._enforcer = Enforcer(conf, rules=self._rules, default_rule=_ELSE, use_conf=False)

    def decide(self, rule: str, caller: dict[str, Any], target: Mapping[str, Any]) -> bool:
        """oslo.policy's decision; what a rule reads and is not there fits nothing."""
        return bool(self._enforcer.enforce(rule, target, caller))

    def reads(self, rule: str) -> Reads:
        """What the rule reads, also through the rules that it names."""
        return self._reads[rule]

    def same(self, rule: str) -> bool:
        """Whether the rule means what it means by default."""
        return not any(self.changed(each) for each in self._closure(rule, ()))

    def changed(self, rule: str) -> bool:
        """Whether the rule says something else than by default, as oslo.policy's list of redundant rules has it."""
        return str(self._rules[rule]) != _DEFAULTS.get(rule)

    def named(self) -> list[tuple[str, str]]:
        """Each rule that names another, and the name."""
        return [
            (name, leaf.match)
            for name, check in self._rules.items()
            for leaf in _leaves(check)
            if isinstance(leaf, checks.RuleCheck)
        ]

    def asked(self) -> list[tuple[str, str]]:
        """Each rule, and a fact of the caller that it reads itself."""
        found = {
            (name, fact): None
            for name, check in self._rules.items()
            for leaf in _leaves(check)
            if isinstance(leaf, _LEAVES)
            for fact in _of_caller(name, leaf)
        }
        return list(found)

    def _closure(self, rule: str, on_the_way: tuple[str, ...], depth: int = 0) -> set[str]:
        """The rule and all that it names, directly or not."""
        name = rule if rule in self._rules else _ELSE
        if name in on_the_way:
            raise BadRules((name, *on_the_way), f"it names itself: {' -> '.join((*on_the_way, name))}")
        depth += _depth(self._rules[name])
        if depth > DEEPEST:
            raise BadRules((name, *on_the_way), "it is nested too deep, or names others too deep")
        found = {name}
        for leaf in _leaves(self._rules[name]):
            if isinstance(leaf, checks.RuleCheck):
                found |= self._closure(leaf.match, (*on_the_way, name), depth)
        return found

    def _read_by(self, rule: str) -> Reads:
        leaves = [
            (name, leaf)
            for name in self._closure(rule, ())
            for leaf in _leaves(self._rules[name])
            if isinstance(leaf, _LEAVES)
        ]
        return Reads(
            frozenset(fact for name, leaf in leaves for fact in _of_caller(name, leaf)),
            frozenset(fact for name, leaf in leaves for fact in _of_target(name, leaf)),
        )


def _parsed(name: str, text: str) -> checks.BaseCheck:
    if not _understood(text):
        raise BadRules((name,), f"not understood: {text!r}")
    check = Rules.from_dict({name: text})[name]
    for leaf in _leaves(check):
        if not isinstance(leaf, (*_WITHOUT_PARTS, *_LEAVES, checks.RuleCheck)):
            raise BadRules((name,), f"`{leaf}` cannot be decided here: it asks another service")
    return check


def _understood(text: str) -> bool:
    """oslo.policy makes the same of `!` and of what it does not understand, so it is asked without any `!`."""
    checked = Rules.from_dict({"": text.replace("!", "@")})[""]
    return not any(isinstance(leaf, checks.FalseCheck) for leaf in _leaves(checked))


def _leaves(check: checks.BaseCheck) -> Iterator[checks.BaseCheck]:
    """The checks of a tree that are not made of others."""
    match check:
        case checks.AndCheck() | checks.OrCheck():
            for part in check.rules:
                yield from _leaves(part)
        case checks.NotCheck():
            yield from _leaves(check.rule)
        case _:
            yield check


def _depth(check: checks.BaseCheck) -> int:
    """How many checks lie inside one another."""
    match check:
        case checks.AndCheck() | checks.OrCheck():
            return 1 + max(map(_depth, check.rules))
        case checks.NotCheck():
            return 1 + _depth(check.rule)
        case _:
            return 1


def _of_target(name: str, leaf: checks.Check) -> list[str]:
    """What stands as %(NAME)s on the right."""
    if _RIGHT.fullmatch(leaf.match) is None:
        raise BadRules((name,), f"`{leaf}`: only %(NAME)s can stand for a value")
    return _PLACE.findall(leaf.match)


def _of_caller(name: str, leaf: checks.Check) -> list[str]:
    """What stands on the left, unless it is a literal as 'public' or True."""
    if isinstance(leaf, checks.RoleCheck):
        return ["roles"]
    try:
        ast.literal_eval(leaf.kind)
    except ValueError:
        return [leaf.kind.partition(".")[0]]
    except (SyntaxError, TypeError, RecursionError, MemoryError):
        raise BadRules((name,), f"`{leaf}`: {leaf.kind!r} is neither a name nor a literal") from None
    return []


_DEFAULTS = {name: str(_parsed(name, text)) for name, text in DEFAULTS.items()}
"""The defaults as oslo.policy writes them: blanks and brackets that mean nothing do not count."""
