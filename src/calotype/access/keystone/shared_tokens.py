"""What workers know of a Keystone's tokens, shared through memcached: encrypted, and under names that tell nothing."""

import asyncio
import hashlib
import logging
import os
import time

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from calotype.access.caller import Caller
from calotype.access.keystone.validated import Validated
from calotype.settings import Keystone, SettingsError

SECONDS = 0.5
"""How long memcached may take for each of: a connection, a place in line, an answer."""
RETRY_SECONDS = 5.0
"""How long a server that failed is left alone."""
CONNECTIONS = 4
_NONCE = 12

log = logging.getLogger("calotype.keystone")


class Shared(msgspec.Struct, frozen=True, array_like=True):
    """A validated token; `at` is when Keystone was asked for it, in microseconds since 1970."""

    caller: Caller
    attributes: dict[str, tuple[str, ...]]
    issued_at: int
    at: int


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Shared).decode


class SharedTokens:
    """Some memcached servers. What goes wrong with them is told in the log and is otherwise as if nothing were kept."""

    def __init__(self, settings: Keystone) -> None:
        try:
            from memcachio import Client
        except ImportError:
            raise SettingsError("keystone.memcached: memcachio is not installed; install calotype[memcached]") from None

        self._places = settings.memcached
        self._servers = [
            Client(
                _place(server),
                decode_responses=False,
                connect_timeout=SECONDS,
                read_timeout=SECONDS,
                blocking_timeout=SECONDS,
                max_connections=CONNECTIONS,
            )
            for server in settings.memcached
        ]
        self._failed_at = [-RETRY_SECONDS] * len(self._servers)
        # The Keystone is part of the keys: what another one said of a token is none of this one's answers.
        secret = f"{settings.memcached_key}\n{settings.url.rstrip('/')}".encode()
        self._names, values = (
            hashlib.blake2b(secret, digest_size=32, person=purpose).digest() for purpose in (b"names", b"values")
        )
        self._cipher = AESGCM(values)

    async def get(self, token: str) -> Shared | None:
        """What another worker, or this one, was told of a token."""
        name = self._name(token)
        server = self._server(name)
        if server is None:
            return None
        try:
            found = await self._servers[server].get(name)
        except Exception as error:  # whatever it is, Keystone can be asked instead
            self._failed(server, error)
            return None
        if not found:
            return None
        try:
            value = next(iter(found.values())).value
            return _decode(self._cipher.decrypt(value[:_NONCE], value[_NONCE:], name.encode()))
        except (InvalidTag, msgspec.MsgspecError, ValueError):
            return None  # of another version, or not ours

    async def put(self, token: str, known: Validated, at: int, seconds: float) -> None:
        """Keep an answer for the others."""
        name = self._name(token)
        server = self._server(name)
        if server is None or seconds < 1:
            return
        nonce = os.urandom(_NONCE)
        plain = _encode(Shared(known.caller, dict(known.attributes), known.issued_at, at))
        value = nonce + self._cipher.encrypt(nonce, plain, name.encode())
        try:
            await self._servers[server].set(name, value, expiry=int(seconds))
        except Exception as error:
            self._failed(server, error)

    async def trouble(self) -> list[str]:
        """A sentence for each server that cannot be used."""
        asked = (server.get(self._name("")) for server in self._servers)
        answers = await asyncio.gather(*asked, return_exceptions=True)
        return [
            f"keystone.memcached: {place} cannot be used, and workers share nothing there: {answer}"
            for place, answer in zip(self._places, answers, strict=True)
            if isinstance(answer, BaseException)
        ]

    def close(self) -> None:
        """Let the connections go."""
        for server in self._servers:
            server.connection_pool.close()

    def _name(self, token: str) -> str:
        return "calotype-" + hashlib.blake2b(token.encode(), digest_size=20, key=self._names).hexdigest()

    def _server(self, name: str) -> int | None:
        """The place of the server for a name, None if that failed a moment ago."""
        place = int(name[-8:], 16) % len(self._servers)
        return place if time.monotonic() - self._failed_at[place] >= RETRY_SECONDS else None

    def _failed(self, place: int, error: BaseException) -> None:
        self._failed_at[place] = time.monotonic()
        log.warning("memcached cannot be used: %s", error)


async def trouble(settings: Keystone) -> list[str]:
    """The same for a service that is not running; raises SettingsError as SharedTokens does."""
    if not settings.memcached:
        return []
    shared = SharedTokens(settings)
    try:
        return await shared.trouble()
    finally:
        shared.close()


def _place(server: str) -> tuple[str, int]:
    host, _, port = server.rpartition(":")
    return host.strip("[]"), int(port)
