"""`calotype policy`: the rules in force, what they decide, and a file to start from."""

import click

from calotype.access import protections
from calotype.access.caller import Caller
from calotype.access.policy import files as policy_files
from calotype.access.policy.facts import Described
from calotype.access.policy.policy import Policy
from calotype.access.policy.rules import RULES
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
    """List the rules in force; what their writer hardly meant is told."""
    policy = policy_of(settings)
    for sentence in warnings(settings, policy, protections.read(settings.image)):
        click.echo(f"Warning: {sentence}.", err=True)
    rules = policy.rules
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

    The decision is the service's own: a caller without a project is refused everything. The roles are the caller's as
    they are: those that they imply have to be named as well. A target's `owner` is its `project_id`, too; without a
    target it is the caller's project.
    """
    policy = policy_of(settings)
    for name in names:
        if name not in policy.rules.texts:
            raise click.UsageError(f"{name} is no rule; `calotype policy list` lists them.")
    caller = Caller(user_id=user or "", project_id=project, roles=frozenset(role.lower() for role in roles))
    target = Described(_target(facts, project))
    decisions = {name: policy.allows(name, caller, target) for name in names or policy.rules.texts}
    click.echo(printed([{"rule": name, "allowed": allowed} for name, allowed in decisions.items()], form))
    if names and not all(decisions.values()):
        raise click.exceptions.Exit(1)


@policy.command()
def sample() -> None:
    """Print a policy.yaml with every rule at its default, commented out."""
    click.echo(_HEAD)
    for rule in RULES:
        click.echo(f'\n# {rule.guards}\n# "{rule.name}": "{rule.check}"')


def warnings(settings: Settings, policy: Policy, protected: bytes) -> list[str]:
    """What the rules say that their writer hardly meant, a sentence each; raises SettingsError.

    `protected` is what the file of property protections holds: it names rules as well.
    """
    protections.load(settings.image, policy, protected)
    return policy.warnings()


def policy_of(settings: Settings) -> Policy:
    """The policy of the files that the settings name; raises SettingsError."""
    return policy_files.load(policy_files.read(settings.policy))


def _target(facts: tuple[str, ...], project: str | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for fact in facts:
        name, separator, value = fact.partition("=")
        if not separator:
            raise click.UsageError(f"--target {fact}: NAME=VALUE is expected.")
        found[name] = value
    owner = found.get("owner", found.get("project_id", project))
    return found if owner is None else {"owner": owner, "project_id": owner, **found}
