"""Answers to one message: what customers and agents point at, and what becomes of it."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from bot.domain.acts import Amend, Claim, Reply, Resend
from bot.domain.connectors import Permanent
from bot.domain.errors import DeskError
from bot.domain.messages import MessageId, TranscriptLine, Withdrawal
from bot.domain.tickets import TicketId
from bot.store import tickets
from bot.store.schema import outbox
from tests.fakes.connector import refused
from tests.pipeline.rig import Rig, handoff


@pytest.fixture
async def asked(rig: Rig) -> Rig:
    """Return the pipeline with Ann's ticket claimed, after she has asked two things."""
    rig.connector.has_quotes = True
    rig.engine.by_text["person please"] = handoff("I'll ask a colleague.")
    await rig.writes("person please")
    await rig.act(Claim())
    await rig.writes("does it fit?")
    await rig.writes("is it blue?")
    return rig


async def lines(rig: Rig) -> tuple[TranscriptLine, ...]:
    """Return what an agent sees was said."""
    conversation = await rig.conversation()
    ticket = await rig.database.read(tickets.last_of, conversation.id)
    assert ticket is not None
    view = await rig.desk.view(TicketId(ticket.id))
    assert view is not None
    return view.transcript


async def named(rig: Rig, text: str) -> MessageId:
    """Return the id of what was said."""
    return next(line.id for line in await lines(rig) if line.text == text)


async def test_an_agent_answers_one_message(asked: Rig) -> None:
    """The channel is told its own id of the message, the desk shows what was answered, also after it was sent again."""
    fits = await named(asked, "does it fit?")
    asked.connector.script.append(refused(Permanent(reason="blocked", code="403")))
    done = await asked.act(Reply(text="It does.", quotes=fits))
    await asked.settle()
    assert done.message_id is not None
    await asked.act(Resend(message_id=done.message_id))
    await asked.settle()

    said_by_sam = [(shown.text, shown.quotes) for shown in asked.connector.shown if shown.author == "agent"]
    assert said_by_sam == [("It does.", "in-3")]
    said = (await lines(asked))[-1]
    assert said.quotes is not None
    assert (said.quotes.id, said.quotes.text) == (fits, "does it fit?")


async def test_where_nothing_is_quoted_words_are(asked: Rig) -> None:
    """A channel without quotes shows the words that are answered, also above a text that was changed."""
    asked.connector.has_quotes = False
    done = await asked.act(Reply(text="It does.", quotes=await named(asked, "does it fit?")))
    await asked.settle()
    assert asked.seen()[-1] == "> does it fit?\nIt does."
    assert done.message_id is not None
    await asked.act(Amend(message_id=done.message_id, text="It does not."))
    await asked.settle()
    assert asked.seen()[-1] == "> does it fit?\nIt does not."
    assert (await lines(asked))[-1].text == "It does."


async def test_a_customer_answers_one_message(asked: Rig) -> None:
    """What a customer answers is shown to agents, also where it is a piece of ours that was not the last."""
    asked.connector.text_max = 20
    await asked.act(Reply(text="There is a blue one and a red one."))
    await asked.settle()
    first_piece = asked.connector.shown[-2].external_id
    await asked.writes("the first", quotes=first_piece)
    await asked.writes("of those", quotes="in-3")
    await asked.writes("or that", quotes="of somebody else")

    assert [line.quotes.text if line.quotes else None for line in (await lines(asked))[-3:]] == [
        "There is a blue one and a red one.",
        "does it fit?",
        None,
    ]


async def test_what_has_to_go_is_not_quoted(asked: Rig) -> None:
    """Where a message has to be erased, nothing that answers it keeps its words."""
    await asked.act(Reply(text="It does.", quotes=await named(asked, "does it fit?")))
    await asked.settle()
    gone = Withdrawal(address=asked.connector.address("ann"), external_id="w", of_external_id="in-3", is_erasure=True)
    await asked.bring(gone)
    await asked.settle()

    said = (await lines(asked))[-1]
    assert said.quotes is not None
    assert said.quotes.text == ""
    bodies = await asked.database.read(lambda connection: list(connection.scalars(select(outbox.c.body))))
    assert [body["quotes"]["text"] for body in bodies if body.get("quotes")] == [""]


async def test_nobody_answers_what_is_not_theirs(asked: Rig) -> None:
    """A message of another conversation, of ours or of nobody is no customer's to answer; nothing is sent."""
    await asked.writes("my secret", customer="bob")
    other = await asked.conversation("bob")
    foreign = (await asked.transcript("bob"))[0].id
    assert other.id != (await asked.conversation()).id
    for message_id in (foreign, (await asked.transcript())[1].id, MessageId("0" * 32)):
        with pytest.raises(DeskError, match="no message of this customer"):
            await asked.act(Reply(text="Yes", quotes=message_id))
