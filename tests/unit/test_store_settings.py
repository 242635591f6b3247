"""Named stores: what cannot be used is refused by its name."""

import re
from pathlib import Path

import pytest

from calotype.cli.prepare import prepare
from calotype.server import check
from calotype.settings import Identity, Settings, SettingsError, Store, load
from tests.support.system import free_port


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ('[stores.main]\ndirectory = "images"', "stores.main: .* is the directory of the store `local`"),
        (
            '[stores.one]\ndirectory = "x"\n[stores.two]\ndirectory = "y/../x"',
            "stores.two: .* is the directory of the store `one`",
        ),
        ('[stores.web]\ntype = "http"', "stores: one of them has to be of the type `file`"),
        (
            '[stores.file]\n[stores.web]\ntype = "http"\n[stores.more]\ntype = "http"',
            "stores: one of the type `http` is enough",
        ),
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


def test_a_directory_that_cannot_be_made_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    place = tmp_path / "file" / "two"
    stores = {"one": Store(), "two": Store(directory=str(place)), "web": Store(type="http")}
    with pytest.raises(SettingsError) as refused:
        prepare(Settings(data=str(tmp_path / "data"), stores=stores))
    assert str(refused.value) == f"stores.two: cannot make {place}: Not a directory"


def test_only_their_owner_and_his_group_see_into_directories_that_are_made(tmp_path: Path) -> None:
    """Whatever lies in the data directory, the owner alone gets there."""
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    stores = {"one": Store(), "two": Store(directory=str(elsewhere)), "web": Store(type="http")}
    bind, identity = f"127.0.0.1:{free_port()}", Identity(password_memory_kib=64)
    settings = Settings(data=str(data), bind=bind, stores=stores, identity=identity)
    check(settings)
    assert not data.exists(), "A start that is refused leaves nothing."
    prepare(settings)
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in (data, data / "one", elsewhere)}
    assert modes == {"data": "0o700", "one": "0o750", "elsewhere": "0o750"}
    assert not (data / "web").exists()
