from __future__ import annotations

import pytest
from sqlalchemy import Connection

from bot.domain.acts import Act, Amend, AskToVerify, Claim, HandBack, InviteToPrivate, Reply, ReplyElsewhere, Resolve
from bot.domain.errors import DeskError, PublicReplyError
from bot.domain.messages import Author, Echo, MessageId
from bot.store import conversations, transcript
from tests.fakes.connector import FakeConnector
from tests.pipeline.heard import ANN, also, heard, its_rules, private, public
from tests.pipeline.rig import SAM, Rig
from tests.pipeline.square import CLOSING, LINK, says, ticket_at

__all__ = ["also", "heard", "its_rules", "private", "public"]


class TestAgents:
    """What people do in public."""

    @pytest.fixture
    async def claimed(self, heard: Rig, public: FakeConnector) -> Rig:
        """Return the pipeline with a public ticket of Sam's."""
        await says(heard, public, "where is my order?")
        await self.do(heard, public, Claim(), "claim")
        return heard

    async def do(self, rig: Rig, public: FakeConnector, act: Act, key: str) -> None:
        """Let Sam do something with the ticket, and see it through."""
        ticket = await ticket_at(rig, public)
        assert ticket is not None
        await rig.desk.do(ticket.id, SAM, act, key)
        await rig.settle()

    async def test_a_reply_needs_to_know_that_it_is_public(self, claimed: Rig, public: FakeConnector) -> None:
        """A reply whose writer was not shown that everybody reads it is not sent; once they were, it is."""
        with pytest.raises(PublicReplyError, match="everybody will read it"):
            await self.do(claimed, public, Reply(text="We are looking."), "r1")
        await self.do(claimed, public, Reply(text="We are looking.", is_known_public=True), "r2")
        assert public.seen_by(ANN)[1:] == ["We are looking."]

    @pytest.mark.parametrize("leak", ["CL-104233", "#104233", "ann@example.com", "07700 900123", "+44 20 7946 0958"])
    async def test_what_is_somebodys_alone_is_asked_about(self, claimed: Rig, public: FakeConnector, leak: str) -> None:
        """A public reply with an order number, an e-mail address or a telephone number is sent only when confirmed."""
        text = f"Your parcel {leak} is late."
        with pytest.raises(PublicReplyError) as caught:
            await self.do(claimed, public, Reply(text=text, is_known_public=True), "r1")
        assert caught.value.exposed
        assert len(public.shown) == 1
        await self.do(claimed, public, Reply(text=text, is_known_public=True, exposes=caught.value.exposed), "r2")
        assert public.seen_by(ANN)[-1] == text

    async def test_changing_a_reply_asks_too(self, claimed: Rig, public: FakeConnector) -> None:
        """A change of what everybody reads is asked about like the reply itself; taking it back is not."""
        await self.do(claimed, public, Reply(text="Hello", is_known_public=True), "r")
        line = (await claimed.database.read(_lines, public))[-1]
        with pytest.raises(PublicReplyError):
            await self.do(claimed, public, Amend(message_id=line, text="Hello, CL-104233"), "a1")
        await self.do(claimed, public, Amend(message_id=line, text="Hello there", is_known_public=True), "a2")
        assert public.seen_by(ANN)[-1] == "Hello there"
        await self.do(claimed, public, Amend(message_id=line, text=None), "a3")
        assert "Hello there" not in public.seen_by(ANN)

    async def test_nobody_proves_anything_in_public(self, claimed: Rig, public: FakeConnector) -> None:
        """In public nobody is asked for a proof, and nothing is handed back to a bot that does not go on there."""
        with pytest.raises(DeskError, match="invite them"):
            await self.do(claimed, public, AskToVerify(), "v")
        with pytest.raises(DeskError, match="resolve the ticket"):
            await self.do(claimed, public, HandBack(outcome="done"), "h")

    async def test_an_agent_invites(self, claimed: Rig, public: FakeConnector) -> None:
        """The button posts an approved text with a new link, however often people were asked before."""
        await self.do(claimed, public, InviteToPrivate(), "i")
        await self.do(claimed, public, InviteToPrivate(), "i")
        first, second = public.seen_by(ANN)
        assert first != second
        assert second.startswith(f"Please write to us in private: {LINK}join-")

    async def test_a_private_ticket_has_nobody_to_invite(self, heard: Rig) -> None:
        """Where it is private already there is nothing to ask for."""
        await heard.writes("get me a person")
        with pytest.raises(DeskError, match="private already"):
            await heard.act(InviteToPrivate())

    async def test_resolving_may_say_so(self, claimed: Rig, public: FakeConnector) -> None:
        """A closing line is posted when the agent wants it, and nothing else is."""
        await self.do(claimed, public, Resolve(outcome="refunded CL-104233", tells_public=True), "done")
        assert public.seen_by(ANN)[1:] == [CLOSING]

    async def test_no_private_reply_lands_in_public(self, claimed: Rig, public: FakeConnector) -> None:
        """A reply cannot be sent from another ticket into a public thread."""
        await claimed.writes("get me a person")
        there = await claimed.database.read(conversations.find_by_address, public.address(ANN))
        assert there is not None
        with pytest.raises(DeskError):
            await claimed.act(ReplyElsewhere(conversation_id=there.id, text="Hello"))

    async def test_the_desk_says_that_it_is_public(self, claimed: Rig, public: FakeConnector) -> None:
        """What agents see of a ticket says that it is public, what closes it, and that people can be invited."""
        ticket = await ticket_at(claimed, public)
        assert ticket is not None
        view = await claimed.desk.view(ticket.id)
        assert view is not None
        assert (view.is_public, view.public_closing, view.can_invite) == (True, CLOSING, True)

    async def test_who_answers_on_the_channel_itself_has_the_ticket(self, heard: Rig, public: FakeConnector) -> None:
        """An answer that a person of the brand wrote on the network itself keeps the bot silent there."""
        echo = Echo(address=public.address(ANN), external_id="e1", text="Hi Ann, we are on it", author_name="Kim")
        await heard.receiver.receive(public, public.request([echo]))
        await heard.settle()
        await says(heard, public, "when are you open?")
        assert public.shown == []


def _lines(connection: Connection, public: FakeConnector) -> list[MessageId]:
    conversation = conversations.find_by_address(connection, public.address(ANN))
    assert conversation is not None
    said = transcript.last(connection, conversation.id, 50)
    return [line.id for line in said if line.author is Author.AGENT]
