"""Lists on both databases against a model in Python: who sees what, order, pages, filters (image-v2 8.2, 9.3)."""

import operator
from collections.abc import Iterable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calotype.database import images as rows
from calotype.database import listing as lists
from calotype.database.engine import Database
from calotype.images.model import (
    MEMBER_STATUSES,
    SORT_KEYS,
    VISIBILITIES,
    Filter,
    Image,
    Listing,
    Membership,
    with_property,
    with_tag,
)
from tests.support.catalogue import Run, an_image, fill

PROJECTS = ("p1", "p2", "p3")
NULLS = {"name": "", "container_format": "", "disk_format": "", "size": -1}
OPERATORS = {
    "eq": operator.eq,
    "neq": operator.ne,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}

texts = st.sampled_from(["", "a", "A", "b", "ab", "é", "\U0001f600", "z"])
moments = st.integers(1, 4)
sizes = st.sampled_from([0, 1, 2, 2**33])

images = st.builds(
    an_image,
    name=st.none() | texts,
    owner=st.none() | st.sampled_from(PROJECTS),
    status=st.sampled_from(["queued", "saving", "active", "deactivated", "killed"]),
    visibility=st.sampled_from(VISIBILITIES),
    os_hidden=st.sampled_from([False, False, False, True]),
    disk_format=st.sampled_from([None, "raw", "qcow2"]),
    container_format=st.sampled_from([None, "bare", "ovf"]),
    size=st.none() | sizes,
    min_ram=st.integers(0, 3),
    created_at=moments,
    updated_at=moments,
    properties=st.dictionaries(texts, texts, max_size=2),
    tags=st.lists(texts, max_size=2, unique=True),
)
catalogues = st.lists(images, max_size=12)
orders = st.lists(
    st.tuples(st.sampled_from(SORT_KEYS), st.sampled_from(["asc", "desc"])), max_size=4, unique_by=lambda pair: pair[0]
)
filters = st.one_of(
    st.builds(
        lambda name, values: Filter("in", name, tuple(values)),
        st.sampled_from(["name", "status", "disk_format"]),
        st.lists(texts | st.sampled_from(["active", "queued", "raw", "qcow2"]), max_size=3),
    ),
    st.builds(
        lambda kind, name, value: Filter(kind, name, (value,)),
        st.sampled_from(sorted(OPERATORS)),
        st.sampled_from(["created_at", "updated_at", "size", "min_ram"]),
        moments | sizes,
    ),
    st.builds(with_property, texts, texts),
    st.builds(with_tag, texts),
)
rarely_slow = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@rarely_slow
@given(catalogue=st.lists(images, max_size=20), order=orders, page=st.integers(1, 6))
def test_pages_concatenate_to_the_sorted_list(
    both: list[Database], run: Run, catalogue: list[Image], order: list[tuple[str, str]], page: int
) -> None:
    sort = tuple(order) if "id" in dict(order) else (*order, ("id", "desc"))
    shown = [image for image in catalogue if image.status != "killed" and not image.os_hidden]
    expected = [image.id for image in in_order(shown, sort)]
    for database in both:
        run(database.write(fill, catalogue))
        listing = Listing(admin=True, project="p1", visibility="all", sort=sort)
        assert [image.id for image in run(fetch(database, listing))] == expected
        assert run(pages(database, listing, page, len(expected))) == expected


@rarely_slow
@given(data=st.data(), catalogue=st.lists(images, min_size=1, max_size=12))
def test_a_list_shows_what_the_caller_may_see_and_asked_for(
    both: list[Database], run: Run, data: st.DataObject, catalogue: list[Image]
) -> None:
    pairs = st.tuples(st.sampled_from([image.id for image in catalogue]), st.sampled_from(PROJECTS))
    shares = data.draw(st.dictionaries(pairs, st.sampled_from(MEMBER_STATUSES), max_size=12))
    listing = Listing(
        admin=data.draw(st.booleans()),
        project=data.draw(st.none() | st.sampled_from(PROJECTS)),
        visibility=data.draw(st.sampled_from([None, "all", *VISIBILITIES])),
        member_status=data.draw(st.none() | st.sampled_from(MEMBER_STATUSES)),
        hidden=data.draw(st.booleans()),
        filters=data.draw(st.lists(filters, max_size=2)),
    )
    members = [Membership(image_id, project, status, 1, 1) for (image_id, project), status in shares.items()]
    visible = [image for image in catalogue if is_listed(image, listing, shares) and fits_all(image, listing.filters)]
    expected = [(image.id, shares.get((image.id, listing.project))) for image in in_order(visible, listing.sort)]
    for database in both:
        run(database.write(fill, catalogue, members))
        assert [(image.id, image.share) for image in run(fetch(database, listing))] == expected


async def fetch(database: Database, listing: Listing) -> list[Image]:
    statement, params = lists.statement(listing)
    return [rows.image(row) for row in await database.all(statement, params)]


async def pages(database: Database, listing: Listing, size: int, total: int) -> list[str]:
    """The ids of all pages, each asked for after the last image of the one before; fails at one image too many."""
    found: list[str] = []
    listing.limit = size
    while page := await fetch(database, listing):
        assert len(page) <= size
        found.extend(image.id for image in page)
        assert len(found) <= total, "A page repeats images of the page before."
        listing.marker = page[-1]
    return found


def in_order(catalogue: Iterable[Image], sort: Iterable[tuple[str, str]]) -> list[Image]:
    """The images sorted by several keys, nulls as the least value."""
    found = list(catalogue)
    for key, direction in reversed(list(sort)):
        found.sort(key=lambda image: _value(image, key), reverse=direction == "desc")
    return found


def _value(image: Image, key: str) -> Any:
    value = getattr(image, key)
    return NULLS[key] if value is None else value


def is_listed(image: Image, listing: Listing, shares: dict[tuple[str, str], str]) -> bool:
    """Section 8.2, one sentence a line."""
    if image.status == "killed" or image.os_hidden != listing.hidden:
        return False
    own = image.owner is not None and image.owner == listing.project
    share = shares.get((image.id, listing.project or "")) if image.visibility == "shared" else None
    shared = share is not None and listing.member_status in (None, share)
    if not (listing.admin or own or shared or image.visibility in ("public", "community")):
        return False
    if listing.visibility is None:
        return image.visibility != "community" or own
    return listing.visibility in ("all", image.visibility)


def fits_all(image: Image, conditions: Iterable[Filter]) -> bool:
    """Whether the image meets every condition; null meets none."""
    return all(_fits(image, each) for each in conditions)


def _fits(image: Image, condition: Filter) -> bool:
    if condition.kind == "tag":
        return condition.values[0] in image.tags
    if condition.kind == "property":
        return image.properties.get(condition.values[0]) == condition.values[1]
    value = getattr(image, condition.name)
    if condition.kind == "in":
        return value in condition.values
    return value is not None and bool(OPERATORS[condition.kind](value, condition.values[0]))
