from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.domain.connectors import Ambiguous, SendAttachment, Sent
from bot.domain.messages import Attachment, AttachmentKind
from connectors.discord.payloads import nonce
from connectors.discord.repeats import Repeats
from simulator.discord import NONCE_HOLDS_FOR
from simulator.discord_values import Fault
from tests.connectors.discord.bench import Bench, asks_in_public


@pytest.mark.parametrize(
    "fault",
    [
        Fault(call="POST messages", is_done=True, cut_after=0),
        Fault(call="POST messages", is_done=True, cut_after=60),
        Fault(call="POST messages", is_done=False, cut_after=0),
        Fault(call="POST messages", is_done=True, status=500),
        Fault(call="POST messages", is_done=False, status=502, body=b"<html>"),
        Fault(call="POST messages", is_done=True, status=200, body=b"<html>"),
        Fault(call="POST messages", is_done=True, status=200, body=b"{}"),
    ],
)
@pytest.mark.parametrize("pause", [1.0, 61.0, NONCE_HOLDS_FOR + 1])
async def test_a_message_in_doubt_is_seen_once(stand: Bench, fault: Fault, pause: float) -> None:
    """Whatever became of a call, and however late it is made again, its message is seen once."""
    await stand.connector.send(stand.text("one before"), "k0")
    stand.now[0] += 30
    stand.discord.fail(fault)
    first = await stand.connector.send(stand.text("Your refund is on its way"), "k1")
    stand.now[0] += pause
    second = await stand.connector.send(stand.text("Your refund is on its way"), "k1")

    assert isinstance(first, Ambiguous)
    (_, seen) = stand.jane.seen
    assert second == Sent(external_id=seen["id"])


@pytest.mark.parametrize("is_done", [True, False])
async def test_what_a_dead_process_may_have_sent_is_seen_once(stand: Bench, *, is_done: bool) -> None:
    """A process that knows of a doubt by the database alone looks for the message, and only since it was its turn."""
    await stand.connector.send(stand.text("One moment."), "k0")
    stand.now[0] += 30
    since = datetime.fromtimestamp(stand.now[0], UTC)
    stand.discord.fail(Fault(call="POST messages", is_done=is_done, cut_after=0))
    await stand.connector.send(stand.text("One moment."), "k1")
    stand.now[0] += NONCE_HOLDS_FOR + 1
    stand.connector._repeats = Repeats(stand.connector._api, stand.connector.account, lambda: stand.now[0])
    again = await stand.connector.send(replace(stand.text("One moment."), in_doubt_since=since), "k1")

    (_, seen) = stand.jane.seen
    assert again == Sent(external_id=seen["id"])


async def test_a_file_in_doubt_is_seen_once(stand: Bench) -> None:
    """A file that may have arrived is found by its name."""
    kept = await stand.media.put(b"x", Attachment(kind=AttachmentKind.FILE, name="label.pdf"))
    stand.discord.fail(Fault(call="POST messages", is_done=True, cut_after=0))
    operation = SendAttachment(address=stand.address, attachment=kept)
    assert isinstance(await stand.connector.send(operation, "k1"), Ambiguous)
    stand.now[0] += 3600

    assert isinstance(await stand.connector.send(operation, "k1"), Sent)
    assert len(stand.jane.seen) == 1


async def test_the_same_words_to_somebody_else(stand: Bench) -> None:
    """In public the same words to another customer are another message, however long one of them is in doubt."""
    asked = await asks_in_public(stand, "do you ship to Cork?")
    other = replace(asked, reply_context={"message_id": "1"})
    stand.discord.fail(Fault(call="POST messages", is_done=False, cut_after=0))
    assert isinstance(await stand.public.send(stand.text("We do!", answers=asked), "k1"), Ambiguous)
    assert isinstance(await stand.public.send(stand.text("We do!", answers=other), "k2"), Sent)
    stand.now[0] += 3600
    assert isinstance(await stand.public.send(stand.text("We do!", answers=asked), "k1"), Sent)

    assert len([each for each in stand.support.messages if each["content"] == "We do!"]) == 2


async def test_looking_back_fails(stand: Bench) -> None:
    """While nobody can tell whether a message is there, it is not made again."""
    stand.discord.fail(Fault(call="POST messages", cut_after=0), Fault(call="GET messages", status=500))
    await stand.connector.send(stand.text("hello"), "k1")
    stand.now[0] += 3600

    assert isinstance(await stand.connector.send(stand.text("hello"), "k1"), Ambiguous)
    assert isinstance(await stand.connector.send(stand.text("hello"), "k1"), Sent)
    assert len(stand.jane.seen) == 1


async def test_different_messages_are_different(stand: Bench) -> None:
    """The same words under another key are another message."""
    for number in range(3):
        await stand.connector.send(stand.text("Hello"), f"k{number}")

    assert len(stand.jane.seen) == 3
    assert len(nonce("k" * 1000)) <= 25
