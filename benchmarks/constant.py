"""What Calotype is measured against: the same server and framework answering a constant body."""

import sys
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from calotype.server import run
from calotype.settings import load

SIZE = 1000
"""Bytes of the body: about what the origin call answers."""


def application() -> Any:
    """One route, one answer."""

    async def constant(request: Request) -> Response:
        return Response(b"x" * SIZE, media_type="application/json")

    return Starlette(routes=[Route("/constant", constant)])


if __name__ == "__main__":
    run(load(flags={"bind": sys.argv[1]}), application)
