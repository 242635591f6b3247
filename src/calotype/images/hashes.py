"""Hashes that a client announces for data that the service has not seen (spec: image-v2 15)."""

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec

from calotype.images.errors import Invalid
from calotype.images.stream import blocks

ALGORITHMS = ("sha1", "sha256", "sha512", "md5")
_BYTES = re.compile(r"([0-9a-fA-F]{2})*")


class Hashes(msgspec.Struct, frozen=True):
    """What the data should hash to; `checksum` is its MD5."""

    os_hash_algo: str
    os_hash_value: str
    checksum: str | None = None

    def check(self) -> None:
        """Raise Invalid unless the value can be one of the algorithm."""
        size = hashlib.new(self.os_hash_algo, usedforsecurity=False).digest_size
        if not hexadecimal(self.os_hash_value):
            raise Invalid(f"os_hash_value ({self.os_hash_value}) is not a valid hexadecimal value")
        if len(self.os_hash_value) != 2 * size:
            raise Invalid(
                f"os_hash_value: ({self.os_hash_value}) is not the correct size for ({self.os_hash_algo}) "
                f"(should be ({size}) bytes)"
            )


def hexadecimal(text: str) -> bool:
    """Whether it is the text of whole bytes."""
    return _BYTES.fullmatch(text) is not None


async def hashed(chunks: AsyncGenerator[bytes], algorithm: str) -> Hashes:
    """The hashes of the bytes; raises what `chunks` raises."""
    digests = hashlib.md5(usedforsecurity=False), hashlib.new(algorithm, usedforsecurity=False)
    async with aclosing(chunks), aclosing(blocks(chunks)) as pieces:
        async for piece in pieces:
            await asyncio.gather(*(asyncio.to_thread(each.update, piece) for each in digests))
    return Hashes(algorithm, digests[1].hexdigest(), digests[0].hexdigest())
