"""Assembles a worker: `build(settings)` makes the ASGI application out of its parts."""

import asyncio
import logging
import re
import time
from collections.abc import Awaitable
from typing import NamedTuple, Protocol

import msgspec
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from calotype.access import protections
from calotype.access.accounts import Accounts
from calotype.access.application_credentials import ApplicationCredentials
from calotype.access.assignments import Assignments
from calotype.access.authority import Authority
from calotype.access.implications import Implications
from calotype.access.lockout import Lockout
from calotype.access.passwords import Passwords
from calotype.access.policy import files as policy_files
from calotype.access.policy.files import PolicyWatch
from calotype.access.policy.policy import Policy
from calotype.access.rates import Rates
from calotype.access.signers import Signers
from calotype.access.tokens import Tokens
from calotype.access.vault import Vault
from calotype.api.compute.routes import ComputeAPI
from calotype.api.entrance import Entrance
from calotype.api.health import Health
from calotype.api.identity.elsewhere import Elsewhere
from calotype.api.identity.routes import Directory, IdentityAPI
from calotype.api.image.api import ImageAPI
from calotype.api.image.routes import ImageApp
from calotype.api.pace import Paced
from calotype.api.wire import STATUS, Reply, SlowClient, collapse
from calotype.database.connect import connect
from calotype.database.engine import Database, Tally, tally
from calotype.files import Files
from calotype.files import read as read_files
from calotype.images import schema_properties
from calotype.images.cache import Cache
from calotype.images.cached import CachedImages
from calotype.images.errors import StorageUnavailable
from calotype.images.holder import Holder
from calotype.images.imports import Imports
from calotype.images.intake import Intake
from calotype.images.library import Library
from calotype.images.locations import Locations
from calotype.images.quota import Quotas
from calotype.images.schema_properties import SchemaProperties
from calotype.images.sharing import Sharing
from calotype.images.tasks import Tasks
from calotype.images.transfer import Transfer
from calotype.jobs.cachekeeper import CacheKeeper
from calotype.jobs.imports import ImportJob
from calotype.jobs.locations import LocationJob
from calotype.jobs.preparation import Preparation
from calotype.jobs.queue import Queue
from calotype.jobs.sources import Sources
from calotype.jobs.sweeper import Sweeper
from calotype.jobs.worker import Kind, Worker
from calotype.metadefs.definitions import Definitions
from calotype.settings import Settings
from calotype.stores.fetch import Fetcher
from calotype.stores.shelf import Shelf
from calotype.telemetry.callers import DeprecatedCalls
from calotype.telemetry.log import RequestLog

RETRY_SECONDS = 0.5
SETTLE_SECONDS = 5.0
"""How long the end waits for requests that the server broke off."""

log = logging.getLogger("calotype")

_COMPUTE_V2 = re.compile(r"/v2/[0-9a-f-]+/images(/.*)?$")


class Parts(NamedTuple):
    """What a worker is made of below its APIs; a command that works on images is made of the same."""

    database: Database
    shelf: Shelf
    holder: Holder
    quotas: Quotas
    policy: Policy
    intake: Intake
    library: Library
    sharing: Sharing
    transfer: Transfer
    imports: Imports
    locations: Locations
    tasks: Tasks
    definitions: Definitions
    fetcher: Fetcher
    queue: Queue
    worker: Worker
    schema: SchemaProperties | None
    cache: Cache | None
    cached: CachedImages

    @property
    def living(self) -> list["Part"]:
        """Those that have to be opened, in order."""
        cache = [self.cache] if self.cache else []
        return [self.database, self.fetcher, self.shelf, self.holder, self.quotas, *cache]


