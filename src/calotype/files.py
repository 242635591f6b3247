"""What the files hold that settings name, read by the server for all its workers.

A worker that is started anew, when one has died, is given them as they were at the server's start, and policy files as
they were last in force: it comes up with the rules of the others, whatever has become of the files.
"""

import logging
import threading
import time
from typing import NamedTuple

from calotype.access import protections
from calotype.access.policy import files as policy_files
from calotype.images import schema_properties
from calotype.settings import Settings, SettingsError

log = logging.getLogger("calotype.policy")


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
        self._found: policy_files.Texts | None = None
        self.files = files

    def follow(self) -> None:
        """Begin to look, beside the server, for policy files that the workers put in force."""
        if self._settings.policy.file or self._settings.policy.directory:
            threading.Thread(target=self._look_on, daemon=True, name="policy-files").start()

    def look(self) -> None:
        """Take what this look and the one before have found, as the workers do."""
        before, self._found = self._found, None
        try:
            found = policy_files.read(self._settings.policy)
            if found == before and found != self.files.policy:
                policy_files.refuse_emptied(found, self.files.policy)
                protections.load(self._settings.image, policy_files.load(found), self.files.protections)
                self.files = self.files._replace(policy=found)
            self._found = found
        except SettingsError:
            pass  # each worker tells it

    def _look_on(self) -> None:
        while True:
            time.sleep(policy_files.LOOK_SECONDS)
            try:
                self.look()
            except Exception:  # whatever it was, the next look comes
                log.exception("looking at the policy files failed")
