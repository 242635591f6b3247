"""Other people's web servers, on loopback, that do exactly what a test tells them."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from types import TracebackType

import pytest

from calotype.settings import Uris
from calotype.stores.fetch import Answer, Fetcher, FetchFailed

Act = Callable[[str, asyncio.StreamWriter], Awaitable[None]]
"""What a server does after it read the head of a request."""

LOOPBACK = ("127.0.0.0/8", "::1/128")


def rules(**more: object) -> Uris:
    """Settings that let a test reach its own servers."""
    usual = {"allowed_ports": (), "allowed_networks": LOOPBACK, "connect_seconds": 5.0, "read_seconds": 5.0}
    return Uris(**{**usual, **more})  # type: ignore[arg-type]


def answer(status: str = "200 OK", body: bytes = b"", **fields: str) -> bytes:
    """A plain answer; underscores in names of fields are hyphens; the length is told unless the fields do."""
    if not {"content_length", "transfer_encoding"} & fields.keys():
        fields["content_length"] = str(len(body))
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in fields.items())]
    return "\r\n".join((*lines, "", "")).encode() + body


def moved(location: str, status: str = "302 Found") -> bytes:
    """A redirect."""
    return answer(status, location=location)


class Remote:
    """One server: answers every request with the same bytes, or by what `act` does, and closes the connection."""

    def __init__(
        self, act: Act | bytes, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        self._act = act
        self._host = host
        self._tls = tls
        self.port = port
        self.heads: list[str] = []
        """The heads of the requests, in order."""
        self._tasks: set[asyncio.Task[None]] = set()
        self.left = asyncio.Event()
        """Set once a connection is over, whoever ended it."""

    @property
    def url(self) -> str:
        """Its root."""
        return f"{'https' if self._tls else 'http'}://{self._host}:{self.port}"

    @property
    def paths(self) -> list[str]:
        """Methods and paths of the requests, in order."""
        return [" ".join(head.split(" ")[:2]) for head in self.heads]

    async def __aenter__(self) -> "Remote":
        self._server = await asyncio.start_server(self._serve, self._host, self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            try:
                await self._converse(reader, writer)
            finally:
                writer.close()
                self.left.set()
                await writer.wait_closed()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        self.heads.append(head)
        acting = asyncio.ensure_future(self._answer(head, writer))
        leaving = asyncio.ensure_future(reader.read())
        try:
            await asyncio.wait((acting, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            acting.cancel()
            leaving.cancel()
            await asyncio.gather(acting, leaving, return_exceptions=True)

    async def _answer(self, head: str, writer: asyncio.StreamWriter) -> None:
        if isinstance(self._act, bytes):
            writer.write(self._act)
            await writer.drain()
        else:
            await self._act(head, writer)


def by_path(**acts: bytes) -> Act:
    """Answers by the first segment of the path; `root` is the answer to `/`."""

    async def act(head: str, writer: asyncio.StreamWriter) -> None:
        path = head.split(" ")[1].partition("?")[0].strip("/")
        writer.write(acts[path or "root"])
        await writer.drain()

    return act


@asynccontextmanager
async def opened(settings: Uris | None = None, **names: list[str]) -> AsyncIterator[Fetcher]:
    """A fetcher for which only these names exist."""

    def resolve(host: str) -> list[str]:
        try:
            return names[host.partition(".")[0]]
        except KeyError:
            raise socket.gaierror(socket.EAI_NONAME, "not known") from None

    found = Fetcher(settings or rules(), resolve)
    await found.open()
    yield found
    await found.close()


async def body(got: Answer) -> bytes:
    """All of a body."""
    return b"".join([chunk async for chunk in got.chunks()])


async def read(fetcher: Fetcher, url: str) -> bytes:
    """All of what a URL leads to."""
    async with fetcher.get(url) as got:
        return await body(got)


async def failure(fetcher: Fetcher, act: Act | bytes) -> str:
    """What the user is told of a server that does this."""
    async with Remote(act) as remote:
        with pytest.raises(FetchFailed) as failed:
            await read(fetcher, remote.url)
        return failed.value.text
