"""Passwords: Argon2id in threads, and the memory of recent successes.

A hash takes tens of milliseconds and the memory that the settings give it, so it never runs in the event loop, and
never more at once than there are processors.
"""

import asyncio
import base64
import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from calotype.access.errors import Invalid
from calotype.access.lookups import keep
from calotype.images.model import keepable
from calotype.settings import Identity

LONGEST = 4096
"""How many characters a password has at the most."""
REMEMBERED_SECONDS = 10.0
REMEMBERED = 1024
"""How many recent successes are kept."""
Result = TypeVar("Result")
_HASH_BYTES = 32
_SALT_BYTES = 16


class Passwords:
    """Hashes and compares passwords, as long as they are: none is cut."""

    def __init__(self, settings: Identity, clock: Callable[[], float] = time.monotonic) -> None:
        self._hasher = argon2.PasswordHasher(
            time_cost=settings.password_iterations,
            memory_cost=settings.password_memory_kib,
            parallelism=1,
            hash_len=_HASH_BYTES,
            salt_len=_SALT_BYTES,
        )
        self._threads = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="password")
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._recent: dict[bytes, float] = {}
        self._nobody = _unmatchable(settings)

    async def hash(self, password: str) -> str:
        """The hash to store, its parameters within."""
        return await self._run(self._hasher.hash, password.encode())

    async def matches(self, user_id: str, stored: str | None, password: str) -> bool:
        """Whether the password is the one behind the stored hash; None or nonsense costs the same and is no match.

        A success is remembered for some seconds under the stored hash, so a changed password is never remembered.
        """
        key = self._digest(user_id, stored or "", password)
        if self._recent.get(key, 0.0) > self._clock():
            return True
        good = await self._run(self._compare, stored or self._nobody, password.encode())
        if good:
            self._remember(key)
        return good

    def outdated(self, stored: str) -> bool:
        """Whether the hash was made with other parameters than the settings'."""
        return self._hasher.check_needs_rehash(stored)

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _compare(self, stored: str, password: bytes) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except InvalidHashError:
            # Spend what a hash costs, so that a broken row cannot be told from a wrong password.
            return self._compare(self._nobody, password)
        except VerificationError:
            return False

    def _digest(self, user_id: str, stored: str, password: str) -> bytes:
        parts = (hashlib.sha256(part.encode()).digest() for part in (user_id, stored, password))
        return hmac.digest(self._key, b"".join(parts), "sha256")

    def _remember(self, key: bytes) -> None:
        keep(self._recent, key, self._clock() + REMEMBERED_SECONDS, REMEMBERED)

    async def _run(self, work: Callable[..., Result], *arguments: object) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)


def refuse_unfit(password: str, word: str = "password") -> None:
    """Raise Invalid for what is no password, or none that is kept."""
    if not (0 < len(password) <= LONGEST and keepable(password)):
        raise Invalid(f"A {word} has 1 to {LONGEST} characters, none of them a null character.")


def _unmatchable(settings: Identity) -> str:
    """A well-formed hash of no password: comparing with it costs what comparing with a real one costs."""
    salt, digest = (
        base64.b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in (_SALT_BYTES, _HASH_BYTES)
    )
    cost = f"m={settings.password_memory_kib},t={settings.password_iterations},p=1"
    return f"$argon2id$v={argon2.low_level.ARGON2_VERSION}${cost}${salt}${digest}"
