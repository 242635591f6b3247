"""`inject_image_metadata`, and settings of plugins that cannot be followed (image-v2 24.3)."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from calotype.cli import main
from calotype.images.plugins import ready
from calotype.images.plugins.inject import injected
from calotype.settings import Plugins, Settings, SettingsError, Signature, load

INJECT = {"os_distro": "acme", "new": "1", "os_glance_stage_host": "x", "os_glance": "y"}


def test_properties_are_given_and_overwritten() -> None:
    properties = {"os_distro": "other", "kept": "2"}
    settings = Plugins(inject=INJECT)
    assert injected(properties, ["member"], settings) == {"os_distro": "acme", "kept": "2", "new": "1"}
    assert properties == {"os_distro": "other", "kept": "2"}
    assert injected({}, [], settings) == {"os_distro": "acme", "new": "1"}
    assert injected(properties, [], Plugins()) == properties


def test_some_roles_are_spared() -> None:
    properties = {"os_distro": "other"}
    assert injected(properties, ["member", "Admin"], Plugins(inject=INJECT)) == properties
    operators = Plugins(inject=INJECT, ignore_user_roles=("operator",))
    assert injected(properties, ["admin"], operators) != properties
    assert injected(properties, ["admin", "operator"], operators) == properties


@pytest.mark.parametrize(
    "inject", [{"owner": "x"}, {"": "x"}, {"locations": "x"}, {"n" * 256: "x"}, {"n": "x" * 65536}, {"n": "\0"}]
)
def test_what_can_be_no_property_is_refused_at_the_start(inject: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=r"plugins\.inject"):
        ready.check(Settings(plugins=Plugins(inject=inject)))


def test_a_missing_program_is_refused_at_the_start_if_it_is_needed() -> None:
    missing = Plugins(qemu_img="/no/such/qemu-img")
    ready.check(Settings(plugins=missing))
    enabled = Plugins(enabled=("no_op", "image_conversion"), qemu_img="/no/such/qemu-img")
    with pytest.raises(SettingsError, match=r"plugins\.qemu_img: /no/such/qemu-img is not there"):
        ready.check(Settings(plugins=enabled))


def test_certificates_are_in_a_directory(tmp_path: Path) -> None:
    ready.check(Settings(signature=Signature(certificates=str(tmp_path))))
    (tmp_path / "file").touch()
    for wrong in ("file", "none"):
        with pytest.raises(SettingsError, match=r"signature\.certificates"):
            ready.check(Settings(signature=Signature(certificates=str(tmp_path / wrong))))


def test_serve_and_doctor_say_what_is_missing(tmp_path: Path) -> None:
    environment = {
        **{name: None for name in os.environ if name.startswith("CALOTYPE_")},
        "CALOTYPE_DATA": str(tmp_path),
        "CALOTYPE_PLUGINS_ENABLED": "image_conversion",
        "CALOTYPE_PLUGINS_QEMU_IMG": "no-such-program",
    }
    for command in ("serve", "doctor"):
        ended = CliRunner().invoke(main, [command], env=environment)
        assert ended.exit_code == 1
        assert "plugins.qemu_img: no-such-program is not there" in ended.output


def test_settings_from_the_file_and_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "calotype.toml"
    file.write_text(
        '[plugins]\nenabled = ["image_decompression", "inject_image_metadata"]\ninject = {a = "1,2", "b c" = "3"}\n'
    )
    found = load(str(file)).plugins
    assert found.enabled == ("image_decompression", "inject_image_metadata")
    assert found.inject == {"a": "1,2", "b c": "3"}
    found = load(str(file), {"CALOTYPE_PLUGINS_ENABLED": "no_op", "CALOTYPE_PLUGINS_INJECT": "a=b=c,d="}).plugins
    assert (found.enabled, found.inject) == (("no_op",), {"a": "b=c", "d": ""})
    empty = {"CALOTYPE_PLUGINS_ENABLED": "", "CALOTYPE_PLUGINS_VMDK_ALLOWED_TYPES": "", "CALOTYPE_PLUGINS_INJECT": ""}
    found = load(str(file), empty).plugins
    assert (found.enabled, found.vmdk_allowed_types, found.inject) == ((), (), {})


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("PLUGINS_ENABLED", "image_conversion,unzip", r"'unzip' - at `\$.plugins.enabled\[1\]`"),
        ("PLUGINS_ENABLED", "no_op,no_op", "plugins.enabled: no_op is named twice"),
        (
            "PLUGINS_ENABLED",
            "image_conversion,no_op,image_decompression",
            "plugins.enabled: image_decompression comes before image_conversion, which reads its result",
        ),
        ("PLUGINS_INJECT", "a=b,c", "plugins.inject: 'c' is not NAME=VALUE"),
        ("PLUGINS_OUTPUT_FORMAT", "vdi", r"\$.plugins.output_format"),
        ("PLUGINS_VMDK_ALLOWED_TYPES", "monolithicFlat", r"\$.plugins.vmdk_allowed_types"),
        ("PLUGINS_CONVERT_SECONDS", "0", r"\$.plugins.convert_seconds"),
        ("PLUGINS_CONVERT_CPU_SECONDS", "x", r"\$.plugins.convert_cpu_seconds"),
        ("PLUGINS_CONVERT_ADDRESS_SPACE", "-1", r"\$.plugins.convert_address_space"),
        ("IMAGE_GPT_SAFETY_CHECKS_NONFATAL", "gpt", r"\$.image.gpt_safety_checks_nonfatal"),
        ("IMAGE_VIRTUAL_SIZE_CAP", "-1", r"\$.image.virtual_size_cap"),
    ],
)
def test_values_that_do_not_fit_are_refused_by_name(name: str, value: str, text: str) -> None:
    with pytest.raises(SettingsError, match=text):
        load(environment={f"CALOTYPE_{name}": value})
