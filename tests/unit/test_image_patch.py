"""PATCH: pointers and bodies fed with anything, and its effect against a model (image-v2 10)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calotype.access.policy.policy import Policy
from calotype.api.image import patch
from calotype.api.image.schemas import ImageValidator
from calotype.images import attributes
from calotype.images.errors import Conflict, ImageError, LimitExceeded
from calotype.images.patch import Operation, apply
from calotype.settings import Image
from tests.support.catalogue import an_image
from tests.support.compute import CALLERS

LIMITS = Image()
VALIDATOR = ImageValidator(LIMITS)
DEMO = CALLERS["demo"]

json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=6,
)
pointers = st.one_of(
    st.text(alphabet="/~01 ab", max_size=8),
    st.sampled_from(("/name", "/tags", "/tags/-", "/locations", "/locations/-", "/owner", "/min_disk", "/status")),
    json,
)
changes = st.fixed_dictionaries(
    {}, optional={"op": st.one_of(st.sampled_from(("add", "replace", "remove", "move")), json), "path": pointers,
                  "add": pointers, "remove": pointers, "replace": pointers, "value": json}
)  # fmt: skip
bodies = st.one_of(json, st.lists(st.one_of(changes, json), max_size=4))

refused = {*attributes.READ_ONLY, *attributes.RESERVED}
names = st.text(min_size=1).filter(
    lambda name: name == name.strip() and name not in refused and not name.startswith("os_glance")
)
simple = st.builds(
    Operation, op=st.sampled_from(("add", "replace", "remove")), name=st.sampled_from("abcdef"), value=st.text(),
    strict_add=st.booleans(),
)  # fmt: skip


@given(bodies, st.sampled_from((patch.V20, patch.V21)))
def test_any_body_is_operations_or_refused(body: Any, kind: str) -> None:
    try:
        found = patch.operations(body, kind, VALIDATOR, 100)
    except ImageError:
        return
    assert all(each.op in ("add", "replace", "remove") for each in found)
    assert len(found) == len(body)


@given(names)
def test_every_name_has_a_pointer(name: str) -> None:
    pointer = "/" + name.replace("~", "~0").replace("/", "~1")
    (found,) = patch.operations([{"op": "remove", "path": pointer}], patch.V21, VALIDATOR, 1)
    assert found.name == name


def test_the_number_of_operations_is_bounded() -> None:
    body = [{"op": "replace", "path": "/name", "value": "x"}] * 1001
    assert len(patch.operations(body[:1000], patch.V21, VALIDATOR, 1000)) == 1000
    with pytest.raises(LimitExceeded, match="1001"):
        patch.operations(body, patch.V21, VALIDATOR, 1000)


@given(st.dictionaries(st.sampled_from("abcdef"), st.text(), max_size=6), st.lists(simple, min_size=1, max_size=8))
def test_properties_change_as_in_a_model(before: dict[str, str], operations: list[Operation]) -> None:
    image = an_image(owner=DEMO.project_id, visibility="private", properties=dict(before))
    expected = _model(before, operations)
    if expected is None:
        with pytest.raises(Conflict):
            apply(operations, image, DEMO, Policy(), LIMITS, _no_locations)
    else:
        after = apply(operations, image, DEMO, Policy(), LIMITS, _no_locations)
        assert after.properties == expected
        assert after.updated_at > image.updated_at
    assert image.properties == before, "What is applied must not change the image that it is applied to."


def _no_locations(operation: Operation, image: object) -> None:
    raise AssertionError(operation)


def _model(before: dict[str, str], operations: list[Operation]) -> dict[str, str] | None:
    """The properties after the operations; None when one of them meets a conflict."""
    state = dict(before)
    for each in operations:
        present = each.name in state
        if present == (each.op == "add") and (each.op != "add" or each.strict_add):
            return None
        if each.op == "remove":
            del state[each.name]
        else:
            state[each.name] = each.value
    return state
