from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.engine.conftest import Actions

BODY: dict[str, Any] = {
    "conversation": "c", "message_id": "m", "channel": "web", "text": "when do you close", "intent": None, "events": [],
    "metadata": {},
}  # fmt: skip


async def start(model: Path, socket: Path, actions: str) -> asyncio.subprocess.Process:
    """Start an engine process as the service does."""
    command = [sys.executable, "-m", "bot.engine", "--model", str(model), "--socket", str(socket), "--actions", actions]
    return await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "ENGINE_ACTIONS_TOKEN": "from-the-environment"},
    )


def client_of(socket: Path) -> httpx.AsyncClient:
    """Return a client of the engine at this socket."""
    return httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(socket)), base_url="http://engine", timeout=20)


async def until_ready(client: httpx.AsyncClient, process: asyncio.subprocess.Process) -> dict[str, Any]:
    """Wait for the engine to answer /health and return what it says."""
    while process.returncode is None:
        try:
            return (await client.get("/health")).json()  # type: ignore[no-any-return]
        except httpx.TransportError:
            await asyncio.sleep(0.05)
    raise AssertionError(await process.communicate())


@pytest.fixture
def short_path() -> Iterator[Path]:
    """Return a folder with a name short enough for a Unix socket in it."""
    with tempfile.TemporaryDirectory(prefix="t") as folder:
        yield Path(folder)


@pytest.fixture
async def engine(
    small_model: Path, short_path: Path, actions: Actions
) -> AsyncIterator[tuple[httpx.AsyncClient, asyncio.subprocess.Process]]:
    """Run an engine process and return a client of it."""
    process = await start(small_model, short_path / "s", actions.url)
    async with client_of(short_path / "s") as client:
        await until_ready(client, process)
        yield client, process
    if process.returncode is None:
        process.kill()
    await process.communicate()


async def test_the_process_answers_steps_and_tells_what_it_runs(
    engine: tuple[httpx.AsyncClient, asyncio.subprocess.Process], actions: Actions
) -> None:
    """An engine process answers a step, calls actions with its token, and names its model and encoder."""
    client, process = engine
    health = (await client.get("/health")).json()
    assert (health["status"], health["rasa"]) == ("ready", "3.6.21")
    assert len(health["model_sha256"]) == len(health["encoder"]) == 64
    outcome = (await client.post("/step", json=BODY)).json()
    assert outcome["answers"][0]["text"] == "We are open from nine to six."
    assert outcome["model_id"] == health["model_id"]
    assert (await client.post("/step", json={**BODY, "text": "where is my order"})).status_code == 200
    assert actions.headers[0]["Authorization"] == "Bearer from-the-environment"
    assert psutil.Process(process.pid).memory_info().rss < 300_000_000


BAD_BODIES = [
    (b"", 400),
    (b"{", 400),
    (b"[]", 422),
    (b"\xff\xfe", 400),
    (b"[" * 100_000, 400),
    (json.dumps({**BODY, "events": [{"event": "no_such_event"}]}).encode(), 422),
    (json.dumps({**BODY, "text": None}).encode(), 422),
    (json.dumps({**BODY, "text": "x" * 9_000_000}).encode(), 413),
]


async def test_bad_bodies_get_a_clear_answer(engine: tuple[httpx.AsyncClient, asyncio.subprocess.Process]) -> None:
    """What is no request is refused as such and harms nothing; a message without end is a message."""
    client, _ = engine
    for body, status in BAD_BODIES:
        response = await client.post("/step", content=body)
        assert response.status_code == status, body[:50]
        assert response.json()["error"]
    assert (await client.post("/nothing")).status_code == 404
    assert (await client.get("/step")).status_code == 405
    endless = json.dumps({**BODY, "text": "\ud800" * 1_000_000})
    assert (await client.post("/step", content=endless)).status_code == 200


async def test_a_failed_action_is_a_502(engine: tuple[httpx.AsyncClient, Any], actions: Actions) -> None:
    """A turn with a failed action is a 502 that names the action."""
    client, _ = engine
    actions.answer = lambda _: 1 / 0  # type: ignore[assignment,return-value]
    response = await client.post("/step", json={**BODY, "text": "where is my order"})
    assert response.status_code == 502
    assert response.json()["error"] == "action_failed"
    assert response.json()["action_errors"][0]["action"] == "action_order_status"


async def test_many_turns_at_once_do_not_mix(engine: tuple[httpx.AsyncClient, Any]) -> None:
    """Turns of different conversations that run at the same time each get their own answer."""
    client, _ = engine
    asked = {
        "when do you close": "We are open from nine to six.",
        "where is my order": "It is on its way.",
        "bye": "Goodbye!",
    }
    bodies = [{**BODY, "conversation": str(number), "text": text} for number in range(8) for text in asked]
    responses = await asyncio.gather(*(client.post("/step", json=body) for body in bodies))
    for body, response in zip(bodies, responses, strict=True):
        assert response.json()["answers"][0]["text"] == asked[body["text"]]


async def test_the_engine_ends_with_whoever_started_it(
    engine: tuple[httpx.AsyncClient, asyncio.subprocess.Process],
) -> None:
    """An engine whose parent is gone stops by itself."""
    _, process = engine
    assert process.stdin is not None
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), 10) == 0


async def test_the_engine_ends_with_whoever_holds_a_socket_to_it(
    small_model: Path, short_path: Path, actions: Actions
) -> None:
    """Under uvloop a child's standard input is a socket; a parent that was killed must not leave its engine behind."""
    ours, theirs = socket.socketpair()
    path = short_path / "s"
    command = [sys.executable, "-m", "bot.engine", "--model", str(small_model), "--socket", str(path)]
    process = await asyncio.create_subprocess_exec(*command, "--actions", actions.url, stdin=theirs.fileno())
    theirs.close()
    async with client_of(path) as client:
        await until_ready(client, process)
        ours.close()
        assert await asyncio.wait_for(process.wait(), 10) == 0


@pytest.mark.parametrize("content", [None, b"not an archive", b""])
async def test_without_a_model_the_engine_says_so_in_one_line(
    tmp_path: Path, short_path: Path, content: bytes | None
) -> None:
    """A missing or broken model ends the engine at once with a line that says what to do."""
    model = tmp_path / "model.tar.gz"
    if content is not None:
        model.write_bytes(content)
    process = await start(model, short_path / "s", "http://127.0.0.1:1/")
    output, _ = await process.communicate()
    assert process.returncode == 1
    (line,) = output.decode().splitlines()
    assert line.startswith("engine: ")
    assert "python -m bot train" in line


async def test_a_place_where_it_cannot_listen_is_told_in_one_line(small_model: Path, tmp_path: Path) -> None:
    """A socket's name that is too long for the system ends the engine with one line."""
    process = await start(small_model, tmp_path / ("s" * 120), "http://127.0.0.1:1/")
    output, _ = await process.communicate()
    assert process.returncode == 1
    assert output.decode().splitlines()[-1].startswith("engine: cannot listen")
