"""What agents say, change, take back and send again, and what becomes of the bot's drafts."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.acts import Amend, Assign, Claim, Reply, Resend
from bot.domain.connectors import Permanent, Refusal, Sent
from bot.domain.desk import DeskPostKind
from bot.domain.errors import DeskError, NewLinesError
from bot.domain.messages import Author, DeliveryState, MessageId, RevisionState, TranscriptLine
from bot.pipeline import amending
from tests.fakes.connector import KILLED_AFTER, LOST_CALL, FakeConnector, Outcome, refused
from tests.pipeline.rig import BLOCKED, BUSY, KIM, SAM, Rig, handoff

TOO_LATE = Permanent(reason="it is too late", code="400")


@pytest.fixture
async def claimed(rig: Rig) -> Rig:
    """Return the pipeline with Ann's ticket claimed by Sam."""
    rig.engine.by_text["person please"] = handoff("I'll ask a colleague.")
    await rig.writes("person please")
    await rig.act(Claim(), SAM)
    await rig.settle()
    return rig


async def reply(rig: Rig, text: str = "It costs £9.", **more: Any) -> MessageId:
    """Let Sam reply, and see it through."""
    done = await rig.act(Reply(text=text, **more), SAM)
    assert done.message_id is not None
    await rig.settle()
    return done.message_id


async def line_of(rig: Rig, message_id: MessageId) -> TranscriptLine:
    """Return a line of Ann's transcript."""
    return next(line for line in await rig.transcript() if line.id == message_id)


class TestSeen:
    """Nobody answers what they have not read."""

    async def test_a_reply_waits_for_what_the_customer_wrote_meanwhile(self, claimed: Rig) -> None:
        """A line the agent had not seen is quoted to them and nothing is sent; the same act goes through once seen."""
        seen = (await claimed.transcript())[-1].id
        await claimed.writes("forget it, I found it", display_name="Ann")
        before = claimed.seen()
        with pytest.raises(NewLinesError, match="Ann has written meanwhile: “forget it, I found it”") as caught:
            await claimed.act(Reply(text="Which one?", seen=seen), SAM, key="r")
        await claimed.settle()
        assert claimed.seen() == before
        await claimed.act(Reply(text="Good!", seen=MessageId(caught.value.newest)), SAM, key="r")
        await claimed.settle()
        assert claimed.seen() == [*before, "Good!"]

    async def test_ones_own_and_the_bots_lines_need_no_second_look(self, claimed: Rig) -> None:
        """What the agent or the pipeline said since keeps no reply back."""
        seen = (await claimed.transcript())[0].id
        await reply(claimed, "one")
        await reply(claimed, "two", seen=seen)
        assert claimed.seen()[-2:] == ["one", "two"]

    async def test_another_agents_line_does(self, claimed: Rig) -> None:
        """Of two agents who answer at once the second reads the first."""
        seen = await reply(claimed, "It costs £9.")
        first = (await claimed.transcript())[0].id
        await claimed.act(Assign(agent=KIM), KIM)
        with pytest.raises(NewLinesError, match="Sam has written meanwhile"):
            await claimed.act(Reply(text="It costs £8.", seen=first), KIM)
        await claimed.act(Reply(text="See above.", seen=seen), KIM)


