from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from bot.dialogue.wire import TurnRequest
from bot.domain.acts import Claim
from bot.domain.desk import DeskPostKind
from bot.domain.errors import EngineUnavailableError, TurnFailedError
from bot.domain.messages import (
    Attachment,
    AttachmentKind,
    Author,
    Meaning,
    Receipt,
    ReceiptKind,
    Withdrawal,
)
from bot.pipeline.converse import Conversing
from bot.pipeline.worker import Worker
from bot.store.schema import inbox as inbox_table
from tests.fakes.connector import message
from tests.pipeline.rig import Rig, handoff, offer, turn

PAUSE = timedelta(seconds=0.8)
PHOTO = Attachment(kind=AttachmentKind.IMAGE, reference="photo", name="mug.png")


@pytest.fixture
def chat(rig: Rig) -> Rig:
    """A pipeline on a channel whose customers write in pieces, and that understands nothing of what begins with ?."""
    rig.connector.debounce = PAUSE
    return rig


def unsure(rig: Rig, *texts: str) -> None:
    """Let the bot not understand these."""
    for text in texts:
        rig.engine.by_text[text] = turn(f"what is {text}?", is_fallback=True)


async def piece(rig: Rig, number: int, text: str, **more: Any) -> None:
    """Let a customer write something, and the worker look at it."""
    await rig.bring(message(rig.connector, "ann", f"in-{number}", text, **more))
    await rig.settle()


async def test_what_is_understood_is_answered_at_once(chat: Rig) -> None:
    """A message that the bot is sure of waits for nothing, however it ends."""
    await piece(chat, 1, "where is my order")
    assert chat.seen() == ["re: where is my order"]


async def test_what_looks_whole_is_answered_at_once(chat: Rig) -> None:
    """A sentence that the bot does not understand waits for nothing either."""
    unsure(chat, "Qui est là ?")
    await piece(chat, 1, "Qui est là ?")
    assert chat.seen() == ["what is Qui est là ??"]


async def test_a_lone_piece_is_answered_after_the_pause(chat: Rig) -> None:
    """What the bot does not understand is answered when nothing follows for as long as the channel says."""
    unsure(chat, "so")
    await piece(chat, 1, "so")
    chat.clock.pass_(seconds=0.7)
    await chat.settle()
    assert chat.seen() == []
    chat.clock.pass_(seconds=0.2)
    await chat.settle()
    assert chat.seen() == ["what is so?"]
    (row,) = await chat.database.read(lambda connection: connection.execute(select(inbox_table)).all())
    assert (row.state, row.attempt_count) == ("done", 1)


async def test_pieces_are_answered_in_one_turn(chat: Rig) -> None:
    """Greeting, question and number, sent one after the other, get one answer; each stays a line of its own."""
    chat.engine.by_text["hi"] = turn("Hello!", intent="greet")
    unsure(chat, "hi\nabout my order")
    for number, text in enumerate(["hi", "about my order", "CL-104233"]):
        await piece(chat, number, text)
        chat.clock.pass_(seconds=0.5)
    assert chat.seen() == ["re: hi\nabout my order\nCL-104233"]
    lines = await chat.transcript()
    assert [line.text for line in lines if line.author is Author.CUSTOMER] == ["hi", "about my order", "CL-104233"]
    assert (await chat.inbox_states())["pending"] == 0


async def test_who_goes_on_and_on_is_answered(chat: Rig) -> None:
    """After four pauses the customer is answered, even if they still write; the rest is a turn of its own."""
    for first in range(12):
        unsure(chat, *("\n".join(str(number) for number in range(first, last)) for last in range(first + 1, 13)))
    for number in range(12):
        await piece(chat, number, str(number))
        chat.clock.pass_(seconds=0.5)
    chat.clock.pass_(seconds=1)
    await chat.settle()
    answers = chat.seen()
    assert len(answers) == 2
    assert [word for answer in answers for word in answer[8:-1].split("\n")] == [str(number) for number in range(12)]


async def test_a_newer_message_supersedes_the_turn(chat: Rig) -> None:
    """What comes while the turn is in work is answered with it, in one answer."""

    async def write_more(request: TurnRequest) -> None:
        if request.text == "where is my order":
            await chat.bring(message(chat.connector, "ann", "in-2", "I mean CL-104233"))

    chat.engine.during_step = write_more
    await piece(chat, 1, "where is my order")
    assert chat.seen() == ["re: where is my order\nI mean CL-104233"]
    assert [request.text for request in chat.engine.requests] == [
        "where is my order",
        "where is my order\nI mean CL-104233",
    ]


async def test_a_tap_follows_the_turn(chat: Rig) -> None:
    """A tap that comes while a turn is in work is a turn of its own, after it."""
    chat.engine.by_text["hello"] = turn(offer("What is it?", ("An order", Meaning(intent="order", entities={}))))
    await piece(chat, 1, "hello")
    (tapped,) = chat.connector.shown[-1].choices

    async def tap(request: TurnRequest) -> None:
        if request.text == "hm well":
            await chat.bring(message(chat.connector, "ann", "in-3", "", choice=tapped))

    chat.engine.during_step = tap
    await piece(chat, 2, "hm well")
    assert chat.seen()[1:] == ["re: hm well", "re: /order"]


