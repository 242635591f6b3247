"""`calotype policy`: the rules in force, what they decide, and a file to start from."""

import click

from calotype.access.policy import files as policy_files
from calotype.access.policy.rules import DEFAULTS, RULES
from calotype.cli.common import with_settings
from calotype.cli.output import FORMAT, printed
from calotype.settings import Settings

_GUARDS = {rule.name: rule.guards for rule in RULES}
_HEAD = """\
# Rules of Calotype's image APIs, in the language of oslo.policy, with their defaults. Take the sign away from what you
# change, and name the file in the settings: [policy] file = "policy.yaml". A running service notices changes."""


@click.group()
def policy() -> None:
    """Who may do what with images."""


@policy.command("list")
@click.option("--changed", is_flag=True, help="Only rules that differ from their defaults.")
@FORMAT
@with_settings
def list_(settings: Settings, changed: bool, form: str) -> None:
    """List the rules in force; rules that name others that are not there are told."""
    rules = policy_files.rulebook(settings.policy)
    for name, absent in rules.undefined():
        click.echo(f"Warning: {name} names {absent}, which is no rule; `default` stands in.", err=True)
    for name in rules.texts.keys() - DEFAULTS.keys():
        click.echo(f"Warning: {name} counts only where another rule or a property protection names it.", err=True)
    found = [
        {"rule": name, "changed": rules.changed(name), "guards": _GUARDS.get(name), "check": text}
        for name, text in rules.texts.items()
    ]
    click.echo(printed([each for each in found if each["changed"] or not changed], form))


@policy.command()
@click.argument("names", nargs=-1, metavar="[RULE]...")
@click.option("--role", "roles", multiple=True, help="A role of the caller; may be given several times.")
@click.option("--project", help="The caller's project.")
@click.option("--user", help="The caller's id.")
@click.option("--target", "facts", multiple=True, metavar="NAME=VALUE", help="For example owner=ID, visibility=public.")
@FORMAT
@with_settings
def check(
    settings: Settings,
    names: tuple[str, ...],
    roles: tuple[str, ...],
    project: str | None,
    user: str | None,
    facts: tuple[str, ...],
    form: str,
) -> None:
    """Tell what the rules let a caller do; exit with 1 if one of the named rules refuses.

    The roles are the caller's as they are: those that they imply have to be named as well. A target's `owner` is its
    `project_id`, too; without a target it is the caller's project.
    """
    rules = policy_files.rulebook(settings.policy)
    for name in names:
        if name not in rules.texts:
            raise click.UsageError(f"{name} is no rule; `calotype policy list` lists them.")
    caller = {"roles": [*roles], "service_roles": [], "project_id": project, "user_id": user}
    target = _target(facts, project)
    decisions = {name: rules.decide(name, caller, target) for name in names or rules.texts}
    click.echo(printed([{"rule": name, "allowed": allowed} for name, allowed in decisions.items()], form))
    if names and not all(decisions.values()):
        raise click.exceptions.Exit(1)


@policy.command()
def sample() -> None:
    """Print a policy.yaml with every rule at its default, commented out."""
    click.echo(_HEAD)
    for rule in RULES:
        click.echo(f'\n# {rule.guards}\n# "{rule.name}": "{rule.check}"')


def _target(facts: tuple[str, ...], project: str | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for fact in facts:
        name, separator, value = fact.partition("=")
        if not separator:
            raise click.UsageError(f"--target {fact}: NAME=VALUE is expected.")
        found[name] = value
    owner = found.get("owner", found.get("project_id", project))
    return found if owner is None else {"owner": owner, "project_id": owner, **found}
