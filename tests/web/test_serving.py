from __future__ import annotations

import asyncio
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
