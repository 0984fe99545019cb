from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.conversations import ConversationId
from bot.domain.customers import CustomerId
from bot.domain.messages import Author, MessageId, Revision, RevisionState, TranscriptLine
from bot.domain.suggestions import Suggestion, SuggestionId, SuggestionState
from bot.domain.tickets import Agent, AgentId, TicketId
from bot.store import links, revisions, suggestions, transcript
from bot.store.database import Database
from bot.store.links import IdentityLink

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
ANN = ChannelAddress(channel=ChannelName("test"), account=AccountId("brand"), external_id="ann")
TALK = ConversationId("c" * 32)
TICKET = TicketId("t" * 32)
SAM = Agent(id=AgentId("test:sam"), name="Sam")


def line(number: int, author: Author = Author.CUSTOMER) -> TranscriptLine:
    """Return the line of that number."""
    return TranscriptLine(
        id=MessageId(f"{number:032x}"),
        author=author,
        author_name=None,
        text=f"line {number}",
        attachments=(),
        choices=(),
        at=NOW,
        delivery=None,
    )


def change(text: str | None, author: Author = Author.AGENT) -> Revision:
    """Return a change that is on its way."""
    return Revision(at=NOW, author=author, text=text, state=RevisionState.PENDING)


class TestRevisions:
    """What messages became."""

    async def test_a_line_keeps_what_was_said_and_shows_what_became_of_it(self, database: Database) -> None:
        """Changes are added in order, each once; the first text stays; what came of one is told to that one only."""
        first, second = line(1), line(2)
        for each in (first, second):
            await database.write(transcript.add, TALK, each, None)
        assert await database.write(revisions.add, first.id, change("new"), "key-1")
        assert not await database.write(revisions.add, first.id, change("other"), "key-1")
        assert await database.write(revisions.add, first.id, change(None), "key-2")
        await database.write(revisions.settle, "key-1", RevisionState.REFUSED, "too late")
        refused = Revision(at=NOW, author=Author.AGENT, text="new", state=RevisionState.REFUSED, detail="too late")
        shown = await database.read(transcript.last, TALK, 10)
        assert [(each.text, each.revisions) for each in shown] == [("line 1", (refused, change(None))), ("line 2", ())]
        assert await database.read(transcript.get, first.id) == shown[0]

    async def test_pieces_are_named_in_order(self, database: Database) -> None:
        """Of a message that was cut into several, each piece can be found by the channel's name for it."""
        await database.write(transcript.add, TALK, line(1), None)
        assert await database.read(transcript.pieces, line(1).id) == ()
        for name in ("a", "b"):
            await database.write(transcript.add_part, line(1).id, name)
        await database.write(transcript.name_externally, line(1).id, "c")
        assert await database.read(transcript.pieces, line(1).id) == ("a", "b", "c")

    async def test_what_was_said_around_a_line_is_found(self, database: Database) -> None:
        """The line before all edits of it, whether an agent has answered it, and the newest line of ours are found."""
        await database.write(transcript.add, TALK, line(1), "x")
        await database.write(transcript.add, TALK, line(2), "x")
        assert not await database.read(transcript.is_answered, TALK, line(1).id)
        await database.write(transcript.add, TALK, line(3, Author.AGENT), None)
        assert await database.read(transcript.is_answered, TALK, line(1).id)
        assert not await database.read(transcript.is_answered, TALK, line(3).id)
        first = await database.read(transcript.find_first, TALK, "x")
        assert first is not None
        assert first.id == line(1).id
        assert await database.read(transcript.newest, TALK, [Author.AGENT, Author.BOT]) == line(3).id
        assert await database.read(transcript.newest, TALK, [Author.BOT]) is None


class TestLinks:
    """Who agents think customers are."""

    async def test_links_are_made_and_undone_and_never_forgotten(self, database: Database) -> None:
        """An identity has one link at most; another takes its place; all that there ever were can be read."""
        link = IdentityLink(customer_id=CustomerId("7"), evidence="same e-mail", at=NOW, undone_at=None)
        later = replace(link, customer_id=CustomerId("8"), at=NOW + timedelta(hours=1))
        await database.write(links.add, ANN, link, SAM)
        await database.write(links.add, ANN, later, SAM)
        assert await database.read(links.live, ANN) == later
        assert await database.write(links.undo, ANN, SAM, NOW + timedelta(hours=2))
        assert not await database.write(links.undo, ANN, SAM, NOW)
        assert await database.read(links.live, ANN) is None
        ends = [each.undone_at for each in await database.read(links.history, ANN)]
        assert ends == [later.at, NOW + timedelta(hours=2)]


class TestSuggestions:
    """Drafts of the bot."""

    async def test_a_message_has_one_draft(self, database: Database) -> None:
        """A second draft for one message is not kept; what became of the first is."""
        draft = Suggestion(
            id=SuggestionId("s" * 32),
            message_id=line(1).id,
            text="It left today.",
            intent="order_status",
            confidence=0.9,
            state=SuggestionState.OFFERED,
            at=NOW,
        )
        assert await database.write(suggestions.add, TICKET, draft)
        assert not await database.write(suggestions.add, TICKET, replace(draft, id=SuggestionId("z" * 32)))
        await database.write(suggestions.settle, draft.id, SuggestionState.WRONG)
        wrong = replace(draft, state=SuggestionState.WRONG)
        assert await database.read(suggestions.get, TICKET, draft.id) == wrong
        assert await database.read(suggestions.get, TicketId("o" * 32), draft.id) is None
        assert await database.read(suggestions.answering, line(1).id) == wrong
        assert await database.read(suggestions.answering, line(2).id) is None

    async def test_the_newest_drafts_are_shown(self, database: Database) -> None:
        """Of many drafts an agent is shown the last ones, oldest first."""
        for number in range(8):
            draft = Suggestion(
                id=SuggestionId(f"{number:032x}"),
                message_id=line(number).id,
                text=str(number),
                intent=None,
                confidence=None,
                state=SuggestionState.OFFERED,
                at=NOW + timedelta(minutes=number),
            )
            await database.write(suggestions.add, TICKET, draft)
        assert [each.text for each in await database.read(suggestions.of, TICKET)] == ["3", "4", "5", "6", "7"]
