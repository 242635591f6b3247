"""Which version is here (spec: identity-and-huawei A.1)."""

from calotype.api.identity import views
from calotype.api.wire import Reply, Request, json_reply


class Discovery:
    """The two documents that need no token."""

    async def root(self, request: Request, url: str) -> Reply:
        """`GET /`: a choice of one, hence 300."""
        location = (b"location", f"{url}/".encode("latin-1", "replace"))
        return json_reply({"versions": {"values": [views.version(url)]}}, 300, [location])

    async def v3(self, request: Request, url: str) -> Reply:
        """`GET /v3`."""
        return json_reply({"version": views.version(url)})
