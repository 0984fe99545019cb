from __future__ import annotations

import random
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from bot.dialogue.wire import Answer, Turn
from bot.domain.acts import Act, AskToVerify, Claim, HandBack, InviteToPrivate, Release, Reopen, Reply, Resolve
from bot.domain.connectors import Permanent
from bot.domain.errors import DeskError
from bot.domain.handoff import HandoffRequest, Reason
from bot.domain.messages import Author, Meaning, OutboundMessage
from bot.pipeline.outgoing import Writer
from bot.store import conversations, outbox
from bot.store.codec import OUTBOUND, to_json
from bot.store.outbox import OutboxKind, Outgoing
from bot.store.schema import outbox as outbox_table
from tests.fakes.connector import FakeConnector, refused
from tests.pipeline.heard import ANN, also, heard, its_rules, private, public
from tests.pipeline.rig import SAM, Rig, command, offer, proof, reminder, turn
from tests.pipeline.square import THANKS, says, ticket_at

__all__ = ["also", "heard", "its_rules", "private", "public"]

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)

SECRET = "Ann, your order CL-104233 is with Evri"

ACTS: tuple[Act, ...] = (
    Claim(),
    Release(),
    AskToVerify(),
    HandBack(outcome=SECRET),
    Resolve(outcome=SECRET, tells_public=True),
    Reopen(),
    InviteToPrivate(),
    Reply(text=SECRET),
    Reply(text=SECRET, is_known_public=True),
)

_COMMANDS = select(outbox_table.c.id).where(outbox_table.c.kind == "command")


def any_turn(dice: random.Random) -> Turn:
    """Return something that the bot might make of a message, with all that it must not do in public."""
    asked = offer(SECRET, ("Yes", Meaning(intent="affirm", entities={})))
    said: tuple[str | Answer, ...] = (SECRET, asked)
    wish = HandoffRequest(reason=Reason.EXPLICIT_WISH, topic="CL-104233", summary=SECRET)
    return turn(
        *said[: dice.randint(0, 2)],
        intent=dice.choice(["opening_hours", "praise", "complaint", "express_anger", "order_status", "greet"]),
        confidence=dice.random(),
        is_fallback=dice.random() < 0.2,
        handoff=wish if dice.random() < 0.3 else None,
        commands=(command("CL-104233"),) if dice.random() < 0.3 else (),
        proofs=(proof("CL-104233", "LS6 2AB"),) if dice.random() < 0.3 else (),
        reminders=(reminder("later", NOON + timedelta(hours=dice.randint(1, 50)), "handed_back"),),
    )


class TestTheDoor:
    """What would be said by mistake is stopped twice."""

    @pytest.mark.no_cover
    @pytest.mark.parametrize("seed", range(4))
    async def test_no_turn_and_no_act_says_anything_else(self, rig: Rig, public: FakeConnector, seed: int) -> None:
        """Whatever turns come of public messages, and whatever agents press, only approved texts are ever shown."""
        dice = random.Random(seed)
        approved = rig.rules.public.texts
        for n in range(40):
            customer, text = f"post:{dice.choice('ab')}", f"message {n}"
            rig.engine.by_text[text] = any_turn(dice)
            await says(rig, public, text, customer, is_to_us=dice.random() < 0.8)
            ticket = await ticket_at(rig, public, customer)
            if ticket is not None and dice.random() < 0.5:
                with suppress(DeskError):
                    await rig.desk.do(ticket.id, SAM, dice.choice(ACTS), f"act-{n}")
                await rig.settle()
            rig.clock.pass_(hours=dice.randint(0, 9))
            await rig.sweep()
            await rig.settle()
        assert public.shown
        assert [shown.text for shown in public.shown if not approved.allows(shown.text)] == []
        assert not any(shown.choices for shown in public.shown)
        assert await rig.database.read(lambda connection: connection.scalars(_COMMANDS).all()) == []

    async def test_the_writer_lets_nothing_else_through(self, heard: Rig, public: FakeConnector) -> None:
        """Whatever is not approved never reaches the outbox of a public address."""
        await says(heard, public, "love it")
        conversation = await heard.database.read(conversations.find_by_address, public.address(ANN))
        assert conversation is not None
        writer = Writer(now=heard.clock.now(), desk=None, rules=heard.rules)
        for author in Author.BOT, Author.SYSTEM, Author.AGENT:
            said = OutboundMessage(author=author, text="Your order CL-104233 is late")
            await heard.database.write(writer.say, conversation, said, f"k:{author}")
        await heard.settle()
        assert [shown.text for shown in public.shown] == [THANKS]

    async def test_the_sender_looks_again(self, heard: Rig, public: FakeConnector) -> None:
        """What stands in the outbox all the same is not sent, and people are told why."""
        await says(heard, public, "where is my order?")
        conversation = await heard.database.read(conversations.find_by_address, public.address(ANN))
        assert conversation is not None
        said = OutboundMessage(author=Author.BOT, text="Your order CL-104233 is late")
        smuggled = Outgoing(
            key="smuggled",
            address=str(conversation.address),
            kind=OutboxKind.MESSAGE,
            body=to_json(OUTBOUND, said),
            conversation_id=conversation.id,
        )
        await heard.database.write(outbox.add, smuggled, heard.clock.now())
        await heard.settle()
        assert len(public.shown) == 1
        assert (await heard.outbox_states())["dead"] == 1

    async def test_a_refused_answer_is_shown_to_people(self, heard: Rig, public: FakeConnector) -> None:
        """An approved answer that the network refuses becomes a ticket, as every answer that does not arrive."""
        public.script.append(refused(Permanent(reason="the comment is gone")))
        await says(heard, public, "when are you open?")
        assert public.shown == []
        ticket = await ticket_at(heard, public)
        assert ticket is not None
        assert "the comment is gone" in ticket.request.summary
