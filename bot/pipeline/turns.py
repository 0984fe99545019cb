"""Writing down a turn: dialogue, answers, ticket and everything else it decided, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from bot import metrics
from bot.dialogue.wire import Answer, Command, ProofAttempt, Turn
from bot.domain.assurance import Level
from bot.domain.conversations import Conversation, Owner
from bot.domain.customers import CustomerId
from bot.domain.handoff import HandoffRequest, Reason
from bot.domain.messages import Author, MessageId, OutboundMessage
from bot.domain.tickets import Ticket, TicketId
from bot.pipeline import bursts, danger, phrases, promises
from bot.pipeline.aftercare import is_courtesy
from bot.pipeline.elsewhere import show_edit
from bot.pipeline.handing_off import hand_off
from bot.pipeline.languages import keep_language
from bot.pipeline.outgoing import Writer
from bot.pipeline.overdue import give_to_last_agent
from bot.pipeline.reopening import closed_lately
from bot.pipeline.waiting import outlook
from bot.store import choices, conversations, guesses, outbox, tickets, timers, turns
from bot.store.inbox import InboxKind, InboxRow
from bot.store.outbox import OutboxKind, Outgoing
from bot.store.timers import Timer
from bot.store.turns import TurnRecord

#: The intent of a customer who asks how long they will wait for a person.
ASKS_WAIT = "ask_waiting_time"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A turn and what the pipeline found out about it."""

    turn: Turn
    #: whom the brand's records confirm the customer to be
    proved: CustomerId | None
    #: proofs that do not fit the brand's records, whatever the turn says
    failed_proofs: tuple[ProofAttempt, ...]
    #: the brand's word for the customer's value, where routing asks for it
    tier: str = ""
    #: what the customer said
    text: str = ""


def commit_turn(
    connection: Connection, writer: Writer, row: InboxRow, before: Conversation, decision: Decision
) -> None:
    """Write down the turn and finish its inbox row; the body of one transaction.

    Raises `OwnerChangedError` when the conversation changed hands since `before`, `SupersededError` when the customer
    went on writing, `StaleLeaseError` when somebody else has the row.
    """
    conversation = conversations.lock_at(connection, before.id, before.epoch)
    bursts.check(connection, row)
    conversation = keep_language(connection, writer, conversation, decision.turn, decision.text)
    _record_proofs(connection, writer, conversation, decision)
    if conversation.owner is Owner.QUEUE:
        outcome = _while_queued(connection, writer, row, conversation, decision.turn)
    else:
        outcome = _as_owner(connection, writer, row, conversation, decision)
    bursts.finish(connection, row, writer.now)
    metrics.TURNS.labels(outcome).inc()
    metrics.TURN_SECONDS.observe((writer.now - row.received_at).total_seconds())


def _as_owner(
    connection: Connection, writer: Writer, row: InboxRow, conversation: Conversation, decision: Decision
) -> str:
    turn = decision.turn
    left = _left_to_people(connection, writer, row, conversation, decision)
    if left is not None:
        return left
    _record_turn(connection, writer, row, conversation, turn)
    if turn.handoff is None:
        _say_answers(connection, writer, row, conversation, turn)
        return "fallback" if turn.is_fallback else "answered"
    conversation, ticket = hand_off(connection, writer, conversation, turn.handoff, decision.tier)
    if not give_to_last_agent(connection, writer, ticket):
        _say_answers(connection, writer, row, conversation, turn)
        _tell_place(connection, writer, row, conversation, ticket)
    return "handed_off"


def _left_to_people(
    connection: Connection, writer: Writer, row: InboxRow, conversation: Conversation, decision: Decision
) -> str | None:
    """Leave to people what they asked to decide, and what the bot is not sure of after they closed a ticket.

    Returns what became of the turn, which is written down then; none when it is the bot's.
    """
    turn = decision.turn
    known = tickets.last_of(connection, conversation.id) if turn.commands or turn.is_fallback else None
    if known is None or known.state.is_open:
        return None
    if turn.commands and not known.bot_may_act:
        _record_turn(connection, writer, row, conversation, turn)
        request, words = _decided_by_people(turn.commands[0], known), phrases.PEOPLE_DECIDE
    elif turn.is_fallback and turn.handoff is None and closed_lately(writer, known):
        if is_courtesy(decision.text, turn):
            return "courtesy"
        summary = f"The bot is not sure what the customer wants now; {known.request.topic} was closed before."
        request = HandoffRequest(reason=Reason.NOT_UNDERSTOOD, topic=known.request.topic, summary=summary)
        words = phrases.REOPENED
    else:
        return None
    conversation, ticket = hand_off(connection, writer, conversation, request)
    if not give_to_last_agent(connection, writer, ticket):
        message = OutboundMessage(author=Author.SYSTEM, text=phrases.told(words, conversation.language))
        writer.say(connection, conversation, message, f"{row.message_id}:left")
        _tell_place(connection, writer, row, conversation, ticket)
    return "handed_off"


def _decided_by_people(command: Command, ticket: Ticket) -> HandoffRequest:
    what, number = command.name.replace("_", " "), command.arguments.get("order_number")
    who = ticket.agent.name if ticket.agent else "a colleague"
    return HandoffRequest(
        reason=Reason.PEOPLE_ONLY,
        topic=what,
        summary=f"The customer wants the bot to {what}; when {who} handed back, such things were left to people.",
        order_number=str(number) if number else None,
    )


