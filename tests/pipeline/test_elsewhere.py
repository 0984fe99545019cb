"""What happens on the channel itself: edits, messages taken back, answers from the brand's phone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection

from bot.dialogue.wire import TurnRequest
from bot.domain.acts import Claim, Reply, Resolve
from bot.domain.conversations import Owner
from bot.domain.desk import DeskPostKind
from bot.domain.messages import Attachment, AttachmentKind, Author, DeliveryState, Echo, RevisionState, Withdrawal
from bot.domain.tickets import TicketState
from bot.store.schema import metadata
from tests.fakes.connector import message
from tests.pipeline.rig import KIM, SAM, Rig, handoff, turn


def echo(rig: Rig, text: str = "Hi, Lou here.", external_id: str = "phone-1", **more: Any) -> Echo:
    """Return what the channel tells of an answer from the brand's phone."""
    return Echo(address=rig.connector.address("ann"), external_id=external_id, text=text, author_name="Lou", **more)


def withdrawal(rig: Rig, of: str) -> Withdrawal:
    """Return what the channel tells of a message that Ann took back."""
    return Withdrawal(address=rig.connector.address("ann"), external_id=f"gone-{of}", of_external_id=of)


def _dump(connection: Connection) -> str:
    """Return all that the database holds."""
    return "\n".join(str(row) for table in metadata.sorted_tables for row in connection.execute(table.select()))


@pytest.fixture
async def claimed(rig: Rig) -> Rig:
    """Return the pipeline with Ann's ticket claimed by Sam, who asked for her size."""
    rig.engine.by_text["person please"] = handoff("I'll ask a colleague.")
    await rig.writes("person please")
    await rig.act(Claim(), SAM)
    await rig.bring(message(rig.connector, "ann", "m1", "a large one"))
    await rig.settle()
    return rig


class TestEdits:
    """What customers change."""

    async def test_the_ledger_keeps_every_text(self, claimed: Rig) -> None:
        """The first text stays, each change is added to it once, and the agent reads each as a line of its own."""
        for number, text in enumerate(("a small one", "two small ones")):
            edit = message(claimed.connector, "ann", f"m1:{number}", text, edits="m1")
            await claimed.bring(edit)
            await claimed.bring(edit)
        await claimed.settle()
        lines = {line.text: line for line in await claimed.transcript()}
        assert [(each.text, each.author, each.state) for each in lines["a large one"].revisions] == [
            ("a small one", Author.CUSTOMER, RevisionState.SENT),
            ("two small ones", Author.CUSTOMER, RevisionState.SENT),
        ]
        assert lines["two small ones"].edited_from == "a small one"
        assert claimed.poster.of(DeskPostKind.NOTICE) == []

    async def test_an_edit_after_the_answer_is_pointed_out(self, claimed: Rig) -> None:
        """The agent whose answer does not fit any more is shown both texts."""
        await claimed.act(Reply(text="A large one it is."), SAM)
        await claimed.bring(message(claimed.connector, "ann", "m1:1", "a small one", edits="m1"))
        await claimed.settle()
        told = claimed.poster.of(DeskPostKind.NOTICE)[-1].text
        assert "Edited after you answered" in told
        assert "“a large one”" in told
        assert "“a small one”" in told

    async def test_a_message_that_was_taken_back_is_kept(self, claimed: Rig) -> None:
        """The agent is told what it said; the transcript keeps it, marked; a repeat changes nothing."""
        for _ in range(2):
            await claimed.bring(withdrawal(claimed, "m1"))
            await claimed.settle()
        line = (await claimed.transcript())[-1]
        assert (line.text, [each.text for each in line.revisions]) == ("a large one", [None])
        (notice,) = claimed.poster.of(DeskPostKind.NOTICE)
        assert "“a large one”" in notice.text

    async def test_what_has_to_go_is_gone(self, rig: Rig) -> None:
        """Where a channel wants every copy gone, neither words nor files of it are left, only that it was there."""
        rig.engine.by_text["my code is 4711"] = lambda request: turn(
            "Thanks.",
            events=[{"event": "user", "text": request.text, "parse_data": {"text": request.text, "entities": [1]}}],
        )
        rig.connector.files["bill"] = b"my bill 4711"
        bill = Attachment(kind=AttachmentKind.FILE, reference="bill", name="bill 4711.txt")
        await rig.writes("hello")
        await rig.bring(message(rig.connector, "ann", "m1", "my code is 4711", attachments=(bill,)))
        await rig.settle()
        await rig.bring(message(rig.connector, "ann", "m1:1", "my number is 4711", edits="m1"))
        await rig.settle()
        (kept,) = [file for line in await rig.transcript() for file in line.attachments]
        assert kept.media_id is not None
        for _ in range(2):
            await rig.bring(replace(withdrawal(rig, "m1"), is_erasure=True))
            await rig.settle()
        assert await rig.media.get(kept.media_id) is None
        theirs = [line for line in await rig.transcript() if line.author is Author.CUSTOMER]
        assert [line.text for line in theirs] == ["hello", "", ""]
        assert theirs[1].revisions[-1].text is None
        everything = await rig.database.read(_dump)
        assert "hello" in everything
        answers = everything.replace("re: my number is 4711", "")
        assert "4711" not in answers

    async def test_what_nobody_knows_is_taken_back_in_peace(self, rig: Rig) -> None:
        """A message from before our time changes nothing."""
        await rig.bring(withdrawal(rig, "m0"))
        await rig.settle()
        assert (await rig.inbox_states())["pending"] == 0


