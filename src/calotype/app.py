"""Assembles the service: `build(settings)` makes the ASGI application out of its parts. Nothing else constructs them."""

import asyncio
import re
import time

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from calotype.access.accounts import Accounts
from calotype.access.passwords import Passwords
from calotype.access.policy import Policy
from calotype.access.tokens import Tokens
from calotype.api.compute.routes import ComputeAPI
from calotype.api.health import Health
from calotype.api.identity.routes import IdentityAPI
from calotype.api.image.routes import ImageAPI
from calotype.api.wire import Reply, collapse
from calotype.database.connect import connect
from calotype.database.engine import Tally, tally
from calotype.images.library import Library
from calotype.images.sharing import Sharing
from calotype.images.transfer import Transfer
from calotype.jobs.sweeper import Sweeper
from calotype.settings import Settings
from calotype.stores.local import LocalStore
from calotype.telemetry import log
from calotype.telemetry.callers import DeprecatedCalls

_COMPUTE_V2 = re.compile(r"/v2/[0-9a-f-]+/images(/.*)?$")


def build(settings: Settings) -> ASGIApp:
    """The application of one worker; it connects and starts its background work at the ASGI lifespan's start-up."""
    database = connect(settings)
    store = LocalStore(settings.images)
    tokens = Tokens(database, settings.identity)
    accounts = Accounts(database, Passwords(settings.identity), tokens.forget)
    policy = Policy()
    library = Library(database, policy, store, settings.image)
    sharing = Sharing(database, library, policy, settings.image)
    transfer = Transfer(database, library, policy, store, settings.image)
    sweeper = Sweeper(database, store, transfer.holder, tokens)
    deprecated = DeprecatedCalls()

    compute = ComputeAPI(settings, tokens, library, deprecated)
    image = ImageAPI(settings, tokens, library, sharing, transfer)
    identity = IdentityAPI(settings, tokens, accounts)
    health = Health(database, deprecated)

    app: ASGIApp = Mounts(compute, image, identity, health)
    app = RequestLine(app)
    return Lifespan(app, [database, store, tokens, transfer.holder, sweeper])


class Mounts:
    """One port for everything: each API at the root where its paths are its own, and whole under a prefix.

    At the root, `/v2/{project}/images` is the Compute API's and every other path under `/v2` the Image API's.
    """

    def __init__(self, compute: ASGIApp, image: ASGIApp, identity: ASGIApp, health: ASGIApp) -> None:
        self._at_root = {"v2.1": compute, "v3": identity, "healthcheck": health, "metrics": health}
        self._prefixed = {"compute": compute, "image": image, "identity": identity}
        self._compute = compute
        self._image = image

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request to its API."""
        path = scope["path"] = collapse(scope["path"])
        first = path[1:].partition("/")[0]
        app = self._at_root.get(first)
        if app is None and first in self._prefixed:
            app = self._prefixed[first]
            scope["path"] = path[len(first) + 1 :]
            scope["calotype.prefix"] = "/" + first
        elif app is None:
            app = self._compute if _COMPUTE_V2.match(path) else self._image
        await app(scope, receive, send)


class RequestLine:
    """The outermost layer: counts a request's SQL statements, writes its line, and lets no exception out unanswered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        started = time.perf_counter()
        counted = Tally()
        tally.set(counted)
        status = 0
        path = scope["path"]

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, observed)
        except (ClientDisconnect, asyncio.CancelledError):
            status = status or 499
            raise
        except Exception:
            log.requests.exception("unhandled")
            if status:
                raise
            await Reply(500)(scope, receive, observed)
        finally:
            if not log.requests.disabled:
                log.request(scope, path, status, time.perf_counter() - started, counted.statements)


class Lifespan:
    """Opens the parts in order at start-up and closes them in reverse at the end."""

    def __init__(self, app: ASGIApp, parts: list[Sweeper | LocalStore | Tokens]) -> None:
        self._app = app
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the server's lifespan messages; everything else goes on."""
        if scope["type"] == "http":
            await self._app(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        opened = []
        await receive()
        try:
            for part in self._parts:
                await part.open()
                opened.append(part)
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
        else:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        for part in reversed(opened):
            await part.close()
        await send({"type": "lifespan.shutdown.complete"})
