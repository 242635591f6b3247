"""Settings of the cache that cannot be used are refused by name."""

from pathlib import Path

import pytest

from calotype.settings import SettingsError, load


def test_stores_that_are_read_through_have_to_exist(tmp_path: Path) -> None:
    file = tmp_path / "calotype.toml"
    text = "[cache]\nstores = ['{}']\n[stores.slow]\n"
    for name in ("slow", "local"):
        file.write_text(text.format(name))
        assert load(str(file)).cache.stores == (name,)
    file.write_text(text.format("fast"))
    with pytest.raises(SettingsError, match=r"cache.stores: 'fast'"):
        load(str(file))


def test_a_cache_has_a_size() -> None:
    assert load(environment={"CALOTYPE_CACHE_SIZE": "1"}).cache.size == 1
    with pytest.raises(SettingsError, match=r"cache.size"):
        load(environment={"CALOTYPE_CACHE_SIZE": "0"})
