"""What agents say to customers. All functions are transaction bodies."""

from __future__ import annotations

from bot.domain.acts import Amend, AskToVerify, RejectSuggestion, Reply, Resend
from bot.domain.desk import DeskPost, DeskPostKind, Done
from bot.domain.errors import DeskError, NewLinesError
from bot.domain.messages import Author, DeliveryState, MessageId, OutboundMessage, Quote, TranscriptLine
from bot.domain.suggestions import Suggestion, SuggestionId, SuggestionState
from bot.domain.tickets import TicketEvent
from bot.pipeline import amending, phrases, promises
from bot.pipeline.desk.handling import Doing, Handlers, require_mine
from bot.pipeline.desk.ownership import take
from bot.pipeline.desk.publicly import NO_PROOF, require_known, require_private
from bot.store import conversations, quotes, suggestions, tickets, transcript

#: Characters of a line that an agent is shown who had not seen it.
_QUOTED_MAX = 200


def reply(doing: Doing, act: Reply) -> Done:
    """Send the customer a message; a queued ticket is claimed by it."""
    if not act.text.strip() and not act.attachments:
        raise DeskError("There is nothing to send: write a text or attach a file.")
    require_mine(doing)
    require_known(doing, is_known_public=act.is_known_public)
    if act.seen is not None:
        _require_seen(doing, act.seen)
    doing = take(doing).change()
    message = OutboundMessage(
        author=Author.AGENT,
        author_name=doing.agent.name,
        text=act.text.strip(),
        attachments=act.attachments,
        is_known_public=act.is_known_public,
        quotes=_quote(doing, act.quotes),
    )
    message_id = doing.writer.say(doing.connection, doing.conversation, message, doing.key)
    promises.agent_replied(doing.connection, doing.writer, doing.ticket)
    _note_origin(doing, act)
    doing.writer.post_line(doing.connection, doing.ticket.id, message_id)
    doing.show()
    return doing.done(message_id=message_id)


def _quote(doing: Doing, message_id: MessageId | None) -> Quote | None:
    """Return what a reply answers; raises `DeskError` for what is no message of this conversation."""
    found = quotes.quote(doing.connection, doing.conversation.id, message_id) if message_id else None
    if message_id and (found is None or found.author is not Author.CUSTOMER):
        raise DeskError("What you answer is no message of this customer in this conversation.")
    return found


def _require_seen(doing: Doing, seen: MessageId) -> None:
    """Raise `NewLinesError` when somebody else has written since the line that the agent saw last."""
    since = transcript.after(doing.connection, doing.conversation.id, seen)
    news = [line for line in since if line.author is Author.CUSTOMER or _is_of_another_agent(line, doing)]
    if news:
        who = news[-1].author_name or "the customer"
        raise NewLinesError(
            f"Not sent yet: {who} has written meanwhile: “{news[-1].text[:_QUOTED_MAX]}”. Read it, then send again.",
            newest=news[-1].id,
        )


def _is_of_another_agent(line: TranscriptLine, doing: Doing) -> bool:
    return line.author is Author.AGENT and line.author_name != doing.agent.name


def _note_origin(doing: Doing, act: Reply) -> None:
    """Remember which canned reply or draft the message was made from."""
    if act.macro is not None:
        event = TicketEvent(at=doing.writer.now, kind="macro", agent=doing.agent, detail=act.macro)
        tickets.log(doing.connection, doing.ticket.id, event)
    if act.suggestion is not None:
        draft = _draft(doing, act.suggestion)
        is_same = act.text.strip() == draft.text.strip()
        _settle(doing, draft, SuggestionState.SENT if is_same else SuggestionState.EDITED)


def amend(doing: Doing, act: Amend) -> Done:
    """Change or take back a message that an agent sent, as far as the channel lets us; open or closed."""
    line = _sent_line(doing, act.message_id)
    if line.delivery in {DeliveryState.FAILED, DeliveryState.WITHHELD}:
        raise DeskError("That message never reached the customer, so there is nothing to change: write it anew.")
    text = act.text.strip() if act.text is not None else None
    if text == "":
        raise DeskError("The new text is empty: to remove the message, take it back.")
    if text is not None:
        require_known(doing, is_known_public=act.is_known_public)
    amendment = amending.Amendment(message_id=line.id, text=text, key=doing.key, is_known_public=act.is_known_public)
    if line.delivery is DeliveryState.PENDING and amending.change_waiting(
        doing.connection, doing.writer, doing.conversation, amendment
    ):
        doing.post(DeskPost(ticket_id=doing.ticket.id, kind=DeskPostKind.RECEIPT, message_id=line.id), "amended")
    else:
        amending.request(doing.connection, doing.writer, doing.conversation, amendment)
    return doing.done(message_id=line.id)


def resend(doing: Doing, act: Resend) -> Done:
    """Send a message again that did not arrive, as the same line of the transcript."""
    require_mine(doing)
    line = _sent_line(doing, act.message_id)
    if line.delivery is not DeliveryState.FAILED:
        raise DeskError("That message has not failed: it is on its way, or it has arrived.")
    (line,) = quotes.with_quotes(doing.connection, [line])
    doing.writer.say_again(doing.connection, doing.conversation, line, doing.key)
    return doing.done(message_id=line.id)


def _sent_line(doing: Doing, message_id: MessageId) -> TranscriptLine:
    line = transcript.get(doing.connection, message_id)
    is_ours = line is not None and transcript.belongs(doing.connection, doing.conversation.id, message_id)
    if line is None or not is_ours or line.author is not Author.AGENT:
        raise DeskError("That is not a message of an agent to this customer.")
    return line


def ask_to_verify(doing: Doing, act: AskToVerify) -> Done:  # noqa: ARG001 - it says all by its type
    """Have the bot ask for an order number and its proof; the ticket stays the agent's."""
    require_mine(doing)
    require_private(doing, NO_PROOF)
    assurance = conversations.read_assurance(doing.connection, doing.conversation.id)
    if assurance.is_barred_at(doing.writer.now):
        raise DeskError("Too many proofs were wrong: the customer can be asked again in an hour.")
    doing = take(doing).change()
    text = phrases.told(phrases.ASK_FOR_PROOF, doing.conversation.language)
    message = OutboundMessage(author=Author.BOT, text=text)
    message_id = doing.writer.say(doing.connection, doing.conversation, message, f"{doing.key}:asked")
    doing.writer.post_line(doing.connection, doing.ticket.id, message_id)
    return doing.done()


def reject_suggestion(doing: Doing, act: RejectSuggestion) -> Done:
    """Keep that a draft of the bot was wrong, for trainers to see."""
    _settle(doing, _draft(doing, act.suggestion), SuggestionState.WRONG)
    doing.show()
    return doing.done()


def _settle(doing: Doing, draft: Suggestion, state: SuggestionState) -> None:
    suggestions.settle(doing.connection, draft.id, state)
    post = DeskPost(ticket_id=doing.ticket.id, kind=DeskPostKind.SUGGESTION, message_id=draft.message_id)
    doing.post(post, "suggestion")


def _draft(doing: Doing, suggestion_id: SuggestionId) -> Suggestion:
    draft = suggestions.get(doing.connection, doing.ticket.id, suggestion_id)
    if draft is None:
        raise DeskError("There is no such draft on this ticket.")
    return draft


HANDLERS: Handlers = {
    Reply: reply,
    Amend: amend,
    Resend: resend,
    AskToVerify: ask_to_verify,
    RejectSuggestion: reject_suggestion,
}
