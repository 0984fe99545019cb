from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy import Connection, text

from bot.domain.messages import Author, OutboundMessage
from bot.store import outbox
from bot.store.codec import OUTBOUND, to_json
from bot.store.outbox import OutboxKind, Outgoing
from tests.databases import run_in
from tests.faults.running import READY_WITHIN, ROOT
from tests.ports import free_port

TOKEN = "123456:a-token-of-a-bot"
SECRET = "a-secret-of-Telegram_7"
#: Seconds that a service may take to stop, whatever it is at.
STOPS_WITHIN = 10.0
RESTARTS = 3
CALLERS = 6


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """Return a listening socket that outlives the services it is given to, as systemd keeps one."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as bound:
        yield bound


@dataclass(kw_only=True)
class Keeper:
    """What systemd is to a service with a socket unit: holds the socket and hands it to each life."""

    command: str
    state_dir: Path
    database: str
    socket: socket.socket
    #: where Telegram's calls are answered; by default nobody does
    telegram_url: str = "http://127.0.0.1:9"

    async def start(self) -> tuple[asyncio.subprocess.Process, int]:
        """Start a life; return it once it does its work, with its internal port."""
        internal_port, model = free_port(), self.state_dir / "model.tar.gz"
        self.state_dir.mkdir(exist_ok=True)
        model.write_bytes(b"not a model: no engine comes up, which keeps no call from being taken")
        environ = {name: value for name, value in os.environ.items() if not name.startswith("TANDEM_")} | {
            "TANDEM_SERVICE__STATE_DIR": str(self.state_dir),
            "TANDEM_SERVICE__INTERNAL_PORT": str(internal_port),
            "TANDEM_SERVICE__DATABASE": self.database,
            "TANDEM_SERVICE__PUBLIC_URL": "https://care.example.com",
            "TANDEM_SERVICE__SECRET": "a-secret-of-all-lives",
            "TANDEM_ENGINE__MODEL": str(model),
            "TANDEM_TELEGRAM__TOKEN": TOKEN,
            "TANDEM_TELEGRAM__WEBHOOK_SECRET": SECRET,
            "TANDEM_TELEGRAM__BASE_URL": self.telegram_url,
            "TANDEM_TELEGRAM__MESSAGES_PER_SECOND": "0",
            "LISTEN_FDS": "1",
        }
        # The service has to see its own number, and the socket as its descriptor 3, as sd_listen_fds(3) says.
        launch = f"export LISTEN_PID=$$; exec {sys.executable} -m bot {self.command} 3<&{self.socket.fileno()}"
        with (self.state_dir / "printed.log").open("ab") as log:
            life = await asyncio.create_subprocess_exec(
                *("/bin/bash", "-c", launch),
                cwd=ROOT,
                env=environ,
                pass_fds=(self.socket.fileno(),),
                stdout=log,
                stderr=log,
            )
        async with asyncio.timeout(READY_WITHIN), aiohttp.ClientSession() as session:
            while not await _is_alive(session, internal_port):
                assert life.returncode is None, (self.state_dir / "printed.log").read_text()[-2000:]
                await asyncio.sleep(0.05)
        return life, internal_port


async def _is_alive(session: aiohttp.ClientSession, port: int) -> bool:
    with contextlib.suppress(aiohttp.ClientError):
        async with session.get(f"http://127.0.0.1:{port}/healthz") as answer:
            return answer.status == 200
    return False


@dataclass(kw_only=True)
class Channel:
    """Calls us again and again, each time by a connection of its own, and keeps what it heard."""

    port: int
    heard: Counter[str] = field(default_factory=Counter)
    waited: list[float] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    async def call(self) -> None:
        """Call until cancelled."""
        headers = {"x-telegram-bot-api-secret-token": SECRET}
        url = f"http://127.0.0.1:{self.port}/webhooks/telegram/{TOKEN.partition(':')[0]}"
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
            while True:
                began = time.monotonic()
                try:
                    async with session.post(url, json=_update(next(self.numbers))) as answer:
                        self.heard[str(answer.status)] += 1
                except aiohttp.ClientError as error:
                    self.heard[type(error).__name__] += 1
                self.waited.append(time.monotonic() - began)
                await asyncio.sleep(0.02)


def _update(number: int) -> dict[str, object]:
    chat = {"id": number % 50 + 1, "type": "private", "first_name": "Jane"}
    message = {"message_id": number, "date": 1_790_000_000, "chat": chat, "from": {"id": chat["id"]}, "text": "hello"}
    return {"update_id": number, "message": message}


async def _stop(life: asyncio.subprocess.Process) -> float:
    """Ask a service to stop and return how long it took."""
    began = time.monotonic()
    life.terminate()
    async with asyncio.timeout(STOPS_WITHIN + 5):
        assert await life.wait() == 0
    return time.monotonic() - began


@pytest.mark.slow
@pytest.mark.parametrize("way", ["one after another", "one beside another"])
async def test_a_rolling_restart_refuses_no_call(
    postgres_url: str, listening: socket.socket, tmp_path: Path, way: str
) -> None:
    """While web processes are exchanged under load every call of a channel is taken, and each of them is kept once."""
    keeper = Keeper(command="web", state_dir=tmp_path / "web", database=postgres_url, socket=listening)
    life, _ = await keeper.start()
    channel = Channel(port=listening.getsockname()[1])
    calls = [asyncio.create_task(channel.call()) for _ in range(CALLERS)]
    stops = []
    try:
        for _ in range(RESTARTS):
            await asyncio.sleep(0.3)
            old = life
            if way == "one beside another":
                life, _ = await keeper.start()
                stops.append(await _stop(old))
            else:
                stops.append(await _stop(old))
                life, _ = await keeper.start()
        await asyncio.sleep(0.3)
    finally:
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await _stop(life)
    assert set(channel.heard) == {"200"}, channel.heard
    assert max(stops) <= STOPS_WITHIN
    assert channel.heard["200"] > 3 * CALLERS
    kept = run_in(postgres_url, lambda connection: connection.scalar(text("SELECT count(*) FROM inbox")))
    # A call in work when its caller was cancelled may have been kept too.
    assert channel.heard["200"] <= int(kept or 0) <= channel.heard["200"] + CALLERS
    figures = {"calls": channel.heard["200"], "longest_wait": max(channel.waited), "longest_stop": max(stops)}
    sys.stdout.write(f"{way}: {json.dumps(figures)}\n")


@pytest.mark.slow
async def test_one_process_on_sqlite_restarts_without_refusing_a_call(listening: socket.socket, tmp_path: Path) -> None:
    """The embedded service, too, leaves calls waiting in its socket's line while it restarts."""
    database = f"sqlite:///{tmp_path / 'tandem.db'}"
    keeper = Keeper(command="run", state_dir=tmp_path / "run", database=database, socket=listening)
    life, _ = await keeper.start()
    channel = Channel(port=listening.getsockname()[1])
    calls = [asyncio.create_task(channel.call()) for _ in range(CALLERS)]
    try:
        await asyncio.sleep(0.5)
        stopped_for = await _stop(life)
        life, _ = await keeper.start()
        await asyncio.sleep(0.5)
    finally:
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await _stop(life)
    assert set(channel.heard) == {"200"}, channel.heard
    assert stopped_for <= STOPS_WITHIN
    sys.stdout.write(f"stop {stopped_for:.2f} s, longest wait {max(channel.waited):.2f} s\n")


