"""What customers write where everybody reads it: sorted, answered with approved texts only, else left to people.

The bot reads such a message to know what it means; whatever else it makes of it is dropped, never said or done.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from sqlalchemy import Connection

from bot import metrics
from bot.dialogue.client import Engine
from bot.dialogue.wire import Turn, TurnRequest
from bot.domain.conversations import Conversation, Owner
from bot.domain.customers import OrderNumberForm
from bot.domain.exposure import exposed
from bot.domain.handoff import HandoffRequest, Reason
from bot.domain.invitations import fingerprint
from bot.domain.messages import Author, InboundMessage, MessageId, OutboundMessage
from bot.domain.moods import Mood
from bot.domain.public import PublicTexts, pick
from bot.domain.triage import ANSWER_FROM, Heard, Kind, Means, Treatment, Verdict, bare, is_spam, treat, triage
from bot.pipeline import promises
from bot.pipeline.elsewhere import show_edit
from bot.pipeline.handing_off import hand_off
from bot.pipeline.languages import keep_language
from bot.pipeline.outgoing import Writer
from bot.pipeline.overdue import give_to_last_agent
from bot.pipeline.situation import Situation
from bot.store import conversations, inbox, invitations, tickets, triages, turns
from bot.store.database import Database
from bot.store.inbox import InboxRow
from bot.store.triages import Triage
from bot.store.turns import TurnRecord

log = structlog.get_logger()

#: Intents that the bot answers with when it did not understand.
_NOT_UNDERSTOOD = "nlu_fallback"


@dataclass(frozen=True, kw_only=True)
class Found:
    """A public message and what was made of it."""

    message: InboundMessage
    #: none: nobody read it, as there is nothing to understand
    turn: Turn | None
    #: whether it holds what is somebody's alone
    is_exposing: bool

    @property
    def intent(self) -> str | None:
        """What it means; none: that was not understood."""
        if self.turn is None or self.turn.is_fallback or self.turn.intent == _NOT_UNDERSTOOD:
            return None
        return self.turn.intent

    @property
    def confidence(self) -> float:
        """How sure that is."""
        return (self.turn.confidence or 0.0) if self.turn is not None else 0.0

    @property
    def is_one_plain_question(self) -> bool:
        """Whether an answer for everybody would answer all of it."""
        said = [event for event in self.turn.events if event.get("event") == "user"] if self.turn else []
        is_sure = self.intent is not None and self.confidence >= ANSWER_FROM
        return is_sure and len(said) <= 1 and not self.is_exposing and not self.message.attachments


class Publicly:
    """Works on messages of public channels."""

    def __init__(self, database: Database, engine: Engine, numbers: OrderNumberForm) -> None:
        """Keep in `database`, understand by `engine`, and know order numbers by their form."""
        self._database = database
        self._engine = engine
        self._numbers = numbers

    async def take(self, writer: Writer, row: InboxRow, situation: Situation, message: InboundMessage) -> None:
        """Sort a message, do what is to be done about it, and finish the row.

        Raises `OwnerChangedError` and, when it could not be read, `EngineError`.
        """
        is_worth_reading = situation.conversation.owner is not Owner.AGENT and _has_words(message)
        turn = await self._read(row, situation, message) if is_worth_reading else None
        is_exposing = bool(exposed(message.text, (), self._numbers))
        found = Found(message=message, turn=turn, is_exposing=is_exposing)
        await self._database.write(settle, writer, row, situation.conversation, found)

    async def _read(self, row: InboxRow, situation: Situation, message: InboundMessage) -> Turn:
        """Ask what the words mean, each time as if nothing had been said before."""
        request = TurnRequest(
            conversation_id=situation.conversation.id,
            message_id=row.message_id,
            channel=situation.conversation.address.channel,
            text=bare(message.text),
            meaning=None,
            events=[],
            metadata={"owner": Owner.BOT.value, "place_in_queue": None},
        )
        return await self._engine.step(request)


def _has_words(message: InboundMessage) -> bool:
    has_words = any(character.isalpha() for character in bare(message.text))
    return has_words and not is_spam(message.text, is_to_us=message.is_to_us)


def settle(connection: Connection, writer: Writer, row: InboxRow, before: Conversation, found: Found) -> None:
    """Do what is to be done about a public message, and finish its row; the body of one transaction.

    Raises `OwnerChangedError` when the conversation changed hands since `before`, `StaleLeaseError` when the row did.
    """
    conversation = conversations.lock_at(connection, before.id, before.epoch)
    ticket = tickets.open_of(connection, conversation.id)
    if ticket is not None:
        promises.customer_wrote(connection, writer, ticket)
        writer.post_line(connection, ticket.id, row.message_id)
        show_edit(connection, writer, ticket, row)
        writer.post_card(connection, ticket.id)
    if conversation.owner is not Owner.AGENT:
        _treat(connection, writer, row, conversation, found)
    inbox.finish(connection, row.lease, writer.now)


def _treat(connection: Connection, writer: Writer, row: InboxRow, conversation: Conversation, found: Found) -> None:
    message = found.message
    if found.turn is not None:
        conversation = keep_language(connection, writer, conversation, found.turn, message.text)
    verdict = triage(
        Heard(
            text=message.text,
            is_to_us=message.is_to_us,
            has_files=bool(message.attachments),
            names=writer.rules.public.names,
            intent=found.intent,
            confidence=found.confidence,
        )
    )
    treatment = treat(verdict, _means(connection, writer, conversation, found))
    is_answer = treatment is Treatment.ANSWER
    kept = Triage(verdict=verdict, treatment=treatment, intent=found.intent if is_answer else None)
    triages.add(connection, conversation.id, row.message_id, kept, writer.now)
    metrics.PUBLIC.labels(verdict.kind.value, treatment.value).inc()
    log.info("public_message", message=row.message_id, aim=verdict.aim, kind=verdict.kind, treatment=treatment)
    _note_turn(connection, writer, row, conversation, found)
    texts = _texts(writer, conversation)
    match treatment:
        case Treatment.THANK:
            _say(connection, writer, conversation, pick(texts.thanks, row.message_id).template, row)
        case Treatment.ANSWER:
            answers = texts.answers[found.intent or ""]
            _say(connection, writer, conversation, pick(answers, row.message_id).template, row)
        case Treatment.INVITE | Treatment.TICKET:
            request = _request(verdict, found, is_invited=treatment is Treatment.INVITE)
            _give_to_people(connection, writer, row, conversation, request)


def _means(connection: Connection, writer: Writer, conversation: Conversation, found: Found) -> Means:
    """Return what there is to treat a message with: each text is said once in a thread."""
    public, texts, intent = writer.rules.public, _texts(writer, conversation), found.intent
    is_new = not triages.has(connection, conversation.id, Treatment.ANSWER, intent) if intent else False
    can_invite = public.can_invite(conversation.address)
    return Means(
        has_answer=is_new and found.is_one_plain_question and bool(texts.answers.get(intent or "")),
        has_thanks=bool(texts.thanks) and not triages.has(connection, conversation.id, Treatment.THANK),
        can_invite=can_invite and not invitations.is_invited(connection, conversation.id, writer.now),
    )


def _texts(writer: Writer, conversation: Conversation) -> PublicTexts:
    return writer.rules.public.texts.spoken(conversation.language)


def _give_to_people(
    connection: Connection, writer: Writer, row: InboxRow, conversation: Conversation, request: HandoffRequest
) -> None:
    known = tickets.open_of(connection, conversation.id)
    conversation, ticket = hand_off(connection, writer, conversation, request)
    if known is None:
        give_to_last_agent(connection, writer, ticket)
        conversation = conversations.get(connection, conversation.id)
    if request.tried:
        said = invite(connection, writer, conversation, f"{row.message_id}:public")
        if said is not None and known is not None:
            writer.post_line(connection, ticket.id, said)


def invite(
    connection: Connection, writer: Writer, conversation: Conversation, key: str, *, in_private: bool = True
) -> MessageId | None:
    """Ask in a public conversation, which is locked, to go on in private; none: there is no way to.

    Where the channel can answer in private what was said in public, that is how they are asked, if it may be.
    """
    public = writer.rules.public
    if not public.can_invite(conversation.address):
        return None
    token = invitations.make(connection, conversation.id, writer.now, writer.now + public.invitation_for)
    if in_private and public.asks_privately(conversation.address):
        text = pick(_texts(writer, conversation).private_replies, key).template
        asked = OutboundMessage(author=Author.SYSTEM, text=text, invitation=fingerprint(token))
        return writer.say(connection, conversation, asked, key)
    said = public.invitation(conversation.address, token, key, conversation.language)
    if said is None:
        invitations.drop(connection, fingerprint(token))
        return None
    return writer.say(connection, conversation, OutboundMessage(author=Author.SYSTEM, text=said), key)


def _say(connection: Connection, writer: Writer, conversation: Conversation, text: str, row: InboxRow) -> None:
    message = OutboundMessage(author=Author.BOT, text=text)
    message_id = writer.say(connection, conversation, message, f"{row.message_id}:public")
    ticket = tickets.open_of(connection, conversation.id)
    if ticket is not None:
        writer.post_line(connection, ticket.id, message_id)


def _request(verdict: Verdict, found: Found, *, is_invited: bool) -> HandoffRequest:
    what = {Kind.COMPLAINT: "complaint"}.get(verdict.kind, "question")
    whom = "to us" if found.message.is_to_us else "about us"
    wished = found.turn.handoff if found.turn is not None else None
    if wished is not None and wished.reason is Reason.IN_DANGER:
        return wished
    return HandoffRequest(
        reason=Reason.ANGER if verdict.mood is Mood.ANGRY else Reason.IN_PUBLIC,
        topic=(found.intent or f"{what} in public").replace("_", " "),
        summary=f"A {what} {whom}, where everybody reads it.",
        tried=("asked the customer to write in private",) if is_invited else (),
    )


def _note_turn(connection: Connection, writer: Writer, row: InboxRow, conversation: Conversation, found: Found) -> None:
    """Keep what the bot understood, for the mood on the card and for trainers; a dialogue it is not."""
    if found.turn is None:
        return
    record = TurnRecord(
        id=row.message_id,
        conversation_id=conversation.id,
        events=[],
        state={"slots": {}, "active_loop": None},
        intent=found.turn.intent,
        confidence=found.turn.confidence,
        ranking=found.turn.ranking,
        is_fallback=found.turn.is_fallback,
        model_id=found.turn.model_id,
    )
    turns.add(connection, record, writer.now)