def assemble(settings: Settings, files: Files | None = None) -> Parts:
    """The parts, connected with one another and not yet open; `files` if they were read before."""
    files = files or read_files(settings)
    database = connect(settings)
    fetcher = Fetcher(settings.uris)
    shelf = Shelf(settings, fetcher)
    holder = Holder(database, settings.directory)
    policy = policy_files.load(files.policy)
    intake = Intake(database, shelf)
    quotas = Quotas(database, settings)
    schema = schema_properties.load(settings.image, files.schema)
    protected = protections.load(settings.image, policy, files.protections)
    cache = Cache(settings) if settings.cache.directory else None
    library = Library(database, policy, intake, settings.image, quotas, protected, schema, cache)
    sharing = Sharing(database, library, policy, settings.image)
    certificates = settings.signature.certificates
    transfer = Transfer(library, shelf, intake, holder, settings.image, quotas, certificates, cache)
    queue = Queue(database, holder.id, settings.jobs)
    sources = Sources(fetcher, settings.imports)
    # What plugins make may not be larger than what a project may have.
    quota = None if settings.quota.keystone_limits else settings.quota.storage_bytes
    largest = min(settings.image.size_cap, quota or settings.image.size_cap)
    bounded = msgspec.structs.replace(settings.image, size_cap=largest)
    preparation = Preparation(settings.plugins, bounded, holder.scratch)
    importing = ImportJob(
        database, shelf, intake, holder, queue, sources, preparation, settings.image, quotas, certificates, protected
    )
    locating = LocationJob(quotas, shelf, queue, settings.image, settings.imports.slowest)
    kinds: dict[str, Kind] = {"api_image_import": importing, "import": importing, "location_import": locating}
    worker = Worker(queue, kinds, settings.jobs)
    imports = Imports(quotas, library, shelf, fetcher.uris, settings.imports, worker.wake)
    locations = Locations(quotas, library, shelf, intake, policy, fetcher.uris, settings.image, worker.wake)
    tasks = Tasks(database, library)
    return Parts(
        database=database,
        shelf=shelf,
        holder=holder,
        quotas=quotas,
        policy=policy,
        intake=intake,
        library=library,
        sharing=sharing,
        transfer=transfer,
        imports=imports,
        locations=locations,
        tasks=tasks,
        definitions=Definitions(database, policy),
        fetcher=fetcher,
        queue=queue,
        worker=worker,
        schema=schema,
        cache=cache,
        cached=CachedImages(library, policy, cache),
    )


def build(settings: Settings, files: Files | None = None) -> ASGIApp:
    """The application of one worker; it connects and starts its background work at the ASGI lifespan's start-up.

    `files` are those that the server read at its start.
    """
    files = files or read_files(settings)
    parts = assemble(settings, files)
    tokens = Tokens(parts.database, settings.identity)
    signers = None
    if settings.identity.source == "builtin":
        signers = Signers(parts.database, Vault(settings.access_key_file), tokens, settings.identity)
    sweeper = Sweeper(parts.database, parts.shelf, parts.intake, parts.holder, parts.queue, tokens, signers)
    keeper = CacheKeeper(parts.database, parts.transfer, parts.cache)
    watch = PolicyWatch(settings.policy, parts.policy, files.policy)
    deprecated = DeprecatedCalls()

    authority = _authority(settings, tokens)
    entrance = Entrance(settings, authority, parts.policy, signers, Rates(settings.rate))
    compute = ComputeAPI(settings, entrance, parts.library, deprecated)
    image = ImageApp(ImageAPI(settings, entrance, parts))
    identity = _identity(settings, parts.database, entrance, tokens)
    health = Health()

    app: ASGIApp = Mounts(compute, image, identity, health)
    if settings.clients.body_pace:
        app = Paced(app, settings.clients)
    lines = RequestLog(settings.log)
    app = RequestLine(app, lines)
    return Lifespan(app, [lines, *parts.living, authority, sweeper, parts.worker, keeper, watch, deprecated])


def _authority(settings: Settings, tokens: Tokens) -> "LivingAuthority":
    """Who says what a token grants."""
    if settings.identity.source == "builtin":
        return tokens
    # Here, since it takes 0.1 s to import and not everybody wants it.
    from calotype.access.keystone.tokens import KeystoneTokens

    return KeystoneTokens(settings.keystone)


