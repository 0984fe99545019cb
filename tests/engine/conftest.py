"""A small bot, trained once per version of it and of our components, and a server of actions for it."""

from __future__ import annotations

import asyncio
import fcntl
import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bot.engine import logs, without_tensorflow

without_tensorflow.install()

from bot.engine.action_calls import ActionEndpoint  # noqa: E402 - Rasa can be imported from here on
from bot.engine.encoder import MULTILINGUAL, prepare_encoder  # noqa: E402
from bot.engine.processor import StepProcessor  # noqa: E402
from bot.engine.step import StepRequest, step  # noqa: E402
from bot.trainer.training import train  # noqa: E402
from tests.quiet import logs_as  # noqa: E402

ROOT = Path(__file__).parents[2]
SMALL_BOT = Path(__file__).parent / "bot"

Answering = Callable[[dict[str, Any]], web.Response]


@pytest.fixture(scope="session", autouse=True)
def at_the_root() -> Iterator[None]:
    """Run from the project's root, as the engine does: `var/encoder` is seen from there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        yield


@pytest.fixture(scope="module", autouse=True)
def _logs_of_the_engine() -> Iterator[None]:
    """Log as the engine does."""
    with logs_as():
        logs.configure()
        yield


@pytest.fixture(scope="session")
def encoder_folder() -> Path:
    """Return the folder of the sentence encoder, made if need be, with the multilingual one in it."""
    folder = Path("var/encoder")
    folder.mkdir(parents=True, exist_ok=True)
    with Path("var/encoder.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        prepare_encoder(folder)
        prepare_encoder(folder / MULTILINGUAL)
    return folder


@pytest.fixture(scope="session")
def small_model() -> Path:
    """Return the small bot's model; whichever worker comes first trains it."""
    return asyncio.run(train(SMALL_BOT, ROOT / "var" / "test-models", lambda _: None)).path


class Actions:
    """A server of custom actions whose answers a test sets."""

    def __init__(self) -> None:
        self.url = ""
        self.calls: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.answer: Answering = lambda _: web.json_response(
            {"events": [], "responses": [{"text": "It is on its way.", "custom": {"command": {"name": "x"}}}]}
        )

    async def handle(self, request: web.Request) -> web.Response:
        """Note the call and give the answer."""
        self.headers.append(dict(request.headers))
        self.calls.append(json.loads(await request.text()))
        return self.answer(self.calls[-1])


@pytest.fixture
async def actions() -> AsyncIterator[Actions]:
    """Serve actions on a free loopback port."""
    served = Actions()
    app = web.Application()
    app.router.add_post("/webhook", served.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    served.url = f"http://{host}:{port}/webhook"
    yield served
    await runner.cleanup()


@pytest.fixture(scope="session")
def loaded(small_model: Path) -> StepProcessor:
    """Return the small bot's model, loaded once; nothing may remain in it between tests."""
    return StepProcessor(small_model, ActionEndpoint("http://127.0.0.1:1/", "", 5))


@pytest.fixture
async def processor(loaded: StepProcessor, actions: Actions) -> AsyncIterator[StepProcessor]:
    """Return the loaded model with a server of actions."""
    loaded.action_endpoint = ActionEndpoint(actions.url, "secret-token", 5)
    yield loaded
    await loaded.action_endpoint.close()


class Talk:
    """A conversation with the small bot: keeps the events as the service does."""

    def __init__(self, processor: StepProcessor) -> None:
        self._processor = processor
        self.events: list[dict[str, Any]] = []
        self.turns = 0

    def request(self, text: str, **fields: Any) -> StepRequest:
        """Return the request for the next message."""
        body: dict[str, Any] = {
            "conversation": "c0ffee",
            "message_id": f"message-{self.turns + 1}",
            "channel": "web",
            "text": text,
            "intent": None,
            "events": self.events,
            "metadata": {},
        }
        return StepRequest.from_json({**body, **fields})

    async def say(self, text: str, **fields: Any) -> dict[str, Any]:
        """Send a message and return the outcome of the step."""
        outcome = await step(self._processor, self.request(text, **fields))
        self.turns += 1
        self.events = [*self.events, *outcome["events"]]
        return json.loads(json.dumps(outcome))  # type: ignore[no-any-return]

    async def hear(self, text: str, **fields: Any) -> list[str]:
        """Send a message and return what the bot says."""
        return [answer["text"] for answer in (await self.say(text, **fields))["answers"]]


@pytest.fixture
def talk(processor: StepProcessor) -> Talk:
    """Begin a conversation."""
    return Talk(processor)
