"""Serves an application inside a running event loop."""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sanic import Sanic

from bot.domain.errors import SettingsError

#: Seconds that requests in work get when the server stops.
GRACE = 3.0
_BACKLOG = 1024


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


@asynccontextmanager
async def serve(app: Sanic[Any, Any], bound: socket.socket) -> AsyncIterator[None]:
    """Serve `app` on a bound socket for as long as the context lasts."""
    # Sanic's rewriting of its own methods works for one application per process only.
    app.config.TOUCHUP = False
    app.config.GRACEFUL_SHUTDOWN_TIMEOUT = GRACE
    server: Any = await app.create_server(sock=bound, return_asyncio_server=True, access_log=False)
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
        await _end_requests(server)
        await server.after_stop()


async def _end_requests(server: Any) -> None:
    """Let requests in work come to their ends, within reason, and close every connection."""
    ends_at = time.monotonic() + GRACE
    while server.connections and time.monotonic() < ends_at:
        for connection in tuple(server.connections):
            connection.close_if_idle()
        await asyncio.sleep(0.02)
    for connection in tuple(server.connections):
        connection.abort()
