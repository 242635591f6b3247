"""May they: Glance's rules (spec: image-v2 3.2), changed by the operator's files, decided by oslo.policy."""

import msgspec

from calotype.access.caller import Caller
from calotype.access.policy.decisions import Decisions
from calotype.access.policy.facts import Target
from calotype.access.policy.rulebook import Rulebook


class Policy:
    """The rules in force: without a book, the defaults."""

    def __init__(self, rules: Rulebook | None = None) -> None:
        self.adopt(rules or Rulebook())

    def adopt(self, rules: Rulebook) -> None:
        """Put other rules in force."""
        self._decisions = {rule: Decisions(rules, rule) for rule in rules.texts}
        self._administrators = None if rules.same("context_is_admin") else self._decisions["context_is_admin"]
        self.narrows_lists = not (rules.same("get_images") and rules.same("get_image"))

    def knows(self, rule: str) -> bool:
        """Whether there is such a rule."""
        return rule in self._decisions

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
