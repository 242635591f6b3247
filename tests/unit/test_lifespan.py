"""The end of a worker: what a server broke off clears up before the parts are closed."""

import asyncio
from typing import Any

from calotype.app import Lifespan


def test_parts_are_closed_after_the_last_request_cleared_up() -> None:
    order: list[str] = []

    class Part:
        async def open(self) -> None:
            order.append("opened")

        async def close(self) -> None:
            order.append("closed")

    async def application(scope: Any, receive: Any, send: Any) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.1)
            order.append("cleared up")

    async def send(_: Any) -> None:
        pass

    async def live() -> None:
        messages: asyncio.Queue[Any] = asyncio.Queue()
        lifespan = Lifespan(application, [Part()])
        life = asyncio.create_task(lifespan({"type": "lifespan"}, messages.get, send))
        request = asyncio.create_task(lifespan({"type": "http"}, messages.get, send))
        messages.put_nowait({"type": "lifespan.startup"})
        await asyncio.sleep(0.01)
        request.cancel()  # as uvicorn does, which does not wait
        messages.put_nowait({"type": "lifespan.shutdown"})
        await life

    asyncio.run(live())
    assert order == ["opened", "cleared up", "closed"]
