"""What an application credential may be used for (spec: identity-and-huawei B.1, step 5)."""

import re
from functools import lru_cache

import msgspec

_PATTERNS = 1024
_PARTS = re.compile(r"\{[^}]*\}|\*\*|\*|[^{}*]+|[{}]")


class AccessRule(msgspec.Struct, frozen=True):
    """One request that is allowed; in `path`, `*` and `{name}` stand for one segment and `**` for anything."""

    service: str
    method: str
    path: str


def permits(rules: tuple[AccessRule, ...], service: str, method: str, path: str) -> bool:
    """Whether one of the rules allows a request to the service of this type."""
    return any(
        rule.service == service and rule.method == method and _pattern(rule.path).fullmatch(path) is not None
        for rule in rules
    )


@lru_cache(_PATTERNS)
def _pattern(path: str) -> re.Pattern[str]:
    return re.compile("".join(map(_expression, _PARTS.findall(path))), re.DOTALL)


def _expression(part: str) -> str:
    if part == "**":
        return ".*"
    return "[^/]+" if part == "*" or (part[0] == "{" and part[-1] == "}") else re.escape(part)
