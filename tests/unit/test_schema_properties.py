"""The file of schemas for additional properties: what it may hold, and how values are kept (image-v2 4.4)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calotype.database import images as rows
from calotype.images import attributes, schema_properties
from calotype.images.errors import Invalid
from calotype.images.schema_properties import SchemaProperties, shown
from calotype.settings import Image, SettingsError
from tests.support.attacked import PATCH
from tests.support.catalogue import Run, an_image
from tests.support.compute import DEMO, Service
from tests.support.image import image_service

Read = Callable[..., SchemaProperties]
TEXT = {"type": "string"}


def load(settings: Image) -> SchemaProperties | None:
    """The schemas of the file that the settings name."""
    return schema_properties.load(settings, schema_properties.read(settings))


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads a file with the given content."""

    def of(content: Any) -> SchemaProperties:
        path = tmp_path / "schema.json"
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        found = load(Image(schema_file=str(path)))
        assert found is not None
        return found

    return of


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "not JSON: Expecting property name"),
        (b"\xff", "not JSON: 'utf-8' codec can't decode byte 0xff"),
        (b"[" * 100_000, "not JSON: maximum recursion depth exceeded"),
        ([], "not an object of names and schemas"),
        ({"properties": []}, "properties: not an object of names and schemas"),
        ({"properties": {}, "required": "a"}, "required: not a list of names"),
        ({"properties": {}, "required": [1]}, "required: not a list of names"),
        ({"properties": {}, "required": ["status"]}, "required: 'status' cannot be given with a new image"),
        ({"properties": {}, "required": ["os_glance_x"]}, "required: 'os_glance_x' cannot be given"),
        ({"name": TEXT}, "'name' is an attribute of every image, or reserved"),
        ({"stores": TEXT}, "'stores' is an attribute of every image, or reserved"),
        ({"deleted": TEXT}, "'deleted' is an attribute of every image, or reserved"),
        ({"os_glance_x": TEXT}, "'os_glance_x' is an attribute of every image, or reserved"),
        ({"x" * 256: TEXT}, f"'{'x' * 40}' cannot be the name of a property"),
        ({"\0": TEXT}, "'\\x00' cannot be the name of a property"),
        ({"a": "string"}, "'a': not a schema"),
        ({"a": {"type": "text"}}, "'a': not a schema: 'text' is not valid under any of the given schemas"),
        ({"a": {"type": "string", "pattern": "("}}, "'a': not a schema: '(' is not a 'regex'"),
        ({"a": {"type": "string", "not": {"pattern": "("}}}, "'a': not a schema: '(' is not a 'regex'"),
        ({"a": {"type": "string", "maxLength": "x"}}, "'a': not a schema: 'x' is not of type 'integer'"),
        ({"a": {"type": "string", "anyOf": [{"$ref": "#"}]}}, "'a': references to other schemas are not followed"),
        ({"a": {}}, "'a': type has to be one of string, null, integer, number, boolean, or a list of these"),
        ({"a": {"enum": ["x"]}}, "'a': type has to be one of"),
        ({"a": {"type": ["string", "array"]}}, "'a': type has to be one of"),
    ],
)
def test_a_file_that_cannot_be_used_is_told(tmp_path: Path, read: Read, content: Any, message: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        read(content)
    assert f"image.schema_file: {tmp_path}/schema.json: {message}" in str(refusal.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"image\.schema_file: .*absent: No such file or directory"):
        load(Image(schema_file=str(tmp_path / "absent")))


def test_no_file_is_no_schema() -> None:
    assert load(Image()) is None


def test_both_forms_say_the_same(read: Read) -> None:
    flat, extended = read({"a": TEXT}), read({"properties": {"a": TEXT}, "required": ["a", "name", "b"]})
    assert flat.schemas == extended.schemas == {"a": {"type": "string", "is_base": False}}
    assert (flat.required, extended.required) == ((), ("a", "name", "b"))


def test_a_property_may_be_called_properties(read: Read) -> None:
    assert list(read({"properties": TEXT, "a": TEXT}).schemas) == ["properties", "a"]


def test_the_standard_file_describes_the_usual_names() -> None:
    found = load(Image(schema_file="standard"))
    assert found is not None
    assert list(found.schemas) == [
        "kernel_id", "ramdisk_id", "instance_uuid", "architecture", "os_distro", "os_version", "description",
        "cinder_encryption_key_id", "cinder_encryption_key_deletion_policy",
    ]  # fmt: skip


TYPES = ("string", "null", "integer", "number", "boolean")
values = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    st.none(),
    st.integers(-(2**63) + 1, 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
)


@given(st.sampled_from(TYPES), values)
def test_a_value_of_one_type_is_read_back(kind: str, value: Any) -> None:
    schema = SchemaProperties({"a": {"type": kind}})
    text = attributes.kept("a", value)
    assert text is None or isinstance(text, str)
    if _is(kind, value):
        schema.check("a", text)
        (found,) = schema.shown({"a": text}).values()
        assert found == value
        assert type(found) is type(value)


@given(st.lists(st.sampled_from(TYPES), min_size=1, unique=True), values)
def test_what_is_shown_fits_when_it_was_taken(kinds: list[str], value: Any) -> None:
    schema = SchemaProperties({"a": {"type": kinds}})
    if any(_is(kind, value) for kind in kinds):
        (found,) = schema.shown({"a": attributes.kept("a", value)}).values()
        assert any(_is(kind, found) for kind in kinds)


def _is(kind: str, value: Any) -> bool:
    """JSON Schema's own words: a whole number is an integer however it is written."""
    if kind == "integer":
        return type(value) is int or (isinstance(value, float) and value.is_integer())
    kinds: dict[str, Any] = {"string": str, "null": type(None), "number": (int, float), "boolean": bool}
    return isinstance(value, kinds[kind]) and (kind == "boolean" or not isinstance(value, bool))


@pytest.mark.parametrize("value", [2**63, -(2**63), float("inf"), float("nan"), [], {}])
def test_what_cannot_be_kept_is_refused(value: Any) -> None:
    with pytest.raises(Invalid):
        attributes.kept("a", value)


def test_what_was_kept_before_the_schema_is_shown_as_text() -> None:
    schema = SchemaProperties(
        {
            "a": {"type": "integer"},
            "b": {"type": "boolean"},
            "c": {"type": ["null", "integer"]},
            "f": {"type": "integer"},
        }
    )
    kept = {"a": "many", "b": "1", "c": '"4"', "d": None, "e": "true", "f": "9" * 20}
    assert schema.shown(kept) == {"a": "many", "b": "1", "c": '"4"', "d": "", "e": "true", "f": "9" * 20}
    assert shown(kept, None) == {**kept, "d": ""}


def test_a_null_is_found_on_no_database_by_any_value(compute: Service) -> None:
    image = an_image(owner=DEMO, properties={"kernel_id": None, "instance_uuid": None, "auto_disk_config": None})
    compute.run(compute.database.write(rows.create, image))
    answer = compute("GET", f"/v2.1/images/{image.id}").json()["image"]
    assert answer["metadata"] == {"kernel_id": None, "instance_uuid": None, "auto_disk_config": None}
    assert "server" not in answer
    assert "OS-DCF:diskConfig" not in answer
    for value in ("", "None", "null"):
        assert compute("GET", f"/v2.1/images?property-kernel_id={value}").json() == {"images": []}


def test_a_file_that_is_gone_leaves_a_catalogue_that_is_served(tmp_path: Path, run: Run) -> None:
    (tmp_path / "schema.json").write_text(json.dumps({"a": {"type": ["null", "integer"]}, "b": {"type": "integer"}}))
    with image_service(tmp_path, run, image=Image(schema_file=str(tmp_path / "schema.json"))) as service:
        made = service("POST", "/v2/images", json={"a": None, "b": 5}).json()
        assert (made["a"], made["b"]) == (None, 5)
    with image_service(tmp_path, run) as service:
        shown = service("GET", f"/v2/images/{made['id']}").json()
        assert (shown["a"], shown["b"]) == ("", "5")
        change = [{"op": "replace", "path": "/a", "value": "text"}, {"op": "replace", "path": "/b", "value": "6"}]
        assert service("PATCH", f"/v2/images/{made['id']}", json=change, headers=PATCH).status_code == 200


def test_numbers_without_end_are_refused(tmp_path: Path, run: Run) -> None:
    (tmp_path / "schema.json").write_text(json.dumps({"a": {"type": "number", "multipleOf": 0.5}}))
    with image_service(tmp_path, run, image=Image(schema_file=str(tmp_path / "schema.json"))) as service:
        for number in ("1" + "0" * 400, "1e999", "NaN", "9223372036854775808", "1" * 4000):
            answer = service("POST", "/v2/images", content=f'{{"a": {number}}}'.encode())
            assert answer.status_code == 400, number
