"""Which minor versions a site lists (image-v2 2): a table of its configurations."""

import pytest

from calotype.api.image.discovery import MEDIA_TYPE, Versions

BELOW_8 = [7, 6, 5, 4, 3, 2, 1, 0]


@pytest.mark.parametrize(
    ("cached", "several", "minors", "current"),
    [
        (False, False, [15, 9, 17], 17),
        (False, True, [15, 13, 12, 11, 10, 9, 8, 17], 17),
        (True, False, [18, 17, 16, 15, 14, 9], 18),
        (True, True, [18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8], 18),
    ],
)
def test_what_is_listed_is_accepted_and_nothing_else(
    cached: bool, several: bool, minors: list[int], current: int
) -> None:
    versions = Versions(cached, several)
    entries = versions.entries("http://i")
    assert [each["id"] for each in entries] == [f"v2.{minor}" for minor in (*minors, *BELOW_8)]
    assert [each["id"] for each in entries if each["status"] == "CURRENT"] == [f"v2.{current}"]
    for minor in range(20):
        listed = minor in (*minors, *BELOW_8)
        assert versions.path_below(f"/v2.{minor}/images", None) == ("/images" if listed else None)
        assert versions.path_below("/images", f"{MEDIA_TYPE}v2.{minor}") == ("/images" if listed else None)
