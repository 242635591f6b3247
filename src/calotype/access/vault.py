"""Secrets that have to be read again, unlike passwords: encrypted, with a key that is not in the database.

AES-256-GCM with a random nonce for each secret. What the secret belongs to is authenticated with it, so that one row's
secret does not work in another row.
"""

import base64
import binascii
import logging
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from calotype.images.errors import StorageUnavailable
from calotype.settings import SettingsError

KEY_BYTES = 32
NONCE_BYTES = 12
_MEND = (
    "put back the one that the access keys were made with, "
    "or delete them (`calotype key delete`), move this one away and make new ones"
)

log = logging.getLogger("calotype.vault")


class Vault:
    """Encrypts with the key in a file, which is read when it is first needed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._cipher: AESGCM | None = None

    def make(self) -> None:
        """Make the key, readable by its owner alone, unless there is one; raises OSError."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        text = base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n"
        # Whole or not there at all, also for whoever looks at the same moment.
        new = self.path.with_name(f".{self.path.name}.{secrets.token_hex(8)}")
        try:
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.link(new, self.path)
        except FileExistsError:
            return
        finally:
            new.unlink(missing_ok=True)
        directory = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def lock(self, owner: str, secret: bytes) -> str:
        """The secret of `owner` as it is kept; raises SettingsError when the key cannot be used."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return base64.b64encode(nonce + self._opened().encrypt(nonce, secret, owner.encode())).decode()

    def unlock(self, owner: str, kept: str) -> bytes:
        """The secret; raises SettingsError when the key cannot be used, or is not the one it was locked with."""
        known = self._cipher is not None
        cipher = self._opened()
        try:
            whole = base64.b64decode(kept, validate=True)
            return cipher.decrypt(whole[:NONCE_BYTES], whole[NONCE_BYTES:], owner.encode())
        except (binascii.Error, InvalidTag, ValueError):
            self._cipher = None
            if known:
                return self.unlock(owner, kept)  # another file may lie there by now
            raise SettingsError(
                f"{self.path} is not the key that the access key {owner} was made with: {_MEND}"
            ) from None

    def read(self, owner: str, kept: str) -> bytes:
        """The same for a request: raises StorageUnavailable, and says in the log what is wrong."""
        try:
            return self.unlock(owner, kept)
        except SettingsError as error:
            log.error("access keys cannot be used: %s", error)
            raise StorageUnavailable("Access keys cannot be used at the moment.") from None

    def _opened(self) -> AESGCM:
        if self._cipher is None:
            try:
                key = base64.urlsafe_b64decode(self.path.read_bytes().strip())
            except OSError as error:
                raise SettingsError(f"{self.path} cannot be read ({error.strerror}): {_MEND}") from None
            except binascii.Error:
                key = b""
            if len(key) != KEY_BYTES:
                raise SettingsError(f"{self.path} holds no key ({KEY_BYTES} bytes in base64): {_MEND}")
            self._cipher = AESGCM(key)
        return self._cipher
