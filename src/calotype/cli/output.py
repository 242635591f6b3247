"""How commands print results: for people, or as JSON."""

import json
from collections.abc import Sequence
from typing import Any

import click

Rows = Sequence[dict[str, Any]]

FORMAT = click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True, help="Output."
)


def printed(result: Rows | dict[str, Any] | str, form: str) -> str:
    """Rows as a table, one thing as a table of its fields, a text as it is; or all of them as JSON."""
    return json.dumps(result, indent=2, ensure_ascii=False) if form == "json" else _plain(result)


def _plain(result: Any) -> str:
    if isinstance(result, str):
        return result
    if isinstance(result, dict):
        return _table([(name, _cell(value)) for name, value in result.items()])
    if not result:
        return "Nothing found."
    return _table([tuple(result[0]), *(tuple(_cell(value) for value in row.values()) for row in result)])


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_cell, value)) or "-"
    # A name must not draw a table of its own.
    text = "".join(character if character.isprintable() else "?" for character in str(value))
    return "-" if value is None or not text else text
