"""Other services of the catalogue: what cannot be used is refused by its name."""

from pathlib import Path

import pytest

from calotype.settings import SettingsError, load

TYPE, URL = 'type = "image"', 'url = "https://image.two.example"'


@pytest.mark.parametrize(
    ("name", "lines", "told"),
    [
        ("glance", f"{TYPE}\n{URL}", "catalog.glance: the name is taken"),
        ("two", URL, "catalog.two.type: say of which type"),
        ("two", TYPE, "catalog.two.url: '' is not a URL"),
        ("two", f'{TYPE}\nurl = "image.two.example"', "catalog.two.url: 'image.two.example' is not a URL"),
        ("two", f"{TYPE}\n{URL}\nzone = 1", "unknown field `zone`"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path: Path, name: str, lines: str, told: str) -> None:
    file = tmp_path / "calotype.toml"
    file.write_text(f"[catalog.{name}]\n{lines}\n")
    with pytest.raises(SettingsError, match=told.replace(".", r"\.")):
        load(str(file))
