"""The documentation says what is so."""

import re
from pathlib import Path

import click

from calotype.cli import main
from calotype.cli.settings import sample
from calotype.settings import load

ROOT = Path(__file__).parents[2]
DOCS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


def test_the_configuration_page_holds_every_setting_as_the_source_has_it() -> None:
    assert f"```toml\n{sample()}```\n" in (ROOT / "docs/configuration.md").read_text()


def test_the_sample_is_the_default_configuration(tmp_path: Path) -> None:
    file = tmp_path / "calotype.toml"
    file.write_text(re.sub(r"^# (\w+ = )", r"\1", sample(), flags=re.M))
    assert load(str(file)) == load()


def test_every_command_is_in_the_operations_page() -> None:
    page = (ROOT / "docs/operations.md").read_text()
    missing = [path for path in _commands(main, "calotype") if f"`{path}" not in page]
    assert missing == []


def test_every_file_that_the_documentation_names_exists() -> None:
    for page in DOCS:
        for name in re.findall(r"`((?:src|tests|docs|benchmarks)/[\w/.-]+\.\w+)`", page.read_text()):
            assert (ROOT / name).exists(), f"{page.name} names {name}"
        for name in re.findall(r"`(\w[\w/]*/\w+\.py)`", page.read_text()):
            assert any((ROOT / place / name).exists() for place in ("", "src/calotype")), f"{page.name} names {name}"
        for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name} links to {link}"


def _commands(command: click.Command, path: str) -> list[str]:
    if not isinstance(command, click.Group):
        return [path]
    return [each for name, sub in command.commands.items() for each in _commands(sub, f"{path} {name}")]
