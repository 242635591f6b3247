"""Named stores: what cannot be used is refused by its name."""

import re
from pathlib import Path

import pytest

from calotype.settings import SettingsError, load


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ('[stores.main]\ndirectory = "images"', "stores.main: .* is the directory of the store `local`"),
        (
            '[stores.one]\ndirectory = "x"\n[stores.two]\ndirectory = "y/../x"',
            "stores.two: .* is the directory of the store `one`",
        ),
        ('[stores.web]\ntype = "http"', "stores: one of them has to be of the type `file`"),
        ("[stores.os_glance_x]", "stores.os_glance_x: a name is made of"),
        ('[stores.one]\n[stores.two]\ntype = "tape"', "settings: stores.two: Invalid enum value 'tape'"),
        ("[stores.one]\n[stores.two]\nwieght = 1", "settings: stores.two: .* unknown field `wieght`"),
        ('[stores."a,b"]', "stores.a,b: a name is made of"),
        ('[image]\ndefault_store = "two"\n[stores.one]', "image.default_store: 'two' is not one of the `file` stores"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path: Path, lines: str, told: str) -> None:
    file = tmp_path / "calotype.toml"
    file.write_text(f'data = "{tmp_path}"\n{lines}\n')
    with pytest.raises(SettingsError) as refused:
        load(str(file))
    assert re.match(told, str(refused.value))


def test_the_store_without_a_name_can_be_given_its_name(tmp_path: Path) -> None:
    file = tmp_path / "calotype.toml"
    file.write_text(f'data = "{tmp_path}"\n[stores.local]\n[stores.other]\n')
    settings = load(str(file))
    assert settings.store_directory("local") == settings.images
