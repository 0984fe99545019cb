from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bot.dialogue.client import HttpEngine
from bot.dialogue.wire import TurnRequest
from bot.domain.conversations import ConversationId
from bot.domain.errors import EngineDiedError, EngineUnavailableError, TurnFailedError
from bot.domain.messages import Meaning, MessageId

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

TURN: dict[str, Any] = {
    "events": [{"event": "action", "name": "action_listen"}],
    "answers": [{"text": "Hello", "buttons": [], "image": None, "attachment": None, "custom": {}}],
    "intent": {"name": "greet", "confidence": 0.98},
    "ranking": [{"name": "greet", "confidence": 0.98}],
    "entities": [],
    "fallback": False,
    "active_loop": None,
    "slots": {},
    "actions": ["utter_greet"],
    "model_id": "m1",
}


def request(text: str = "hi", meaning: Meaning | None = None) -> TurnRequest:
    """Return a request."""
    return TurnRequest(
        conversation_id=ConversationId("c" * 32),
        message_id=MessageId("m" * 32),
        channel="webchat",
        text=text,
        meaning=meaning,
        events=[{"event": "slot", "name": "a", "value": 1}],
        metadata={"owner": "bot"},
    )


@asynccontextmanager
async def engine_at(folder: Path, handler: Handler, name: str = "e.sock") -> AsyncIterator[str]:
    """Serve `/step` with `handler` on a Unix socket and return its path."""
    app = web.Application()
    app.add_routes([web.post("/step", handler)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.UnixSite(runner, str(folder / name)).start()
    try:
        yield str(folder / name)
    finally:
        await runner.cleanup()


@pytest.fixture
async def client() -> AsyncIterator[HttpEngine]:
    """Return a client that waits half a second, and knows no engine yet."""
    made = HttpEngine(timeout=0.5)
    yield made
    await made.close()


def answering(status: int, body: object = TURN) -> Handler:
    """Return a handler that always gives this answer."""

    async def handle(_request: web.Request) -> web.Response:
        text = body if isinstance(body, str) else json.dumps(body)
        return web.Response(status=status, text=text, content_type="application/json")

    return handle


async def test_a_turn_comes_back(client: HttpEngine, tmp_path: Path) -> None:
    """The request travels as the wire says, and the turn comes back."""
    bodies = []

    async def handle(got: web.Request) -> web.Response:
        bodies.append(await got.json())
        return web.json_response(TURN)

    async with engine_at(tmp_path, handle) as socket:
        client.use(socket)
        made = await client.step(request("hi é 😀 \ud800"))
        await client.step(request("", Meaning(intent="cancel", entities={"order": "CL-1"})))
    assert (made.answers[0].text, made.intent, made.model_id) == ("Hello", "greet", "m1")
    assert bodies[0] == {
        "conversation": "c" * 32,
        "message_id": "m" * 32,
        "channel": "webchat",
        "text": "hi é 😀 \ud800",
        "intent": None,
        "events": [{"event": "slot", "name": "a", "value": 1}],
        "metadata": {"message_id": "m" * 32, "owner": "bot"},
    }
    assert bodies[1]["intent"] == {"name": "cancel", "entities": {"order": "CL-1"}}


async def test_without_an_engine_the_turn_can_be_tried_again(client: HttpEngine, tmp_path: Path) -> None:
    """No engine, one that is gone and one without a model are all "not now"."""
    with pytest.raises(EngineUnavailableError):
        await client.step(request())
    client.use(str(tmp_path / "nobody.sock"))
    assert client.is_ready
    with pytest.raises(EngineUnavailableError) as caught:
        await client.step(request())
    assert not isinstance(caught.value, EngineDiedError)
    async with engine_at(tmp_path, answering(503, {"error": "no_model"})) as socket:
        client.use(socket)
        with pytest.raises(EngineUnavailableError):
            await client.step(request())
    client.use_none()
    assert not client.is_ready


async def test_an_engine_that_dies_in_a_turn_is_not_now(client: HttpEngine, tmp_path: Path) -> None:
    """A connection that is cut in the middle of a turn is "not now", and the turn may be why."""

    async def cut(got: web.Request) -> web.Response:
        assert got.transport is not None
        got.transport.abort()
        return web.Response()

    async with engine_at(tmp_path, cut) as socket:
        client.use(socket)
        with pytest.raises(EngineDiedError):
            await client.step(request())


@pytest.mark.parametrize("status", [500, 422, 404, 502])
async def test_a_failed_turn_is_never_an_answer(client: HttpEngine, tmp_path: Path, status: int) -> None:
    """Whatever the engine answers but 200 is a failed turn, also when the body looks like one."""
    async with engine_at(tmp_path, answering(status)) as socket:
        client.use(socket)
        with pytest.raises(TurnFailedError, match=str(status)):
            await client.step(request())


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no json",
        "[]",
        "null",
        "{}",
        {**TURN, "answers": ["text"]},
        {**TURN, "answers": None},
        {**TURN, "events": [1]},
        {**TURN, "ranking": [{"name": "x"}]},
        {**TURN, "slots": None},
        {**TURN, "answers": [{"custom": {"command": {"name": "x"}}}]},
        {**TURN, "answers": [{"custom": {"handoff": []}}]},
        {**TURN, "answers": [{"text": "x", "buttons": [{"title": "t", "payload": "/x{"}]}]},
        {**TURN, "events": [{"event": "reminder", "name": "x", "intent": "y", "date_time": "someday"}]},
    ],
)
async def test_what_is_not_a_turn_is_a_failed_one(client: HttpEngine, tmp_path: Path, body: object) -> None:
    """A 200 with anything but a turn in it is a failed turn, never a silent one and never an unknown error."""
    async with engine_at(tmp_path, answering(200, body)) as socket:
        client.use(socket)
        with pytest.raises(TurnFailedError):
            await client.step(request())


