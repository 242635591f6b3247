"""The settings of quotas and limits."""

import pytest

from calotype.settings import SettingsError, load

KEYSTONE = {
    "CALOTYPE_QUOTA_KEYSTONE_LIMITS": "true",
    "CALOTYPE_KEYSTONE_URL": "https://keystone.example/v3",
    "CALOTYPE_KEYSTONE_USERNAME": "calotype",
    "CALOTYPE_KEYSTONE_PASSWORD": "a secret of Keystone",
}


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", None),
        ("0TB", None),
        ("1", 1),
        ("5B", 5),
        ("3KB", 3072),
        ("2 MB", 2 * 2**20),
        ("10gb", 10 * 2**30),
        ("1TB", 2**40),
    ],
)
def test_a_size_is_a_number_with_a_unit(text: str, size: int | None) -> None:
    assert load(environment={"CALOTYPE_QUOTA_STORAGE": text}).quota.storage_bytes == size


@pytest.mark.parametrize("text", ["", "-1", "1.5GB", "GB", "1PB", "1KiB", "10 0", "1" * 30, "٣"])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(SettingsError, match=r"quota\.storage"):
        load(environment={"CALOTYPE_QUOTA_STORAGE": text})


def test_a_size_may_be_a_number() -> None:
    assert load(flags={"quota": {"storage": 4096}}).quota.storage_bytes == 4096


@pytest.mark.parametrize("missing", ["URL", "USERNAME", "PASSWORD"])
def test_limits_of_keystone_need_a_keystone(missing: str) -> None:
    assert load(environment=KEYSTONE).quota.keystone_limits
    some = {name: value for name, value in KEYSTONE.items() if name != f"CALOTYPE_KEYSTONE_{missing}"}
    with pytest.raises(SettingsError, match=rf"keystone\.{missing.lower()}"):
        load(environment=some)


def test_the_url_of_keystone_is_one() -> None:
    with pytest.raises(SettingsError, match=r"keystone\.url: 'keystone' is not a URL"):
        load(environment={"CALOTYPE_KEYSTONE_URL": "keystone"})


def test_the_endpoint_has_to_be_told() -> None:
    with pytest.raises(SettingsError, match="endpoint_id, service_type or service_name"):
        load(environment={**KEYSTONE, "CALOTYPE_KEYSTONE_SERVICE_TYPE": ""})


def test_the_password_is_not_shown() -> None:
    settings = load(environment=KEYSTONE)
    assert "a secret of Keystone" not in repr(settings) + str(settings.keystone)
    assert "https://keystone.example/v3" in repr(settings)
