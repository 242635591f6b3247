"""A request to the Compute API, with what its checks found out."""

from typing import Any

from starlette.types import Receive, Scope

from calotype.api.compute.links import Links
from calotype.api.wire import Request


class ComputeRequest(Request):
    """`version` is the prefix the client used and `project` the project id in the URL, if there is one.

    `marks` are the header lines that the answer gets whatever it says: request ids, microversion, signposts.
    `base` is scheme, host and proxy prefix by which the client came.
    """

    def __init__(self, scope: Scope, receive: Receive) -> None:
        super().__init__(scope, receive)
        self.version = "v2.1"
        self.project: str | None = None
        self.base = ""
        self.links: Links
        self.document: Any = None
        self.marks: list[tuple[bytes, bytes]] = []
