"""Settings of time have bounds: no clock reaches beyond."""

import pytest

from calotype.settings import SettingsError, load


@pytest.mark.parametrize("name", ["identity.lockout_minutes", "keystone.timeout_seconds", "jobs.keep_hours"])
@pytest.mark.parametrize("text", ["inf", "nan", "1e12", "0", "-1"])
def test_a_time_beyond_its_bounds_is_refused(name: str, text: str) -> None:
    with pytest.raises(SettingsError, match=name):
        load(None, {f"CALOTYPE_{name.replace('.', '_').upper()}": text})
