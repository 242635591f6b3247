"""The query string of a list of images, and the little languages in it, fed with anything (image-v2 9.3)."""

from contextlib import suppress
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from calotype.api.image import query
from calotype.images.errors import Invalid
from calotype.images.filters import microseconds, split_list
from calotype.images.model import SORT_KEYS, Listing
from calotype.settings import Image

LIMITS = Image()
NAMES = (
    *("limit", "marker", "sort", "sort_key", "sort_dir", "tag", "visibility", "member_status", "os_hidden", "deleted"),
    *("id", "name", "status", "disk_format", "created_at", "updated_at", "owner", "checksum", "protected"),
    *("size", "size_min", "size_max", "min_ram", "min_disk_max", "virtual_size_min", "foo_min", "locations", "prop"),
)
WORDS = (
    *("", "0", "-1", "5", "9" * 5000, "1.5", "x", "asc", "desc", "true", "True", "false", "all", "public", "accepted"),
    *("name:asc", "name:up", "name,size:asc", "in:a,b", 'in:"a,b",c', 'in:"', "eq:a", "neq:a", "gt:2020-01-01"),
    *("lt:9999-12-31T23:59:59-14:00", "gt:0001-01-01T00:00:00+14:00", "gt:x", "2020-02-30", "2020-01-01T00:00:00Z"),
)

words = st.one_of(st.sampled_from(WORDS), st.text(), st.sampled_from(WORDS).flatmap(lambda w: st.text().map(w.__add__)))
asked = st.lists(st.tuples(st.one_of(st.sampled_from(NAMES), st.text()), words), max_size=6)
plain = st.text(alphabet=st.characters(exclude_characters='"\\', exclude_categories=["Cs"]))


def understood(pairs: query.Pairs) -> Listing | None:
    """What the query asks for; None if it is refused, as it should be: with Invalid."""
    try:
        return query.listing(pairs, LIMITS)[0]
    except Invalid:
        return None


@given(st.binary())
@example(b"a=%ff")
@example(b"a=%00")
@example(b"&=&;=%")
def test_any_bytes_are_a_query_or_invalid(raw: bytes) -> None:
    try:
        pairs = query.pairs(raw)
    except Invalid:
        return
    understood(pairs)


@given(asked)
@example([("size", "9" * 5000)])
@example([("limit", "9" * 5000)])
def test_a_query_is_a_listing_or_invalid(pairs: query.Pairs) -> None:
    found = understood(pairs)
    if found is not None:
        assert found.limit is not None
        assert 0 <= found.limit <= LIMITS.max_limit
        keys = [key for key, _ in found.sort]
        assert len(keys) == len(set(keys))
        assert set(keys) <= set(SORT_KEYS)
        assert "id" in keys, "Only an order that ends in a unique key is total."
        assert {direction for _, direction in found.sort} <= {"asc", "desc"}


@given(st.lists(st.tuples(plain, plain), max_size=6), st.integers(0, 3), st.integers(0, 3))
def test_links_ask_the_same_again(pairs: query.Pairs, count: int, limit: int) -> None:
    sent = query.pairs(urlencode(pairs).encode()) if not any("\0" in a + b for a, b in pairs) else []
    links = query.links(sent, count, limit, "last" if count else None)
    kept = [(name, value) for name, value in sent if name != "marker"]
    assert parse_qsl(urlsplit(links["first"]).query, keep_blank_values=True) == kept
    assert ("next" in links) == (count == limit and count > 0)
    if "next" in links:
        assert parse_qsl(urlsplit(links["next"]).query, keep_blank_values=True) == [*kept, ("marker", "last")]


@given(st.text())
@example('"')
@example('"\\')
@example('"a"b')
def test_any_text_is_a_list_or_invalid(text: str) -> None:
    try:
        items = split_list(text)
    except Invalid:
        assert '"' in text
    else:
        assert '"' in text or items == ([] if text == "" else text.split(","))


@given(st.lists(plain, min_size=1))
def test_quotes_protect_everything_but_themselves(items: list[str]) -> None:
    assert split_list(",".join(f'"{item}"' for item in items)) == items


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("", []),
        (",", ["", ""]),
        ("a,", ["a", ""]),
        ('""', [""]),
        ('a,"b,c",d', ["a", "b,c", "d"]),
        (r'"a\"b"', [r"a\"b"]),
        (r'"a\\"', [r"a\\"]),
        (" a , b ", [" a ", " b "]),
    ],
)
def test_lists(text: str, items: list[str]) -> None:
    assert split_list(text) == items


@given(st.text())
def test_any_text_is_a_time_or_invalid(text: str) -> None:
    with suppress(Invalid):
        assert isinstance(microseconds("created_at", text), int)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_every_value_of_a_property_can_be_asked_for(value: str) -> None:
    if "\0" not in value:
        (found,) = query.listing(query.pairs(f"prop={quote(value)}".encode()), LIMITS)[0].filters
        assert found.values[:2] == ("prop", value)
