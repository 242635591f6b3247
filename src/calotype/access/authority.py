"""Who says what a token grants: the built-in identity (`tokens.py`), or a Keystone (`keystone/tokens.py`)."""

from typing import Protocol

from calotype.access.caller import Caller


class Authority(Protocol):
    """What the APIs ask. A Keystone that cannot be asked raises StorageUnavailable."""

    @property
    def image_endpoint(self) -> str:
        """The URL of the image service in the authority's own catalogue, without version and final slash; or empty."""

    async def caller(self, token: str | None, helper: Caller | None = None) -> Caller | None:
        """The caller behind a token, None when it grants nothing.

        `helper` is the service whose own token came along: with it a token may have expired a while ago.
        """

    async def service(self, token: str) -> Caller | None:
        """The service behind a token of an X-Service-Token header, None when it is not valid or not a service's."""
