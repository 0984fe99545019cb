"""Mastodon and Bluesky end to end: fakes that keep what customers saw, and the whole pipeline between."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from bot.domain.channels import ChannelAddress
from bot.domain.connectors import Connector, ConnectorRegistry
from bot.domain.conversations import Conversation, Owner
from bot.domain.messages import DeliveryState
from bot.pipeline.converse import Conversing
from bot.pipeline.deliver import Delivering
from bot.pipeline.receive import Receiver
from bot.pipeline.worker import Worker
from bot.store import conversations, transcript
from connectors.bluesky.connector import BlueskyConnector, BlueskySettings
from connectors.bluesky.connector import Office as BlueskyOffice
from connectors.mastodon.connector import MastodonConnector, MastodonSettings
from connectors.mastodon.connector import Office as MastodonOffice
from tests.connectors.looker import Looker
from tests.fakes import bluesky, mastodon
from tests.fakes.cursors import MemoryCursors
from tests.fakes.media import MemoryMedia
from tests.pipeline.rig import Rig


def _put(rig: Rig, connector: Connector) -> Receiver:
    """Put a connector into the pipeline and return what takes its events."""
    registry = ConnectorRegistry(connectors=(connector,))
    rig.worker = Worker(
        replace(
            rig.worker._parts,
            conversing=Conversing(replace(rig.converse_parts, connectors=registry)),
            delivering=Delivering(replace(rig.deliver_parts, connectors=registry)),
        )
    )
    return Receiver(rig.database, rig.clock, rig.hints.inbox)


async def _look(rig: Rig, looker: Looker, connector: Connector) -> None:
    """Let the connector look once, and see through what it finds."""
    found = await looker.look()
    await _put(rig, connector).take(connector, found)
    await rig.settle()


async def _conversation(rig: Rig, connector: Connector, customer: str) -> tuple[Conversation, list[str]]:
    address = ChannelAddress(channel=connector.channel, account=connector.account, external_id=customer)
    found = await rig.database.read(conversations.find_by_address, address)
    assert found is not None
    lines = await rig.database.read(transcript.last, found.id, 100)
    assert {line.delivery for line in lines} <= {None, DeliveryState.SENT}
    return found, [line.text for line in lines]


async def test_mastodon(rig: Rig) -> None:
    """A lost receipt shows an answer once; what a colleague writes silences the bot."""
    async with mastodon.running(mastodon.FakeMastodon()) as server:
        made: list[MastodonConnector] = []

        def looking(sleep: Callable[[float], Awaitable[None]]) -> MastodonConnector:
            account = MastodonSettings.model_validate(
                {"name": "care@mastodon.example", "token": mastodon.TOKEN, "base_url": server.url}
            )
            office = MastodonOffice(account, MemoryMedia(), MemoryCursors(), sleep, rig.clock.now)
            made.append(MastodonConnector(office))
            return made[-1]

        looker = Looker(looking)
        await _look(rig, looker, made[0])
        asked = server.writes("jane", "@care hello")
        server.faults.append(mastodon.Fault(status=None, is_done=True, method="POST"))
        await _look(rig, looker, made[0])
        await _look(rig, looker, made[0])
        await rig.wait_out(minutes=2)
        server.writes("care", "@jane Sam here.", parent=asked.id)
        await _look(rig, looker, made[0])
        server.writes("jane", "@care thanks")
        await _look(rig, looker, made[0])
        await rig.wait_out(minutes=1)

        said = [each.text for each in server.statuses.values()]
        assert said == ["@care hello", "@jane re: hello", "@jane Sam here.", "@care thanks"]
        found, lines = await _conversation(rig, made[0], "44")
        assert (found.owner, lines) == (Owner.AGENT, ["hello", "re: hello", "Sam here.", "thanks"])
        await looker.stop()
        await made[0].close()


async def test_bluesky(rig: Rig) -> None:
    """A message is answered once; what a colleague writes silences the bot, and our own words do not."""
    async with bluesky.running(bluesky.FakeBluesky(now=rig.clock.now())) as network:
        made: list[BlueskyConnector] = []

        def looking(sleep: Callable[[float], Awaitable[None]]) -> BlueskyConnector:
            account = BlueskySettings.model_validate(
                {"handle": bluesky.HANDLE, "app_password": bluesky.PASSWORD, "base_url": network.url}
            )
            office = BlueskyOffice(account, MemoryMedia(), MemoryCursors(), sleep, lambda: network.now)
            made.append(BlueskyConnector(office))
            return made[-1]

        looker = Looker(looking)
        convo = network.talks(bluesky.JANE)
        await _look(rig, looker, made[0])
        network.says(convo, bluesky.JANE, "hello")
        await _look(rig, looker, made[0])
        await _look(rig, looker, made[0])
        network.says(convo, bluesky.JANE, "more")
        await _look(rig, looker, made[0])
        await rig.wait_out(minutes=1)
        found, lines = await _conversation(rig, made[0], bluesky.JANE)
        assert (found.owner, lines) == (Owner.BOT, ["hello", "re: hello", "more", "re: more"])
        # The answer to a call is lost: it is looked whether the message is there, and nobody is asked.
        network.faults.append(bluesky.Fault(status=None, is_done=True, method="chat.bsky.convo.sendMessage"))
        network.says(convo, bluesky.JANE, "again")
        await _look(rig, looker, made[0])
        await _look(rig, looker, made[0])
        found, lines = await _conversation(rig, made[0], bluesky.JANE)
        assert (found.owner, lines[-1]) == (Owner.BOT, "re: again")
        network.says(convo, bluesky.OURS, "Sam here.")
        await _look(rig, looker, made[0])

        assert network.shown(convo) == ["re: hello", "re: more", "re: again", "Sam here."]
        found, lines = await _conversation(rig, made[0], bluesky.JANE)
        assert (found.owner, lines[-1]) == (Owner.AGENT, "Sam here.")
        await looker.stop()
        await made[0].close()
