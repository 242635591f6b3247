"""What the files hold that settings name, read by the server for all its workers.

A worker that is started anew, when one has died, is given them as they were at the server's start: it comes up with the
rules of the others, whatever has become of the files.
"""

from typing import NamedTuple

from calotype.access import protections
from calotype.access.policy import files as policy_files
from calotype.images import schema_properties
from calotype.settings import Settings


class Files(NamedTuple):
    """The contents by what they are for; empty where no file is named."""

    policy: policy_files.Texts
    protections: bytes
    schema: bytes


def read(settings: Settings) -> Files:
    """What they hold now; raises SettingsError for a file that cannot be read."""
    return Files(
        policy_files.read(settings.policy), protections.read(settings.image), schema_properties.read(settings.image)
    )