async def test_a_turn_that_takes_too_long_has_failed(client: HttpEngine, tmp_path: Path) -> None:
    """After the timeout the turn counts as failed."""

    async def never(_got: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    async with engine_at(tmp_path, never) as socket:
        client.use(socket)
        with pytest.raises(TurnFailedError, match="did not answer"):
            await client.step(request())


async def test_turns_in_work_survive_an_exchange(client: HttpEngine, tmp_path: Path) -> None:
    """A turn that is in work when another engine takes over ends where it began."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_got: web.Request) -> web.Response:
        begun.set()
        await go_on.wait()
        return web.json_response(TURN)

    async with (
        engine_at(tmp_path, slow, "old.sock") as old,
        engine_at(tmp_path, answering(200, {**TURN, "model_id": "m2"}), "new.sock") as new,
    ):
        client.use(old)
        running = asyncio.create_task(client.step(request()))
        await begun.wait()
        client.use(new)
        assert (await client.step(request())).model_id == "m2"
        go_on.set()
        assert (await running).model_id == "m1"


async def test_draining_waits_for_the_turns_of_engines_that_were_exchanged(client: HttpEngine, tmp_path: Path) -> None:
    """It returns at once without any, and else when the last one has ended; turns of the engine in use do not count."""
    gates = {"old": asyncio.Event(), "new": asyncio.Event()}

    def holding(name: str) -> Handler:
        async def answer(_request: web.Request) -> web.Response:
            await gates[name].wait()
            return web.json_response(TURN)

        return answer

    await client.drain()
    async with (
        engine_at(tmp_path, holding("old"), "1.sock") as old,
        engine_at(tmp_path, holding("new"), "2.sock") as new,
    ):
        client.use(old)
        turns = [asyncio.create_task(client.step(request()))]
        await asyncio.sleep(0)
        client.use(new)
        turns.append(asyncio.create_task(client.step(request())))
        draining = asyncio.create_task(client.drain())
        await asyncio.sleep(0)
        assert not draining.done()
        gates["old"].set()
        await draining
        assert turns[0].done()
        gates["new"].set()
        await asyncio.gather(*turns)
        client.use_none()
        await client.drain()
