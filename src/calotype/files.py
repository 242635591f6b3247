"""What the files hold that settings name, read by the server for all its workers.

A worker that is started anew, when one has died, is given them as they were at the server's start, and policy files as
they were last in force: it comes up with the rules of the others, whatever has become of the files.
"""

import threading
import time
from typing import NamedTuple

from calotype.access import protections
from calotype.access.policy import files as policy_files
from calotype.images import schema_properties
from calotype.settings import Settings, SettingsError


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


class FilesInForce:
    """The files for the workers that are started from now on."""

    def __init__(self, settings: Settings, files: Files) -> None:
        self._settings = settings
        self.files = files

    def follow(self) -> None:
        """Begin to look, beside the server, for policy files that the workers put in force."""
        if self._settings.policy.file or self._settings.policy.directory:
            threading.Thread(target=self._look, daemon=True, name="policy-files").start()

    def _look(self) -> None:
        before = None
        while True:
            time.sleep(policy_files.LOOK_SECONDS)
            try:
                found = policy_files.read(self._settings.policy)
                if found == before and found != self.files.policy:
                    policy_files.refuse_emptied(found, self.files.policy)
                    protections.load(self._settings.image, policy_files.load(found), self.files.protections)
                    self.files = self.files._replace(policy=found)
                before = found
            except SettingsError:  # each worker tells it
                before = None
