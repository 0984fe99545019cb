"""Serves a Sanic app on a free loopback port, inside the test's own event loop."""

from __future__ import annotations

import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import sanic


@asynccontextmanager
async def serve(*blueprints: sanic.Blueprint) -> AsyncIterator[str]:
    """Yield the base URL of an app made of these blueprints."""
    app = sanic.Sanic(f"desk-{secrets.token_hex(4)}", configure_logging=False)
    # Sanic rewrites its own methods once per process, and this is not the first app in it.
    app.config.TOUCHUP = False
    app.config.GRACEFUL_SHUTDOWN_TIMEOUT = 0.5
    for blueprint in blueprints:
        app.blueprint(blueprint)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = await app.create_server(sock=listener, return_asyncio_server=True, access_log=False)
    if server is None:
        raise RuntimeError("Sanic gave no server")
    await server.startup()  # type: ignore[no-untyped-call]
    await server.before_start()  # type: ignore[no-untyped-call]
    await server.start_serving()  # type: ignore[no-untyped-call]
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        await server.before_stop()  # type: ignore[no-untyped-call]
        await server.close()  # type: ignore[no-untyped-call]
        await server.after_stop()  # type: ignore[no-untyped-call]
        for connection in list(server.connections):
            connection.close()
        # Sanic knows every app of the process by its name and by its newest requests, and with it all it was made of.
        sanic.Sanic.unregister_app(app)
        type(app.router).get.cache_clear()