class TestEchoes:
    """A person answers from the brand's phone."""

    async def test_it_takes_ownership(self, rig: Rig) -> None:
        """The bot is silent at once, a ticket shows what was said, and the customer is told nothing by us."""
        await rig.writes("hello")
        seen = rig.seen()
        await rig.bring(echo(rig))
        assert (await rig.conversation()).owner is Owner.AGENT
        await rig.settle()
        await rig.writes("are you there?")
        view = await rig.view()
        assert rig.seen() == seen
        assert (view.ticket.state, view.ticket.request.topic) == (TicketState.CLAIMED, "answered on the channel")
        assert view.ticket.agent is not None
        assert (view.ticket.agent.name, view.ticket.agent.is_elsewhere) == ("Lou", True)
        line = view.transcript[-2]
        assert (line.author, line.author_name, line.text) == (Author.AGENT, "Lou", "Hi, Lou here.")
        assert line.delivery is DeliveryState.SENT

    async def test_a_turn_in_work_says_nothing_after_it(self, rig: Rig) -> None:
        """The bot's answer to what the person has just answered is not sent."""

        async def meanwhile(_: TurnRequest) -> None:
            rig.engine.during_step = None
            await rig.bring(echo(rig))

        rig.engine.during_step = meanwhile
        await rig.writes("hello")
        assert rig.seen() == []
        assert (await rig.view()).ticket.state is TicketState.CLAIMED

    async def test_it_may_be_the_first_word(self, rig: Rig) -> None:
        """Who is written to before they ever wrote has a conversation as well."""
        await rig.bring(echo(rig))
        await rig.settle()
        assert [line.text for line in (await rig.view()).transcript] == ["Hi, Lou here."]

    async def test_a_waiting_ticket_is_answered_by_it(self, rig: Rig) -> None:
        """A ticket of the queue is theirs; repeats of the echo change nothing."""
        rig.engine.by_text["person please"] = handoff("I'll ask a colleague.")
        await rig.writes("person please")
        for _ in range(2):
            await rig.bring(echo(rig))
            await rig.settle()
        view = await rig.view()
        assert (view.ticket.number, view.ticket.state) == (1, TicketState.CLAIMED)
        assert view.ticket.waiting_since is None
        assert [line.text for line in view.transcript].count("Hi, Lou here.") == 1

    async def test_an_agents_ticket_stays_theirs(self, claimed: Rig) -> None:
        """Who has the ticket sees what the other person wrote."""
        await claimed.bring(echo(claimed))
        await claimed.settle()
        view = await claimed.view()
        assert view.ticket.agent == SAM
        assert claimed.poster.of(DeskPostKind.LINE)[-1].message_id == view.transcript[-1].id

    async def test_any_agent_may_go_on(self, rig: Rig) -> None:
        """Nobody of the desk has such a ticket, so nobody is in the way."""
        await rig.bring(echo(rig))
        await rig.settle()
        await rig.act(Claim(), KIM)
        assert (await rig.view()).ticket.agent == KIM
        await rig.act(Resolve(), KIM)
        assert (await rig.conversation()).owner is Owner.BOT

    async def test_what_we_sent_is_no_echo(self, rig: Rig) -> None:
        """A channel that shows us our own message does not silence the bot."""
        await rig.writes("hello")
        await rig.bring(echo(rig, "re: hello", rig.connector.shown[-1].external_id))
        await rig.settle()
        assert (await rig.conversation()).owner is Owner.BOT
        assert await rig.ticket_count() == 0