@pytest.mark.slow
async def test_a_stop_waits_for_nobody_for_ever(listening: socket.socket, tmp_path: Path) -> None:
    """A channel that never answers, a caller who never ends and an open page keep a stop for ten seconds at most.

    The call that was on its way counts as perhaps made.
    """
    database = f"sqlite:///{tmp_path / 'tandem.db'}"
    with socket.create_server(("127.0.0.1", 0)) as mute:
        keeper = Keeper(
            command="run",
            state_dir=tmp_path / "run",
            database=database,
            socket=listening,
            telegram_url=f"http://127.0.0.1:{mute.getsockname()[1]}",
        )
        life, _ = await keeper.start()
        await asyncio.to_thread(run_in, database, _put_message)
        async with asyncio.timeout(20):
            while not await asyncio.to_thread(run_in, database, _is_claimed):  # noqa: ASYNC110 - another process does it
                await asyncio.sleep(0.05)
        host, port = listening.getsockname()
        _, slow = await asyncio.open_connection(host, port)
        slow.write(b"POST /webhooks/telegram/123456 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
        await slow.drain()
        stopped_for = await _stop(life)
        slow.close()
    assert stopped_for <= STOPS_WITHIN
    sys.stdout.write(f"stop {stopped_for:.2f} s\n")
    state = await asyncio.to_thread(run_in, database, _states)
    assert state in (["claimed"], ["pending"], ["held"])


def _put_message(connection: Connection) -> None:
    message = OutboundMessage(author=Author.BOT, text="hello")
    outgoing = Outgoing(
        key="key", address="telegram/123456/1", kind=OutboxKind.MESSAGE, body=to_json(OUTBOUND, message)
    )
    outbox.add(connection, outgoing, datetime.now(UTC))


def _is_claimed(connection: Connection) -> bool:
    return _states(connection) == ["claimed"]


def _states(connection: Connection) -> list[str]:
    return list(connection.scalars(text("SELECT state FROM outbox")))
