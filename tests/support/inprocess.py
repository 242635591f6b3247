"""The application in the test's own process, for what cannot be seen from outside: how many statements a call runs."""

import asyncio
from types import TracebackType
from typing import Any

import httpx
from starlette.types import ASGIApp

from calotype.database.engine import tally

BASE = "http://calotype.test"


class InProcess:
    """An application that has gone through the server's lifespan; `client` reaches it."""

    def __init__(self, application: ASGIApp) -> None:
        self._application = application
        self._to: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._from: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url=BASE)

    async def __aenter__(self) -> "InProcess":
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
        self._life = asyncio.create_task(self._application(scope, self._to.get, self._from.put))  # type: ignore[arg-type]
        await self._to.put({"type": "lifespan.startup"})
        answer = await self._from.get()
        if answer["type"] != "lifespan.startup.complete":
            raise RuntimeError(answer)
        return self

    async def __aexit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.client.aclose()
        await self._to.put({"type": "lifespan.shutdown"})
        await self._life

    async def counted(self, method: str, path: str, **options: Any) -> tuple[httpx.Response, int]:
        """The answer of one request, and how many statements the request was charged for."""
        tally.set(None)
        answer = await self.client.request(method, path, **options)
        found = tally.get()
        assert found is not None, "The application counted nothing."
        return answer, found.statements
