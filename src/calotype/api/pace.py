"""Clients that send a body too slowly are cut off, so that nobody holds connections and uploads open for nothing."""

import asyncio
from collections.abc import Awaitable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from calotype.api.wire import SlowClient
from calotype.settings import Clients

_WITHOUT_BODY = ("GET", "HEAD", "OPTIONS")
"""What is not watched: no call reads a body of these, except to verify a signature."""


class Paced:
    """The layer that watches bodies arrive, in front of all APIs."""

    def __init__(self, app: ASGIApp, settings: Clients) -> None:
        self._app = app
        self._pace = settings.body_pace
        self._seconds = settings.body_seconds

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request."""
        if scope["method"] in _WITHOUT_BODY:
            return self._app(scope, receive, send)
        return self._watch(scope, receive, send)

    async def _watch(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = PacedBody(receive, self._pace, self._seconds)
        try:
            await self._app(scope, body, send)
        finally:
            body.let_go()


class PacedBody:
    """An ASGI `receive` that raises SlowClient once the client brings fewer than `pace` bytes a second over `seconds`.

    Only the time counts during which the service waits for the client. One timer watches the whole body: one for each
    piece would be set and cancelled thousands of times in a large upload.
    """

    def __init__(self, receive: Receive, pace: int, seconds: float) -> None:
        self._receive = receive
        self._least = pace * seconds
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._waited = 0.0
        self._since: float | None = None
        self._bytes = 0
        self._waiting: asyncio.Task[object] | None = None
        self._whole = False
        self._cut_off = asyncio.Event()

    async def __call__(self) -> Message:
        """The next piece."""
        if self._whole:
            return await self._receive()
        if self._cut_off.is_set():
            raise SlowClient
        if self._timer is None:
            self._timer = self._loop.call_later(self._seconds, self._look)
        task = self._waiting = asyncio.current_task()
        began = self._since = self._loop.time()
        try:
            message = await self._receive()
        except asyncio.CancelledError:
            if self._cut_off.is_set() and task is not None and task.uncancel() == 0:
                raise SlowClient from None
            raise
        finally:
            # What _look has counted already is not counted again.
            self._waited += self._loop.time() - (self._since or began)
            self._since = self._waiting = None
        self._bytes += len(message.get("body", b""))
        if not message.get("more_body"):
            self._whole = True
            self.stop()
        return message

    def stop(self) -> None:
        """Watch no longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def let_go(self) -> None:
        """Forget the client: Granian keeps a connection as long as somebody could still read from it."""
        self.stop()
        self._receive = _nobody

    def _look(self) -> None:
        """After so many seconds: cut the client off, or begin the next stretch with what is missing of this one."""
        moment = self._loop.time()
        if self._since is not None:
            self._waited += moment - self._since
            self._since = moment
        left = self._seconds - self._waited
        if left <= 0:
            if self._bytes < self._least:
                self._cut_off.set()
                if self._waiting is not None:
                    self._waiting.cancel()
                return
            self._waited, self._bytes, left = 0.0, 0, self._seconds
        self._timer = self._loop.call_later(left, self._look)


async def _nobody() -> Message:
    """What is to be had of a client that was let go."""
    return {"type": "http.disconnect"}
