"""`calotype settings`: every setting with its default and what it does, as a TOML file to start from."""

import ast
import inspect
from typing import Any, get_args

import click
import msgspec

from calotype.settings import Section, Settings, access, apis, data, tree


@click.command()
def settings() -> None:
    """Print every setting with its default, as a TOML file for --config."""
    click.echo(sample(), nl=False)


def sample() -> str:
    """The file: each setting commented out at its default, below what its documentation says."""
    documents = _documents()
    top: list[str] = []
    sections: list[str] = []
    for field in msgspec.structs.fields(Settings):
        if isinstance(field.default, Section):
            kind = type(field.default)
            sections += ["", f"# {documents[kind.__name__, '']}", f"[{field.name}]", *_entries(documents, kind)]
        elif field.default_factory is dict:
            # There is no such table by default: even uncommented, this stays what it is.
            entries = _entries(documents, get_args(field.type)[1])
            sections += ["", f"# {documents['Settings', field.name]}", f"#   [{field.name}.NAME]"]
            sections += [line.replace("# ", "#   ", 1) for line in entries]
        else:
            top += _entry(documents, Settings, field)
    return "\n".join((*top, *sections)) + "\n"


def _entries(documents: dict[tuple[str, str], str], kind: type[msgspec.Struct]) -> list[str]:
    return [line for each in msgspec.structs.fields(kind) for line in _entry(documents, kind, each)]


def _entry(documents: dict[tuple[str, str], str], kind: type, field: Any) -> list[str]:
    default = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
    return [f"# {documents[kind.__name__, field.name]}", f"# {field.name} = {_toml(default)}"]


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {_toml(each)}" for name, each in value.items()) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _documents() -> dict[tuple[str, str], str]:
    """What the source says of each section and setting, by class and field name; a section's own has no field."""
    found: dict[tuple[str, str], str] = {}
    for node in (node for each in (tree, apis, data, access) for node in ast.parse(inspect.getsource(each)).body):
        if isinstance(node, ast.ClassDef):
            found[node.name, ""] = _text(node.body[0])
            for field, text in zip(node.body, node.body[1:], strict=False):
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    found[node.name, field.target.id] = _text(text)
    return found


def _text(node: ast.stmt) -> str:
    """A docstring on one line."""
    constant = node.value if isinstance(node, ast.Expr) else None
    text = constant.value if isinstance(constant, ast.Constant) else ""
    return " ".join(str(text).split())
