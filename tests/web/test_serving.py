from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from sanic import HTTPResponse, Request, Sanic, response

from bot.domain.errors import SettingsError
from bot.web.serving import bind, serve


async def test_requests_in_work_are_answered_before_the_server_stops() -> None:
    """A deployment cuts nobody off in the midst of a request; kept-alive connections hold nothing up."""
    app: Sanic[Any, Any] = Sanic(f"slow-{uuid4().hex[:8]}", configure_logging=False)
    has_begun, may_end = asyncio.Event(), asyncio.Event()

    @app.get("/slow")
    async def slow(_request: Request) -> HTTPResponse:
        has_begun.set()
        await may_end.wait()
        return response.text("done")

    @app.get("/quick")
    async def quick(_request: Request) -> HTTPResponse:
        return response.text("done")

    async def ask(session: aiohttp.ClientSession, path: str) -> str:
        async with session.get(f"http://127.0.0.1:{port}/{path}") as answer:
            return await answer.text()

    bound = bind("127.0.0.1", 0, "service.port")
    port = bound.getsockname()[1]
    async with aiohttp.ClientSession() as session:
        async with serve(app, bound):
            assert await ask(session, "quick") == "done"
            asking = asyncio.create_task(ask(session, "slow"))
            await has_begun.wait()
            asyncio.get_running_loop().call_later(0.2, may_end.set)
        assert await asking == "done"
        with pytest.raises(aiohttp.ClientConnectionError):
            await ask(session, "quick")


def test_a_taken_port_is_named_with_its_setting() -> None:
    """Who starts the service is told which port is taken and what to change."""
    with bind("127.0.0.1", 0, "service.port") as bound:
        port = bound.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"port {port} is taken .* set service\.port"):
            bind("127.0.0.1", port, "service.port")


@asynccontextmanager
async def echoing(**config: float) -> AsyncIterator[tuple[Sanic[Any, Any], int]]:
    """Serve an application that answers with what it got; give it and its port."""
    app: Sanic[Any, Any] = Sanic(f"echo-{uuid4().hex[:8]}", configure_logging=False)
    app.config.update(config)

    @app.post("/")
    async def echo(request: Request) -> HTTPResponse:
        return response.raw(request.body)

    bound = bind("127.0.0.1", 0, "service.port")
    async with serve(app, bound):
        yield app, bound.getsockname()[1]


async def drip(port: int, *, head: bytes, drop: bytes, every: float) -> bytes:
    """Send drop after drop, and return what the server says to it until it closes or cuts the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    heard = asyncio.create_task(everything(reader))
    writer.write(head)
    while not heard.done():
        writer.write(drop)
        await asyncio.wait({heard}, timeout=every)
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
    return await heard


async def everything(reader: asyncio.StreamReader) -> bytes:
    """Return what was said before the connection ended, which may be nothing where it is cut while we still send."""
    said = bytearray()
    with suppress(ConnectionResetError):
        while part := await reader.read(65_536):
            said += part
    return bytes(said)


@pytest.mark.parametrize(
    "head", [b"POST / HTTP/1.1\r\nHost: x\r\nX-", b"POST / HTTP/1.1\r\nContent-Length: 900\r\n\r\n"]
)
async def test_nobody_holds_a_connection_by_sending_little_by_little(head: bytes) -> None:
    """A request whose header or body comes byte by byte is given up, however regularly the bytes come."""
    async with echoing(REQUEST_TIMEOUT=0.3, RESPONSE_TIMEOUT=0.3) as (_, port), asyncio.timeout(10):
        said = await drip(port, head=head, drop=b"a", every=0.02)
    assert said[:12] in {b"", b"HTTP/1.1 408", b"HTTP/1.1 503"}


async def test_a_slow_line_is_waited_for() -> None:
    """A body that takes longer than the limit is taken when it comes as fast as a slow line brings it."""
    async with echoing(REQUEST_TIMEOUT=0.3, RESPONSE_TIMEOUT=0.3) as (_, port), asyncio.timeout(10):
        head = b"POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 20000\r\n\r\n"
        answer = await drip(port, head=head, drop=b"a" * 400, every=0.02)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"a" * 20_000)


async def test_too_many_connections_are_closed_at_once() -> None:
    """Beyond the limit a connection is closed, those that are open go on, and one that ends makes room."""
    async with echoing() as (app, port), asyncio.timeout(10), connected(port) as first:
        app.ctx.connections_max = 2
        async with connected(port) as second:
            assert await is_answered(*first)
            assert await is_answered(*second)
            async with connected(port) as third:
                assert not await is_answered(*third)
            assert await is_answered(*first)
        is_in = False
        while not is_in:
            async with connected(port) as fourth:
                is_in = await is_answered(*fourth)


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Give a connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def is_answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Whether a request on this connection gets an answer; none is a closed connection."""
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nping")
    try:
        return (await reader.readuntil(b"ping")).startswith(b"HTTP/1.1 200 ")
    except (ConnectionError, asyncio.IncompleteReadError):
        return False