def _tell_place(
    connection: Connection, writer: Writer, row: InboxRow, conversation: Conversation, ticket: Ticket
) -> None:
    place = tickets.place_in_queue(connection, ticket) or 1
    message = OutboundMessage(
        author=Author.SYSTEM,
        text=phrases.place_in_queue(place, outlook(connection, writer, ticket), conversation.language),
    )
    writer.say(connection, conversation, message, f"{row.message_id}:place")
    tickets.note_told(connection, ticket.id, place, writer.now)


def _while_queued(connection: Connection, writer: Writer, row: InboxRow, conversation: Conversation, turn: Turn) -> str:
    """Answer what the bot is sure of, keep the customer's place, and show everything to the people in the thread."""
    ticket = tickets.open_of(connection, conversation.id)
    is_sure = not turn.is_fallback and turn.handoff is None
    is_in_danger = turn.handoff is not None and turn.handoff.reason is Reason.IN_DANGER
    if ticket is not None and row.kind is InboxKind.MESSAGE:
        promises.customer_wrote(connection, writer, ticket)
        for message_id in row.message_ids:
            writer.post_line(connection, ticket.id, message_id)
        show_edit(connection, writer, ticket, row)
    if is_sure and ticket is not None and turn.intent == ASKS_WAIT:
        # The bot knows the place, but not how long it takes.
        _record_turn(connection, writer, row, conversation, turn)
        _tell_place(connection, writer, row, conversation, ticket)
    elif is_sure or is_in_danger:
        if ticket is not None and turn.handoff is not None:
            ticket = danger.alarm(connection, writer, ticket, turn.handoff)
        _record_turn(connection, writer, row, conversation, turn)
        for message_id in _say_answers(connection, writer, row, conversation, turn):
            if ticket is not None:
                writer.post_line(connection, ticket.id, message_id)
    elif ticket is not None and turn.handoff is not None and turn.handoff.reason is Reason.EXPLICIT_WISH:
        _tell_place(connection, writer, row, conversation, ticket)
    if ticket is not None:
        writer.post_card(connection, TicketId(ticket.id))
    return "answered_in_queue" if is_sure else "left_to_people"


def _say_answers(
    connection: Connection, writer: Writer, row: InboxRow, conversation: Conversation, turn: Turn
) -> list[MessageId]:
    message_ids = []
    for index, answer in enumerate(turn.answers):
        message = _message(connection, writer, conversation, answer)
        message_ids.append(writer.say(connection, conversation, message, f"{row.message_id}:{index}"))
    for index, command in enumerate(turn.commands):
        _command(connection, writer, conversation, command, f"{row.message_id}:command:{index}")
    return message_ids


def _command(connection: Connection, writer: Writer, conversation: Conversation, command: Command, key: str) -> None:
    """Queue a command for whom we know the customer to be; who that is, a turn cannot say."""
    assurance = conversations.read_assurance(connection, conversation.id)
    known = assurance.customer_id if assurance.level_at(writer.now) > Level.L0 else None
    outgoing = Outgoing(
        key=key,
        address=f"command/brand/{conversation.id}",
        kind=OutboxKind.COMMAND,
        body={"name": command.name, "arguments": command.arguments | {"customer_id": known}},
        conversation_id=conversation.id,
    )
    outbox.add(connection, outgoing, writer.now)


def _message(connection: Connection, writer: Writer, conversation: Conversation, answer: Answer) -> OutboundMessage:
    offered = tuple(
        choices.add(connection, conversation.id, choice.title, choice.meaning, writer.now) for choice in answer.choices
    )
    text = f"{answer.text}\n{answer.image}".strip() if answer.image else answer.text
    return OutboundMessage(author=Author.BOT, text=text, choices=offered)


def _record_turn(connection: Connection, writer: Writer, row: InboxRow, conversation: Conversation, turn: Turn) -> None:
    record = TurnRecord(
        id=row.message_id,
        conversation_id=conversation.id,
        events=turn.events,
        state=turn.state,
        intent=turn.intent,
        confidence=turn.confidence,
        ranking=turn.ranking,
        is_fallback=turn.is_fallback,
        model_id=turn.model_id,
    )
    turns.add(connection, record, writer.now)
    for reminder in turn.reminders:
        if reminder.fire_at is None or reminder.name is None:
            timers.cancel(connection, conversation.id, reminder.name)
        else:
            timer = Timer(
                conversation_id=conversation.id,
                name=reminder.name,
                fire_at=reminder.fire_at,
                meaning=reminder.meaning,
            )
            timers.set_timer(connection, timer)


def _record_proofs(connection: Connection, writer: Writer, conversation: Conversation, decision: Decision) -> None:
    if not decision.failed_proofs and decision.proved is None:
        return
    is_barred = conversations.read_assurance(connection, conversation.id).is_barred_at(writer.now)
    for attempt in decision.failed_proofs:
        conversations.count_failed_proof(connection, conversation.address, writer.now)
        guesses.count_wrong_proof(connection, attempt.order_number, attempt.proof, writer.now)
    if decision.proved is not None and not is_barred:
        method = (
            "order and e-mail"
            if any("@" in attempt.proof for attempt in decision.turn.proofs)
            else "order and postcode"
        )
        conversations.bind_customer(connection, conversation.address, decision.proved, method, writer.now)
