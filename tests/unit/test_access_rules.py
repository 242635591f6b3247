"""What an application credential with access rules may be used for (spec: identity-and-huawei B.1)."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calotype.access.access_rules import AccessRule, permits


def allowed(pattern: str, path: str) -> bool:
    return permits((AccessRule("image", "GET", pattern),), "image", "GET", path)


@pytest.mark.parametrize(
    ("pattern", "path", "wanted"),
    [
        ("/v2/images", "/v2/images", True),
        ("/v2/images", "/v2/images/x", False),
        ("/v2/images", "/v2/imagesx", False),
        ("/v2/images/*", "/v2/images/x", True),
        ("/v2/images/*", "/v2/images/x/file", False),
        ("/v2/images/*", "/v2/images/", False),
        ("/v2/images/{image_id}/file", "/v2/images/x/file", True),
        ("/v2/images/{image_id}/file", "/v2/images/x/y/file", False),
        ("/v2/**", "/v2/images/x/file", True),
        ("/v2/**", "/v2/", True),
        ("/**", "/v2/images", True),
        ("**/file", "/v2/images/x/file", True),
        ("/v2.1/images", "/v2x1/images", False),
        ("/v2/images", "/v2/images\n", False),
        ("/v2/(a|b)", "/v2/a", False),
        ("/v2/(a|b)", "/v2/(a|b)", True),
        ("/v2/{", "/v2/{", True),
    ],
)
def test_paths(pattern: str, path: str, wanted: bool) -> None:
    assert allowed(pattern, path) is wanted


@pytest.mark.parametrize(
    ("service", "method", "wanted"),
    [("image", "GET", True), ("compute", "GET", False), ("image", "HEAD", False), ("image", "get", False)],
)
def test_service_and_method_are_those_of_the_rule(service: str, method: str, wanted: bool) -> None:
    assert permits((AccessRule("image", "GET", "/v2/images"),), service, method, "/v2/images") is wanted


def test_without_rules_nothing_is_permitted() -> None:
    assert not permits((), "image", "GET", "/v2/images")


def reference(pattern: str, path: str) -> bool:
    """Segments compared one by one."""
    if "**" in pattern:
        head, _, tail = pattern.partition("**")
        return any(
            reference(head, path[:at]) and reference(tail, path[rest:])
            for at in range(len(path) + 1)
            for rest in range(at, len(path) + 1)
        )
    parts = re.split(r"\*|\{[a-z]*\}", pattern)
    if len(parts) == 1:
        return pattern == path
    head = parts[0]
    rest = pattern[len(head) :]
    rest = rest[1:] if rest[0] == "*" else rest[rest.index("}") + 1 :]
    return path.startswith(head) and any(
        "/" not in path[len(head) : at] and reference(rest, path[at:]) for at in range(len(head) + 1, len(path) + 1)
    )


@given(
    st.lists(st.sampled_from(["/", "a", "b", ".", "*", "{x}"]), max_size=6),
    st.sampled_from(["", "**"]),
    st.text("/ab.", max_size=6),
)
def test_patterns_mean_what_a_slow_comparison_says(pieces: list[str], deep: str, path: str) -> None:
    pattern = "".join(pieces)
    pattern = pattern.replace("**", "*") + ("/" + deep if deep else "")
    pattern = re.sub(r"\*\*\*+", "**", pattern)
    assert allowed(pattern, path) is reference(pattern, path)
