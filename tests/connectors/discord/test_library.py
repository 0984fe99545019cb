"""Our fake Discord with a client that nobody here wrote (PyPI `discord.py`)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from simulator.discord import FakeDiscord
from simulator.discord_server import running
from tests.connectors.discord.bench import JANE, SUPPORT
from tests.peers import pypi


async def _hears(peer: pypi.Peer, *wanted: list[Any]) -> None:
    """Wait until the library's bot has heard all that."""
    heard: list[Any] = []
    try:
        async with asyncio.timeout(15):
            while not all(each in heard for each in wanted):
                heard = await peer.ask("what?")
                await asyncio.sleep(0.02)
    except TimeoutError:
        pytest.fail(f"heard only {heard}")


async def test_the_library_lives_on_our_fake() -> None:
    """Discord's best-known library connects, answers, acknowledges, edits, sends files and resumes at our fake."""
    discord = FakeDiscord()
    discord.add_channel(SUPPORT, "support")
    jane = discord.member(JANE)
    peer = pypi.Peer("discord", "client.py")
    try:
        async with running(discord) as server:
            await peer.ask({"url": discord.url, "token": discord.token})
            await _hears(peer, ["ready", discord.application_id, ["Copperleaf's friends"]])
            first = jane.writes("hello")
            jane.writes("in the channel", discord.places[SUPPORT])
            await _hears(
                peer,
                ["message", "hello", JANE, "DMChannel"],
                # The words of servers are kept from whoever did not ask for them, or so the library believes.
                ["message", "in the channel", JANE, "TextChannel"],
            )
            await discord.until(lambda: len(jane.seen) == 1)
            assert jane.seen[0]["content"] == "re: hello"
            assert jane.seen[0]["message_reference"]["message_id"] == first["id"]
            assert jane.direct.typing_count == 1
            jane.taps("Yes")
            await _hears(peer, ["tap", "yes-key"], ["edit", "done"])
            assert not discord.busy_taps
            assert jane.seen[0]["content"] == "done"
            jane.edits(first, "hello!")
            jane.reacts(first, "👍")
            jane.deletes(first)
            await _hears(peer, ["edit", "hello!"], ["reaction", "👍"], ["delete", first["id"]])
            await server.drop()
            jane.writes("file")
            await _hears(peer, ["resumed"], ["message", "file", JANE, "DMChannel"])
            await discord.until(lambda: len(jane.seen) == 2)
            assert discord.files[jane.seen[1]["attachments"][0]["id"]] == b"%PDF"
    finally:
        peer.close()
