"""May they: Glance's rules (spec: image-v2 3.2), changed by the operator's files, decided by oslo.policy."""

import msgspec

from calotype.access.caller import Caller
from calotype.access.policy.decisions import Decisions
from calotype.access.policy.facts import Target, known
from calotype.access.policy.rulebook import BadRules, Rulebook
from calotype.access.policy.rules import DEFAULTS


class Policy:
    """The rules in force: without a book, the defaults."""

    def __init__(self, rules: Rulebook | None = None) -> None:
        self._kept: set[str] = set()
        self.adopt(rules or Rulebook())

    def adopt(self, rules: Rulebook) -> None:
        """Put other rules in force; raises BadRules when they lack one that was to be kept."""
        for gone in sorted(self._kept - rules.texts.keys()):
            raise BadRules((gone,), "a property protection names it, and it is no rule any more")
        self.rules = rules
        self._decisions = {rule: Decisions(rules, rule) for rule in rules.texts}
        self._administrators = None if rules.same("context_is_admin") else self._decisions["context_is_admin"]
        self.narrows_lists = not (rules.same("get_images") and rules.same("get_image"))

    def keeps(self, rule: str) -> bool:
        """Whether there is such a rule; if so, none are adopted without it from now on."""
        if rule in self._decisions:
            self._kept.add(rule)
        return rule in self._kept

    def warnings(self) -> list[str]:
        """What the rules say that their writer hardly meant, a sentence each."""
        texts, named = self.rules.texts, self.rules.named()
        absent = [(name, other) for name, other in named if other not in texts]
        unused = texts.keys() - DEFAULTS.keys() - self._kept - {other for _, other in named}
        strange = [(name, fact) for name, fact in self.rules.asked() if not known(fact)]
        return [
            *[f"{name} reads {fact}, which no caller has: it fits nothing" for name, fact in strange],
            *[f"{name} names {other}, which is no rule: `default` stands in" for name, other in absent],
            *[f"{name} is no rule of Glance's, and nothing names it: it has no effect" for name in sorted(unused)],
        ]

    def allows(self, rule: str, caller: Caller, target: Target = None) -> bool:
        """Whether `caller` may do what `rule` guards to `target`.

        All rules are project-scoped: a token without a project is refused, unless it is for the system and a service
        passes the call on.
        """
        if caller.project_id is None and not caller.service:
            return False
        return self._decisions[rule].make(caller, target)

    def judged(self, caller: Caller) -> Caller:
        """The caller, an administrator of images if the rules say so; by default that is the role."""
        if self._administrators is None:
            return caller
        return msgspec.structs.replace(caller, administers=self._administrators.make(caller, None))