class TestAmending:
    """Changes of what was sent."""

    async def test_a_reply_is_changed_where_the_channel_can(self, claimed: Rig) -> None:
        """The customer sees the new text once, the transcript keeps both, and the agent sees that it arrived."""
        sent = await reply(claimed)
        for _ in range(2):
            await claimed.act(Amend(message_id=sent, text=" It costs £8. "), SAM, key="a")
        await claimed.settle()
        line = await line_of(claimed, sent)
        assert claimed.seen()[-1] == "It costs £8."
        assert "It costs £9." not in claimed.seen()
        assert (line.text, line.delivery) == ("It costs £9.", DeliveryState.SENT)
        assert [(each.author, each.text, each.state) for each in line.revisions] == [
            (Author.AGENT, "It costs £8.", RevisionState.SENT)
        ]
        assert claimed.poster.of(DeskPostKind.RECEIPT)[-1].message_id == sent

    async def test_a_reply_is_taken_back_in_all_its_pieces(self, claimed: Rig) -> None:
        """A long reply that was cut into several messages leaves none of them."""
        before = claimed.seen()
        sent = await reply(claimed, "word " * 100)
        assert len(claimed.seen()) > len(before) + 1
        await claimed.act(Amend(message_id=sent, text=None), SAM)
        await claimed.settle()
        assert claimed.seen() == before
        assert (await line_of(claimed, sent)).revisions[0].text is None

    async def test_a_change_waits_for_its_message(self, claimed: Rig) -> None:
        """What is changed before it has left is sent first, then changed; the customer ends with the new text."""
        claimed.connector.script.append(refused(BUSY))
        sent = await reply(claimed, "old")
        await claimed.act(Amend(message_id=sent, text="new"), SAM)
        await claimed.settle()
        assert "new" not in claimed.seen()
        await claimed.wait_out(minutes=1)
        assert claimed.seen()[-1] == "new"

    @pytest.mark.parametrize("text", ["new", None])
    async def test_what_the_channel_refuses_is_told_plainly(self, claimed: Rig, text: str | None) -> None:
        """A change that came too late is marked so, and a notice says that the customer sees the old text."""
        sent = await reply(claimed, "old")
        claimed.connector.script.append(refused(TOO_LATE))
        await claimed.act(Amend(message_id=sent, text=text), SAM)
        await claimed.settle()
        line = await line_of(claimed, sent)
        assert claimed.seen()[-1] == "old"
        assert line.delivery is DeliveryState.SENT
        assert line.revisions[0].state is RevisionState.REFUSED
        told = "Your change did not reach the customer: it is too late. They still see what you sent before."
        assert claimed.poster.of(DeskPostKind.NOTICE)[-1].text == told == line.revisions[0].detail

    @pytest.mark.parametrize("fault", [LOST_CALL, KILLED_AFTER])
    async def test_a_change_may_be_repeated(self, claimed: Rig, fault: Any) -> None:
        """After a broken connection or a killed process the change is made again, and seen once."""
        sent = await reply(claimed, "old")
        claimed.connector.script.append(fault)
        await claimed.act(Amend(message_id=sent, text="new"), SAM)
        await claimed.settle()
        await claimed.recover()
        assert [text for text in claimed.seen() if text in {"old", "new"}] == ["new"]
        assert (await line_of(claimed, sent)).revisions[0].state is RevisionState.SENT

    @pytest.mark.parametrize(
        "texts", [("short", "word " * 100, "even shorter"), ("word " * 100, "short", "word " * 150)]
    )
    async def test_a_text_of_more_or_fewer_messages_is_changed_too(self, claimed: Rig, texts: tuple[str, ...]) -> None:
        """What can be changed is; what there is more of is sent behind it, and what is too much taken back."""
        before = claimed.seen()
        sent = await reply(claimed, texts[0])
        for text in texts[1:]:
            await claimed.act(Amend(message_id=sent, text=text), SAM)
            await claimed.settle()
            assert "".join(claimed.seen()[len(before) :]).split() == text.split()
        await claimed.act(Amend(message_id=sent, text=None), SAM)
        await claimed.settle()
        assert claimed.seen() == before

    async def test_no_part_of_a_change_follows_what_was_said_since(self, claimed: Rig) -> None:
        """A change that needs more messages would show its end below other words: it is refused with what to do."""
        sent = await reply(claimed, "short")
        await reply(claimed, "and another thing")
        await claimed.act(Amend(message_id=sent, text="word " * 100), SAM)
        await claimed.settle()
        assert claimed.seen()[-2:] == ["short", "and another thing"]
        assert "write the rest anew" in claimed.poster.of(DeskPostKind.NOTICE)[-1].text

    async def test_one_more_piece_answers_what_the_message_answers(self, claimed: Rig) -> None:
        """Where answers belong to a message, what a longer text needs besides carries what that brought."""
        claimed.connector.has_reply_context = True
        await claimed.writes("hello?", reply_context={"parent": "c1"})
        sent = await reply(claimed, "short")
        await claimed.act(Amend(message_id=sent, text="word " * 60), SAM)
        await claimed.settle()
        assert [dict(each.reply_context) for each in claimed.connector.shown][-2:] == [{"parent": "c1"}] * 2

    @pytest.mark.parametrize("fault", [LOST_CALL, KILLED_AFTER])
    async def test_no_part_of_a_change_is_sent_twice(self, claimed: Rig, fault: Any) -> None:
        """Where a channel cannot tell whether one more message arrived, a person looks; what arrived is there once."""
        sent = await reply(claimed, "short")
        claimed.connector.script.extend([Outcome(result=Sent(external_id="edited"), arrives=True), fault])
        await claimed.act(Amend(message_id=sent, text="word " * 60), SAM)
        await claimed.settle()
        await claimed.recover()
        shown = "".join(claimed.seen())
        assert shown.count("word") <= 60
        assert "Nobody knows" in claimed.poster.of(DeskPostKind.NOTICE)[-1].text

    @pytest.mark.parametrize("text", ["new", None])
    async def test_what_has_not_left_is_changed_before_it_does(self, claimed: Rig, text: str | None) -> None:
        """On any channel: the customer never sees the old text, and the ledger has both."""
        before = claimed.seen()
        done = await claimed.act(Reply(text="old"), SAM)
        assert done.message_id is not None
        await claimed.act(Amend(message_id=done.message_id, text=text), SAM)
        await claimed.settle()
        assert claimed.seen() == [*before, *([text] if text else [])]
        line = await line_of(claimed, done.message_id)
        assert line.delivery is (DeliveryState.SENT if text else DeliveryState.WITHHELD)
        assert (line.text, [(each.text, each.state) for each in line.revisions]) == (
            "old",
            [(text, RevisionState.SENT)],
        )

    async def test_only_agents_messages_of_this_customer_are_changed(self, claimed: Rig) -> None:
        """Neither the customer's words nor the bot's, nor what another customer was sent."""
        claimed.engine.by_text["person please"] = handoff("I'll ask a colleague.")
        await claimed.writes("person please", "bob")
        theirs = (await claimed.act(Reply(text="Hello Bob"), SAM, customer="bob")).message_id
        assert theirs is not None
        for message_id in [theirs, *(line.id for line in await claimed.transcript())]:
            with pytest.raises(DeskError, match="not a message of an agent to this customer"):
                await claimed.act(Amend(message_id=message_id, text="gotcha"), SAM)

    async def test_what_never_arrived_is_not_changed(self, claimed: Rig) -> None:
        """There is nothing to change in what the customer never saw, nor is an empty text a change."""
        sent = await reply(claimed, "old")
        with pytest.raises(DeskError, match="to remove the message, take it back"):
            await claimed.act(Amend(message_id=sent, text="  "), SAM)
        claimed.connector.script.append(refused(BLOCKED))
        lost = await reply(claimed, "lost")
        with pytest.raises(DeskError, match="never reached the customer"):
            await claimed.act(Amend(message_id=lost, text="new"), SAM)

    async def test_a_channel_without_the_power_says_so(self, claimed: Rig) -> None:
        """Where a channel cannot change or take back, the agent is told which of both."""
        sent = await claimed.database.read(amending.read_sent, (await claimed.conversation()).id, await reply(claimed))
        connector, address = Plain(claimed.connector), claimed.connector.address("ann")
        refusals = [amending.plan_changes(connector, sent, text, address) for text in ("new", None)]
        assert refusals == [
            Refusal(reason=f"this channel does not let us {what} what was sent") for what in ("change", "take back")
        ]
        assert amending.plan_changes(connector, None, "new", address) == Refusal(reason="the message never arrived")


