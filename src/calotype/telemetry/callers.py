"""Who still makes the deprecated calls: counted by project, user agent and call."""

from collections import Counter

LIMIT = 1000
"""How many different callers are told apart; the rest are counted together."""


class DeprecatedCalls:
    """Counts of one worker."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str, str]] = Counter()

    def count(self, project: str, agent: str, call: str) -> None:
        """Note one call."""
        key = (project, agent[:200], call)
        if key not in self._counts and len(self._counts) >= LIMIT:
            key = ("other", "other", call)
        self._counts[key] += 1

    def rows(self) -> list[tuple[str, str, str, int]]:
        """Project, user agent, call, count; the most frequent first."""
        return [(*key, count) for key, count in self._counts.most_common()]
