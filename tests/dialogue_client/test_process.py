from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil
import pytest
import uvloop

from bot.dialogue import process
from bot.dialogue.client import HttpEngine
from bot.dialogue.process import EngineOptions, EngineProcess
from bot.dialogue.wire import Turn
from bot.domain.errors import EngineError, EngineUnavailableError
from tests.dialogue_client.test_client import request


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often, and wait briefly."""
    monkeypatch.setattr(process, "LOOK_EVERY", 0.05)
    monkeypatch.setattr(process, "WELL_WITHIN", 0.5)
    monkeypatch.setattr(process, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(process, "STOPS_WITHIN", 2.0)


class Supervised:
    """An engine process under supervision, seen through its client."""

    def __init__(self, folder: Path) -> None:
        """Have the stub in the engine's place."""
        options = EngineOptions(
            run_dir=folder / "run",
            actions_url="http://127.0.0.1:1/actions",
            actions_token="the-token",
            module="tests.dialogue_client.stub_engine",
        )
        self._folder = folder
        self.restarts = 0
        self.client = HttpEngine(timeout=5)
        self.process = EngineProcess(options, self.client, self._restarted)

    def _restarted(self) -> None:
        self.restarts += 1

    def let_go(self) -> None:
        """Let turns end that wait."""
        (self._folder / "run" / "go").touch()

    async def turn(self, text: str = "hi") -> Turn:
        """Return a turn, as soon as an engine gives one."""
        async with asyncio.timeout(20):
            while True:
                with suppress(EngineError):
                    return await self.client.step(request(text))
                await asyncio.sleep(0.02)

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(20):
            while not is_so():  # noqa: ASYNC110 - the processes of others give no events
                await asyncio.sleep(0.02)


@asynccontextmanager
async def supervised(folder: Path, model: str = "m1") -> AsyncIterator[Supervised]:
    """Keep an engine running for as long as the context lasts."""
    made = Supervised(folder)
    running = asyncio.create_task(made.process.run(Path(f"{model}.tar")))
    try:
        yield made
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        children = [child for child in psutil.Process().children() if "stub_engine" in " ".join(child.cmdline())]
        assert children == []


def pid_of(turn: Turn) -> int:
    """Return which process gave the turn."""
    return int(turn.state["slots"]["pid"])


async def test_an_engine_is_started_and_stopped(tmp_path: Path) -> None:
    """The engine gets its model, socket and token, none of our settings, and ends with us."""
    os.environ["TANDEM_TELEGRAM__TOKEN"] = "secret"
    try:
        async with supervised(tmp_path) as engine:
            turn = await engine.turn()
            assert turn.answers[0].text == "m1 the-token"
            assert turn.state["slots"]["environ"] == []
            arguments = " ".join(psutil.Process(pid_of(turn)).cmdline())
            assert "the-token" not in arguments
    finally:
        del os.environ["TANDEM_TELEGRAM__TOKEN"]
    assert not engine.client.is_ready


async def test_a_killed_engine_is_started_again(tmp_path: Path) -> None:
    """After `kill -9` turns are unavailable for a moment, then another process gives them."""
    async with supervised(tmp_path) as engine:
        first = pid_of(await engine.turn())
        for n in range(1, 3):
            os.kill(first, signal.SIGKILL)
            await engine.until(lambda n=n: engine.restarts == n)  # type: ignore[misc]
            second = pid_of(await engine.turn())
            assert second != first
            first = second


async def test_an_engine_that_dies_of_a_turn_fails_that_turn_only(tmp_path: Path) -> None:
    """A turn that kills the engine is "not now"; the next one is answered."""
    async with supervised(tmp_path) as engine:
        await engine.turn()
        with pytest.raises(EngineUnavailableError):
            await engine.client.step(request("die"))
        assert (await engine.turn()).model_id == "m1"


async def test_a_hanging_engine_is_killed(tmp_path: Path) -> None:
    """An engine that does not say that it is well is ended and started again."""
    async with supervised(tmp_path) as engine:
        first = pid_of(await engine.turn())
        hanging = asyncio.create_task(engine.client.step(request("hang")))
        await engine.until(lambda: engine.restarts == 1)
        with pytest.raises(EngineUnavailableError):
            await hanging
        assert not psutil.pid_exists(first)
        assert pid_of(await engine.turn()) != first