class Plain:
    """A connector without optional powers."""

    def __init__(self, connector: FakeConnector) -> None:
        """Do all else as `connector` does."""
        self.channel, self.account, self.capabilities = connector.channel, connector.account, connector.capabilities
        self.verify, self.parse, self.plan, self.send = (
            connector.verify,
            connector.parse,
            connector.plan,
            connector.send,
        )


class TestResending:
    """Replies that did not arrive."""

    async def test_a_failed_reply_is_sent_again_as_the_same_line(self, claimed: Rig) -> None:
        """The line fails, is sent again, and is then sent; the transcript has it once; a repeat sends nothing more."""
        claimed.connector.script.append(refused(BLOCKED))
        sent = await reply(claimed, "Hello?")
        assert (await line_of(claimed, sent)).delivery is DeliveryState.FAILED
        for _ in range(2):
            await claimed.act(Resend(message_id=sent), SAM, key="again")
            await claimed.settle()
        assert claimed.seen().count("Hello?") == 1
        assert [line.delivery for line in await claimed.transcript() if line.text == "Hello?"] == [DeliveryState.SENT]
        assert len(claimed.poster.of(DeskPostKind.RECEIPT)) == 2

    async def test_each_failure_is_shown(self, claimed: Rig) -> None:
        """A reply that fails again is shown as failed again."""
        claimed.connector.script.extend([refused(BLOCKED), refused(BLOCKED)])
        sent = await reply(claimed, "Hello?")
        await claimed.act(Resend(message_id=sent), SAM)
        await claimed.settle()
        assert len(claimed.poster.of(DeskPostKind.RECEIPT)) == 2
        assert (await line_of(claimed, sent)).delivery is DeliveryState.FAILED

    async def test_what_has_not_failed_is_not_sent_again(self, claimed: Rig) -> None:
        """Who resends what is there would show it twice."""
        sent = await reply(claimed, "Hello")
        with pytest.raises(DeskError, match="has not failed"):
            await claimed.act(Resend(message_id=sent), SAM)