def _identity(settings: Settings, database: Database, entrance: Entrance, tokens: Tokens) -> ASGIApp:
    """What answers the calls on identity."""
    if settings.identity.source == "keystone":
        return Elsewhere(settings)
    passwords = Passwords(settings.identity)
    directory = Directory(
        Accounts(database, passwords, tokens.forget, Lockout(database, settings.identity)),
        Assignments(database, tokens.forget),
        Implications(database, tokens.forget),
        ApplicationCredentials(database, passwords, tokens.forget),
    )
    return IdentityAPI(settings, entrance, tokens, directory)


class Part(Protocol):
    """Something that lives as long as the worker."""

    async def open(self) -> None:
        """Begin; whatever this raises keeps the worker from starting."""

    async def close(self) -> None:
        """End."""


class LivingAuthority(Authority, Part, Protocol):
    """An authority that has to be opened."""


class Mounts:
    """One port for everything: each API at the root where its paths are its own, and whole under a prefix.

    At the root, `/v2/{project}/images` is the Compute API's and every other path under `/v2` the Image API's.
    """

    def __init__(self, compute: ASGIApp, image: ASGIApp, identity: ASGIApp, health: ASGIApp) -> None:
        self._at_root = {"v2.1": compute, "v3": identity, "healthcheck": health}
        self._prefixed = {"compute": compute, "image": image, "identity": identity}
        self._compute = compute
        self._image = image

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
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
        return app(scope, receive, send)


class RequestLine:
    """The outermost layer: counts a request's SQL statements, writes its line, and lets no exception out unanswered."""

    def __init__(self, app: ASGIApp, lines: RequestLog) -> None:
        self._app = app
        self._lines = lines

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        started = time.perf_counter()
        counted = Tally()
        tally.set(counted)
        path = scope["path"]
        try:
            await self._app(scope, receive, send)
        except SlowClient:
            if STATUS not in scope:
                await Reply(408, headers=[(b"connection", b"close")])(scope, receive, send)
        except ClientDisconnect:
            # Whoever is still there sent a body that ended before its end; the server would answer 500.
            if STATUS not in scope:
                await Reply(400)(scope, receive, send)
        except Exception:
            log.exception("unhandled failure")
            if STATUS in scope:
                raise
            await Reply(500)(scope, receive, send)
        finally:
            self._lines.write(scope, path, scope.get(STATUS, 499), time.perf_counter() - started, counted.statements)


class Lifespan:
    """Opens the parts in order at start-up and closes them in reverse at the end, after the last request's."""

    def __init__(self, app: ASGIApp, parts: list[Part]) -> None:
        self._app = app
        self._parts = parts
        self._under_way: set[asyncio.Task[None] | None] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the server's lifespan messages; everything else goes on."""
        if scope["type"] == "http":
            task = asyncio.current_task()
            self._under_way.add(task)
            try:
                await self._app(scope, receive, send)
            finally:
                self._under_way.discard(task)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        opened = []
        await receive()
        try:
            for part in self._parts:
                await _open(part)
                opened.append(part)
        except Exception as error:
            log.error("the worker cannot start: %s", error)
            await send({"type": "lifespan.startup.failed", "message": str(error)})
        else:
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await self._settle()
        for part in reversed(opened):
            try:
                await part.close()
            except Exception:
                log.exception("a part of the service could not be closed")
        await send({"type": "lifespan.shutdown.complete"})

    async def _settle(self) -> None:
        """uvicorn cancels what overstays and does not wait for it, but an upload that is broken off clears up."""
        if tasks := [task for task in self._under_way if task]:
            await asyncio.wait(tasks, timeout=SETTLE_SECONDS)


async def _open(part: Part) -> None:
    """Open a part, as soon as what it needs can be reached.

    `serve` has looked at everything before the workers start, so this is a worker started anew in the middle of an
    outage. If it gave up, the server would take that for a crash loop and end the healthy workers as well.
    """
    while True:
        try:
            return await part.open()
        except StorageUnavailable as error:
            log.warning("worker start put off: %s", error)
            await asyncio.sleep(RETRY_SECONDS)
