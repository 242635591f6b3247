"""Paths of access rules: what they match, and that no rule makes matching slow."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calotype.access.access_rules import LONGEST, AccessRule, matches, permits


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("/v2/images", "/v2/images", True),
        ("/v2/images", "/v2/images/", False),
        ("/v2/images", "/v2/images\n", False),
        ("/v2/images", "/v2/imagesx", False),
        ("/v2/images/*", "/v2/images/1", True),
        ("/v2/images/*", "/v2/images/", False),
        ("/v2/images/*", "/v2/images/1/file", False),
        ("/v2/images/*/file", "/v2/images/1/file", True),
        ("/v2/images/{image_id}/file", "/v2/images/1/file", True),
        ("/v2/images/{image_id}/file", "/v2/images/1/tags", False),
        ("/v2/images/pre*", "/v2/images/prefix", True),
        ("/v2/images/pre*", "/v2/images/pre", False),
        ("/v2/**", "/v2/images/1/file", True),
        ("/v2/**", "/v2/", True),
        ("/v2/**", "/v2", False),
        ("/**/file", "/v2/images/1/file", True),
        ("/v2.1/servers", "/v2x1/servers", False),
        ("/v2/(a|b)+", "/v2/a", False),
        ("/v2/[ab]", "/v2/a", False),
        ("/", "/", True),
        ("/", "/a", False),
        ("/v2/{open", "/v2/{open", False),
        ("/v2/%7Bopen", "/v2/{open", True),
        ("/%C3%A9/*", "/é/ü", True),
        ("/é/*", "/é/ü", False),
        ("/v2/metadefs/namespaces/a%20b", "/v2/metadefs/namespaces/a b", True),
        ("/v2/metadefs/namespaces/a b", "/v2/metadefs/namespaces/a b", False),
        ("/v2/images/1/tags/50%25", "/v2/images/1/tags/50%", True),
        ("/a-b._c~!$&'()+,;=:@", "/a-b._c~!$&'()+,;=:@", True),
        ("/%5B%22%3C", '/["<', True),
    ],
)
def test_paths(pattern: str, path: str, fits: bool) -> None:
    assert matches((pattern,), path) is fits


@given(
    st.lists(st.sampled_from(["a", "/", "*", "**", "{x}", "."]), max_size=7).map("".join),
    st.text("ab/.", max_size=8),
)
def test_as_a_regular_expression_has_it(pattern: str, path: str) -> None:
    parts = re.findall(r"\*\*|\*|\{[^}]*\}|.", pattern)
    wild = {"**": ".*", "*": "[^/]+"}
    expression = "".join(wild.get(part, "[^/]+" if part[0] == "{" else re.escape(part)) for part in parts)
    assert matches((pattern,), path) is (re.fullmatch(expression, path, re.DOTALL) is not None)


patterns = st.lists(st.sampled_from(["a", "/", "*", "**", "."]), max_size=5).map("".join)


@given(st.lists(patterns, max_size=5).map(tuple), st.text("a/.", max_size=6))
def test_many_are_matched_as_each_is(several: tuple[str, ...], path: str) -> None:
    assert matches(several, path) is any(matches((each,), path) for each in several)


@pytest.mark.parametrize("pattern", ["/" + "**a" * 74, "/" + "*a" * 112, "/" + "{x}**" * 44 + "c"])
def test_no_rules_make_it_slow(pattern: str) -> None:
    several = tuple(f"{pattern[:-2]}{number:02}" for number in range(100))
    path = "/" + "a" * (LONGEST - 3) + "/b"
    started = time.process_time()
    assert not matches(several, path)
    assert not matches(several, path)
    assert time.process_time() - started < 0.1


def test_a_path_that_is_too_long_matches_nothing() -> None:
    assert matches(("/**",), "/" + "a" * (LONGEST - 1))
    assert not matches(("/**",), "/" + "a" * LONGEST)


def test_service_and_method_count() -> None:
    rules = (AccessRule("1", "image", "/v2/images", "GET"), AccessRule("2", "compute", "/v2.1/images/*", "DELETE"))
    assert permits(rules, "image", "GET", "/v2/images")
    assert permits(rules, "image", "GET", "/image/v2/images", "/v2/images")
    assert permits(rules, "compute", "DELETE", "/v2.1/images/1")
    assert not permits(rules, "image", "HEAD", "/v2/images")
    assert not permits(rules, "compute", "GET", "/v2/images")
    assert not permits(rules, "image", "DELETE", "/v2.1/images/1")
    assert not permits((), "image", "GET", "/v2/images")