def test_an_engine_that_dies_while_it_is_looked_at_is_started_again(tmp_path: Path) -> None:
    """It is gone before it can be ended, which uvloop, the service's loop, takes for an error."""

    async def watch() -> None:
        async with supervised(tmp_path, "fickle") as engine:
            await engine.until(lambda: engine.restarts >= 4)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(watch())


async def test_an_engine_may_say_much(tmp_path: Path) -> None:
    """Long lines on its output neither stop the engine nor its supervision."""
    async with supervised(tmp_path) as engine:
        first = pid_of(await engine.turn())
        for _ in range(4):
            assert pid_of(await engine.turn("shout")) == first
        assert engine.restarts == 0


async def test_a_model_is_exchanged_without_a_failed_turn(tmp_path: Path) -> None:
    """While models are exchanged every turn succeeds, each by one whole model, slow ones by the one they began with."""
    async with supervised(tmp_path) as engine:
        await engine.turn()
        turns: list[Turn] = []
        is_over = False

        async def ask(text: str) -> None:
            while not is_over:
                turns.append(await engine.client.step(request(text)))
                await asyncio.sleep(0.01)

        asking = [asyncio.create_task(ask(text)) for text in ("hi", "slow", "slow")]
        await engine.process.swap(Path("m2.tar"))
        assert (await engine.client.step(request())).model_id == "m2"
        is_over = True
        await asyncio.gather(*asking)
        assert {turn.model_id for turn in turns} == {"m1", "m2"}
        assert engine.restarts == 0
        os.kill(pid_of(await engine.turn()), signal.SIGKILL)
        await engine.until(lambda: engine.restarts == 1)
        assert (await engine.turn()).model_id == "m2"


async def test_an_exchanged_engine_lives_as_long_as_its_turns(tmp_path: Path) -> None:
    """A turn that began before an exchange ends where it began, however long it may take, and then its engine goes."""
    async with supervised(tmp_path) as engine:
        first = pid_of(await engine.turn())
        crawling = asyncio.create_task(engine.client.step(request("wait")))
        swapping = asyncio.create_task(engine.process.swap(Path("m2.tar")))
        await engine.until(lambda: engine.process._running is not None and engine.process._running.model.stem == "m2")
        assert (await engine.turn()).model_id == "m2"
        assert psutil.pid_exists(first)
        assert not swapping.done()
        engine.let_go()
        assert (await crawling).model_id == "m1"
        await swapping
        assert not psutil.pid_exists(first)


async def test_a_model_that_does_not_start_changes_nothing(tmp_path: Path) -> None:
    """An exchange for a broken model fails with what the engine said, and the old one goes on."""
    async with supervised(tmp_path) as engine:
        first = pid_of(await engine.turn())
        with pytest.raises(EngineUnavailableError, match="the model is not a model"):
            await engine.process.swap(Path("broken.tar"))
        assert pid_of(await engine.turn()) == first
        assert engine.restarts == 0


async def test_an_engine_that_never_gets_ready_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start that takes too long is an error, and leaves no process behind."""
    async with supervised(tmp_path) as engine:
        await engine.turn()
        monkeypatch.setattr(process, "READY_WITHIN", 1.5)
        with pytest.raises(EngineUnavailableError, match="not ready within"):
            await engine.process.swap(Path("silent.tar"))
        assert (await engine.turn()).model_id == "m1"


async def test_a_broken_model_is_tried_again_with_growing_pauses(tmp_path: Path) -> None:
    """Supervision outlives an engine that does not start at all, and stops when it is told to."""
    async with supervised(tmp_path, "broken") as engine:
        await engine.until(lambda: engine.process._serial >= 3)
        assert not engine.client.is_ready
        with pytest.raises(EngineUnavailableError):
            await engine.client.step(request())


async def test_a_path_too_long_for_a_socket_is_explained(tmp_path: Path) -> None:
    """A state folder whose path is too long is named, with what to do."""
    engine = Supervised(tmp_path / ("x" * 120))
    with pytest.raises(EngineUnavailableError, match="state_dir"):
        await engine.process.swap(Path("m1.tar"))
