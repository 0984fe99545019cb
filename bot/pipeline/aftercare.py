"""What customers say after their ticket was closed: how it was, thanks, and goodbye."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from sqlalchemy import Connection

from bot.dialogue.wire import Turn
from bot.domain.conversations import Conversation
from bot.domain.desk import DeskPost, DeskPostKind
from bot.domain.handoff import HandoffRequest, Reason
from bot.domain.messages import Author, Meaning, OutboundMessage
from bot.domain.tickets import Ticket, TicketEvent, TicketId
from bot.pipeline import notices, phrases
from bot.pipeline.handing_off import hand_off
from bot.pipeline.outgoing import Writer
from bot.pipeline.waiting import outlook
from bot.store import choices, conversations, inbox, tickets, transcript, turns
from bot.store.ids import new_message_id
from bot.store.inbox import InboxRow

#: What taps mean that the pipeline understands by itself; the engine knows no such intents.
RATE, REOPEN = "pipeline_rate", "pipeline_reopen"
#: Up to this rating the customer is offered a person again.
LOW = 2
#: Intents that say nothing that wants an answer of a person, however unsure the bot is of them.
_COURTESY = frozenset({"thank", "goodbye", "praise", "greet"})
#: Longer thanks say something else as well.
_COURTESY_WORDS_MAX = 6
#: Lines in which the question is looked for that a customer answers.
_LOOKED_BACK = 10
_NUMBER = re.compile(r"([1-5])\W*(?:(?:/|of|out of)\s*5|stars?)?\W*")
_YES = re.compile(r"(yes|yeah|yep|ja|gern|oui|si|sí|please)\W*(please)?\W*")


@dataclass(frozen=True, kw_only=True)
class Rating:
    """What a customer says of how it was."""

    ticket_id: TicketId
    #: 1 to 5
    value: int


def ask_rating(connection: Connection, writer: Writer, conversation: Conversation, ticket: Ticket, key: str) -> None:
    """Ask how it was, with a button for each answer."""
    titles = [phrases.told(title, conversation.language) for title in phrases.RATINGS]
    offered = tuple(
        choices.add(connection, conversation.id, title, _meaning(RATE, ticket, rating=str(value)), writer.now)
        for value, title in enumerate(titles, 1)
    )
    text = phrases.told(phrases.HOW_WAS_IT, conversation.language)
    message = OutboundMessage(author=Author.SYSTEM, text=text, choices=offered)
    writer.say(connection, conversation, message, key)


def read_aftercare(connection: Connection, ticket: Ticket | None, text: str, meaning: Meaning | None) -> Meaning | None:
    """Return what a tap or a typed answer to the pipeline's own question means; none: it is for the engine or people.

    Typed answers count only right after the question.
    """
    if meaning is not None:
        return meaning if meaning.intent in {RATE, REOPEN} else None
    typed = unicodedata.normalize("NFKC", text).strip().casefold().replace("\u20e3", "").replace("\ufe0f", "")
    number, is_yes = _typed_rating(typed), _YES.fullmatch(typed) is not None
    if ticket is None or ticket.state.is_open or not (number or is_yes):
        return None
    question = _question(connection, ticket)
    if number and question in phrases.every(phrases.HOW_WAS_IT):
        return _meaning(RATE, ticket, rating=str(number))
    if is_yes and question in phrases.every(phrases.SORRY_FOR_THAT):
        return _meaning(REOPEN, ticket)
    return None


def _question(connection: Connection, ticket: Ticket) -> str:
    """Return what the customer was told last, or before they thanked and said goodbye since the ticket was closed."""
    since = ticket.closed_at
    told = [
        line
        for line in transcript.last(connection, ticket.conversation_id, _LOOKED_BACK)
        if line.author is not Author.CUSTOMER and since is not None and line.at >= since
    ]
    questions = phrases.every(phrases.HOW_WAS_IT) | phrases.every(phrases.SORRY_FOR_THAT)
    asked = next((line for line in reversed(told) if line.text in questions), None)
    if asked is None:
        return told[-1].text if told else ""
    known = turns.intents(connection, ticket.conversation_id, asked.at, _LOOKED_BACK)
    said = [intent for at, intent in known if at > asked.at]
    is_answered = len(told) - told.index(asked) - 1 > len(said) or not _COURTESY.issuperset(said)
    return told[-1].text if is_answered else asked.text


def _typed_rating(typed: str) -> int | None:
    for value, title in enumerate(phrases.RATINGS, 1):
        if typed in {said.casefold() for said in phrases.every(title)}:
            return value
    match = _NUMBER.fullmatch(typed)
    return int(match[1]) if match else None


def _meaning(intent: str, ticket: Ticket, **more: str) -> Meaning:
    return Meaning(intent=intent, entities={"ticket": ticket.id, **more})


def answer_aftercare(
    connection: Connection, writer: Writer, row: InboxRow, before: Conversation, meaning: Meaning
) -> None:
    """Keep the rating or open the ticket again, and finish the row; raises `OwnerChangedError`."""
    conversation = conversations.lock_at(connection, before.id, before.epoch)
    ticket = tickets.get(connection, TicketId(meaning.entities["ticket"]))
    if ticket is not None and meaning.intent == RATE:
        _rate(connection, writer, conversation, ticket, int(meaning.entities["rating"]))
    elif ticket is not None and not ticket.state.is_open:
        _open_again(connection, writer, row, conversation)
    inbox.finish(connection, row.lease, writer.now)


def _rate(connection: Connection, writer: Writer, conversation: Conversation, ticket: Ticket, value: int) -> None:
    """Keep the rating, the last one of several; the customer is thanked once for each closing."""
    tickets.change(connection, ticket.id, rating=value)
    tickets.log(connection, ticket.id, TicketEvent(at=writer.now, kind="rated", agent=None, detail=str(value)))
    post = DeskPost(ticket_id=ticket.id, kind=DeskPostKind.NOTICE, text=notices.rated(value))
    writer.post(connection, post, f"notice:{new_message_id()}")
    writer.post_card(connection, ticket.id)
    if ticket.state.is_open:
        return
    closing = f"{ticket.id}:{ticket.closed_at:%Y%m%d%H%M%S%f}"
    language = conversation.language
    if value > LOW:
        thanks = OutboundMessage(author=Author.SYSTEM, text=phrases.told(phrases.THANKS_FOR_RATING, language))
    else:
        title = phrases.told(phrases.YES_REOPEN, language)
        yes = choices.add(connection, conversation.id, title, _meaning(REOPEN, ticket), writer.now)
        text = phrases.told(phrases.SORRY_FOR_THAT, language)
        thanks = OutboundMessage(author=Author.SYSTEM, text=text, choices=(yes,))
    writer.say(connection, conversation, thanks, f"{'thanked' if value > LOW else 'offered'}:{closing}")


def _open_again(connection: Connection, writer: Writer, row: InboxRow, conversation: Conversation) -> None:
    request = HandoffRequest(
        reason=Reason.EXPLICIT_WISH, topic="an answer that did not help", summary="It did not help the customer."
    )
    conversation, ticket = hand_off(connection, writer, conversation, request)
    place = tickets.place_in_queue(connection, ticket) or 1
    waits = phrases.place_in_queue(place, outlook(connection, writer, ticket), conversation.language)
    text = f"{phrases.told(phrases.REOPENED, conversation.language)} {waits}"
    message = OutboundMessage(author=Author.SYSTEM, text=text)
    writer.say(connection, conversation, message, f"{row.message_id}:reopened")


def is_courtesy(text: str, turn: Turn) -> bool:
    """Whether a message that the bot is not sure of is but thanks, a goodbye, a sign: no new question."""
    if not any(character.isalnum() for character in text):
        return True
    likely = next((name for name, _ in turn.ranking if name != "nlu_fallback"), None)
    return likely in _COURTESY and len(text.split()) <= _COURTESY_WORDS_MAX
