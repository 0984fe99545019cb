"""Serves an application inside a running event loop."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from sanic import Sanic
from sanic.http.constants import Stage
from sanic.server.protocols.http_protocol import HttpProtocol

from bot import metrics
from bot.domain.errors import SettingsError
from bot.web.holding import Holding

#: Seconds that requests in work get when the server stops; those of operators and the engine.
GRACE, INTERNAL_GRACE = 2.0, 0.5
_BACKLOG = 1024
#: Bytes each second below which a sender is taken for one who only wants to hold a connection.
_SLOWEST = 1_000
#: Seconds in which somebody who took too long may hear so.
_LAST_WORDS = 1.0
#: Seconds in which a caller may begin whom a server took that is about to stop.
_FIRST_WORDS = 1.0
#: File descriptors left to the databases, the channels and the engine.
_OWN_FILES = 256
#: Of one process, however many the system allows.
_CONNECTIONS_MAX = 10_000
#: Bytes of requests that are not answered yet, of all connections together.
HELD_MAX = 128 * 1024 * 1024
#: SD_LISTEN_FDS_START.
_FIRST_INHERITED = 3


def bind(host: str, port: int, setting: str) -> socket.socket:
    """Return a bound socket; `port` 0 takes any free one. Raises `SettingsError` that names the `setting` to change."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise SettingsError(f"port {port} is taken by another program; stop it or set {setting}") from None
        raise SettingsError(
            f"cannot listen on {host}:{port}: {error.strerror}; set {setting} or service.host"
        ) from None
    bound.listen(_BACKLOG)
    return bound


def inherited(environ: Mapping[str, str], pid: int | None = None) -> socket.socket | None:
    """Return the listening socket that whoever started us keeps open, as systemd does (sd_listen_fds(3)), or none.

    It outlives us: who calls between two of our lives waits in its line, and is not refused.
    """
    if environ.get("LISTEN_PID") != str(pid or os.getpid()) or environ.get("LISTEN_FDS") != "1":
        return None
    given = socket.socket(fileno=_FIRST_INHERITED)
    given.setblocking(False)
    os.set_inheritable(given.fileno(), False)
    return given


def raise_connections() -> int:
    """Ask the system for as many files as it gives, and return how many connections that leaves room for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        soft = hard if hard != resource.RLIM_INFINITY else max(soft, _CONNECTIONS_MAX + _OWN_FILES)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(64, min(soft - _OWN_FILES, _CONNECTIONS_MAX))


class GuardedProtocol(HttpProtocol):
    """Sanic's, for the open internet: so many connections at most, and nobody holds one by sending little by little.

    Sanic starts its clock anew at each byte. Here a byte only buys the time that it takes a slow line.
    """

    __slots__ = ("_came_at", "_has_asked")

    def connection_made(self, transport: Any) -> None:
        """Take a connection, unless there are too many."""
        self._came_at, self._has_asked = time.monotonic(), False
        if len(self.connections) >= self.app.ctx.connections_max:
            metrics.CONNECTIONS_REFUSED.inc()
            transport.abort()
            return
        super().connection_made(transport)  # type: ignore[no-untyped-call]

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection, if it was ever taken."""
        self.app.ctx.holding.release(self)
        if self in self.connections:
            super().connection_lost(exc)  # type: ignore[no-untyped-call]

    def check_timeouts(self) -> None:
        """Give a request up that takes too long; Sanic says so, and then waits for the rest of it for ever."""
        super().check_timeouts()  # type: ignore[no-untyped-call]
        if self.http is not None and self.http.exception is not None:
            self.loop.call_later(_LAST_WORDS, self.abort)

    async def send(self, data: bytes) -> None:
        """Answer, and hold what was asked no longer."""
        self.app.ctx.holding.release(self)
        await super().send(data)  # type: ignore[no-untyped-call]

    def data_received(self, data: bytes) -> None:
        """Take what came, and give the sender time for more by how much it was."""
        self._has_asked = True
        since, http = self._time, self.http
        super().data_received(data)
        if (largest := self.app.ctx.holding.take(self, len(data))) is not None:
            metrics.CONNECTIONS_REFUSED.inc()
            largest.abort()
        if http is not None and http.stage in {Stage.REQUEST, Stage.HANDLER}:
            self._time = min(self._time, since + len(data) / _SLOWEST)

    def close_if_idle(self) -> bool:
        """Close a connection on which nothing is asked, as servers that stop do; return whether it was.

        A caller who has only just been let in is heard, and so is one whose call lies here unread.
        """
        is_new = not self._has_asked and time.monotonic() - self._came_at < _FIRST_WORDS
        if is_new or self.recv_buffer:
            return False
        return bool(super().close_if_idle())


@asynccontextmanager
async def serve(app: Sanic[Any, Any], bound: socket.socket, grace: float = GRACE) -> AsyncIterator[None]:
    """Serve `app` on a bound socket while the context lasts; what is in work then gets `grace` seconds to end."""
    # Sanic's rewriting of its own methods works for one application per process only.
    app.config.TOUCHUP = False
    app.config.GRACEFUL_SHUTDOWN_TIMEOUT = grace
    app.ctx.connections_max = raise_connections()
    app.ctx.holding = Holding(HELD_MAX)
    server: Any = await app.create_server(
        sock=bound, protocol=GuardedProtocol, return_asyncio_server=True, access_log=False
    )
    await server.startup()
    await server.before_start()
    await server.start_serving()
    await server.after_start()
    try:
        yield
    finally:
        await server.before_stop()
        server.close()
        await server.wait_closed()
        await _end_requests(server, grace)
        await server.after_stop()


async def _end_requests(server: Any, grace: float) -> None:
    """Let requests in work come to their ends, within reason, and close every connection."""
    ends_at = time.monotonic() + grace
    while server.connections and time.monotonic() < ends_at:
        for connection in tuple(server.connections):
            connection.close_if_idle()
        await asyncio.sleep(0.02)
    for connection in tuple(server.connections):
        connection.abort()
