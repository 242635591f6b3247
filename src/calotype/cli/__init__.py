"""The command line: thin commands over the same parts that serve."""

import click

from calotype import __version__
from calotype.cli.db import db
from calotype.cli.doctor import doctor
from calotype.cli.domain import domain
from calotype.cli.image import image
from calotype.cli.key import key
from calotype.cli.metadefs import metadefs
from calotype.cli.policy import policy
from calotype.cli.project import project
from calotype.cli.role import role
from calotype.cli.serve import init, serve
from calotype.cli.settings import settings
from calotype.cli.task import task
from calotype.cli.token import token
from calotype.cli.user import user


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Calotype: the OpenStack image service in one process."""


for command in (
    serve, init, db, domain, project, user, role, token, key, image, task, metadefs, policy, settings, doctor
):  # fmt: skip
    main.add_command(command)
