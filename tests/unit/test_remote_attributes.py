"""What data brings along from another Glance is held to the rules of a new image (image-v2 4, 13.4)."""

from typing import Any

import pytest

from calotype.images.attributes import admissible
from calotype.images.errors import ImageError
from calotype.settings import Image

WRONG: dict[str, dict[str, Any]] = {
    "a format that nobody knows": {"disk_format": "nonsense"},
    "a format that is no text": {"disk_format": ["raw"]},
    "a container that nobody knows": {"container_format": "sack"},
    "a name that is too long": {"properties": {"n" * 256: "v"}},
    "a value that is too long": {"properties": {"n": "v" * 65_536}},
    "a name that is the service's own": {"properties": {"os_glance_import_task": "v"}},
    "a value that no database keeps": {"properties": {"n": "\0"}},
    "a name that no database keeps": {"properties": {"\ud800": "v"}},
}


@pytest.mark.parametrize("attributes", WRONG.values(), ids=list(WRONG))
def test_what_no_image_may_have_is_refused(attributes: dict[str, Any]) -> None:
    with pytest.raises(ImageError):
        admissible(attributes, Image())


def test_everything_else_is_taken_over() -> None:
    found = {"disk_format": "raw", "container_format": "bare", "properties": {"os_distro": "debian"}}
    assert admissible(found, Image()) == found
    assert admissible({}, Image()) == {}