async def test_reports_on_ours_stand_in_nobodys_way(chat: Rig) -> None:
    """That our last answer was read, told between two pieces, does not part them."""
    unsure(chat, "a")
    await chat.bring(message(chat.connector, "ann", "in-1", "a"))
    report = Receipt(
        address=chat.connector.address("ann"), external_id="r1", of_external_id="none", kind=ReceiptKind.READ
    )
    await chat.bring(report)
    await piece(chat, 2, "b")
    assert chat.seen() == ["re: a\nb"]
    assert await chat.inbox_states() == {"pending": 0, "claimed": 0, "dead": 0, "held": 0}


async def test_what_is_taken_back_parts_the_pieces(chat: Rig) -> None:
    """A message behind one that is taken back is a turn of its own: order is kept."""
    address = chat.connector.address("ann")
    await chat.bring(
        message(chat.connector, "ann", "in-1", "a"),
        Withdrawal(address=address, external_id="w1", of_external_id="in-1"),
        message(chat.connector, "ann", "in-2", "b"),
    )
    await chat.settle()
    assert chat.seen() == ["re: a", "re: b"]


async def test_a_photo_and_its_words(chat: Rig) -> None:
    """A photo without words waits for them, and both are one question; alone it goes to people after the pause."""
    chat.connector.files["photo"] = b"words in a file"
    await piece(chat, 1, "", attachments=(PHOTO,))
    assert chat.seen() == []
    await piece(chat, 2, "it arrived like this")
    assert chat.seen() == ["re: it arrived like this"]
    kept = [file for line in await chat.transcript() for file in line.attachments]
    assert [file.media_id is not None for file in kept] == [True]
    await piece(chat, 3, "", attachments=(PHOTO,))
    assert await chat.open_ticket() is None
    chat.clock.pass_(seconds=1)
    await chat.settle()
    assert await chat.open_ticket() is not None


async def test_all_pieces_reach_the_people_who_wait(chat: Rig) -> None:
    """While a ticket is in the queue, each piece is shown in its thread, and the answer once."""
    chat.engine.by_text["a person, please!"] = handoff()
    await piece(chat, 1, "a person, please!")
    unsure(chat, "and", "and\nalso")
    await piece(chat, 2, "and")
    await piece(chat, 3, "also")
    await piece(chat, 4, "where is my order")
    lines = {line.id: line.text for line in await chat.transcript()}
    posted = [lines[post.message_id] for post in chat.poster.of(DeskPostKind.LINE) if post.message_id]
    assert posted[-4:] == ["and", "also", "where is my order", "re: and\nalso\nwhere is my order"]


async def test_agents_get_each_piece_at_once(chat: Rig) -> None:
    """An agent who has the conversation sees each message as it comes."""
    chat.engine.by_text["a person, please!"] = handoff()
    await piece(chat, 1, "a person, please!")
    await chat.act(Claim())
    await chat.settle()
    unsure(chat, "and", "so")
    await piece(chat, 2, "and")
    await piece(chat, 3, "so")
    lines = {line.id: line.text for line in await chat.transcript()}
    posted = [lines[post.message_id] for post in chat.poster.of(DeskPostKind.LINE) if post.message_id]
    assert posted[-2:] == ["and", "so"]


async def test_a_claim_while_a_piece_is_held(chat: Rig) -> None:
    """What is held when an agent takes the conversation goes to the agent, and the bot stays silent."""
    chat.engine.by_text["a person, please!"] = handoff()
    await piece(chat, 1, "a person, please!")
    seen = chat.seen()
    unsure(chat, "and")
    await piece(chat, 2, "and")
    await chat.act(Claim())
    chat.clock.pass_(seconds=1)
    await chat.settle()
    assert [shown.author for shown in chat.connector.shown[len(seen) :]] == ["system"]


async def test_a_message_that_fails_is_alone_to_blame(chat: Rig) -> None:
    """When a turn of several pieces fails, each is tried by itself, and only the one at fault goes to people."""
    chat.engine.by_text["a\npoison"] = chat.engine.by_text["poison"] = TurnFailedError("no")
    await chat.bring(message(chat.connector, "ann", "in-1", "a"), message(chat.connector, "ann", "in-2", "poison"))
    await chat.wait_out(minutes=3)
    assert "re: a" in chat.seen()
    assert await chat.open_ticket() is not None
    assert (await chat.inbox_states())["pending"] == 0


async def test_an_outage_keeps_pieces_together(chat: Rig) -> None:
    """What nobody could answer while there was no engine is answered together when there is one."""
    chat.engine.broken = EngineUnavailableError()
    await piece(chat, 1, "a")
    await piece(chat, 2, "b")
    chat.engine.broken = None
    await chat.wait_out(minutes=1)
    assert chat.seen()[-1] == "re: a\nb"


async def test_the_operators_word_counts(chat: Rig) -> None:
    """A pause that the operator chose holds on every channel; with none, each message is a turn of its own."""
    parts = chat.converse_parts
    for chosen, expected in (timedelta(), ["what is a?", "re: b"]), (timedelta(seconds=5), ["re: a\nb"]):
        before = len(chat.seen())
        woken: list[float] = []
        changed = {"debounce": chosen, "wake_in": woken.append}
        chat.worker = Worker(
            type(chat.worker._parts)(
                **{**vars(chat.worker._parts), "conversing": Conversing(type(parts)(**{**vars(parts), **changed}))}
            )
        )
        unsure(chat, "a")
        await piece(chat, 10 * before + 1, "a")
        assert woken == ([5.0] if chosen else [])
        chat.clock.pass_(seconds=4)
        await piece(chat, 10 * before + 2, "b")
        assert chat.seen()[before:] == expected
