"""How agents end their part of a ticket. All functions are transaction bodies."""

from __future__ import annotations

from sqlalchemy import Connection

from bot.domain.acts import Closing, HandBack, Resolve
from bot.domain.conversations import Conversation, Owner
from bot.domain.desk import Done
from bot.domain.errors import DeskError
from bot.domain.tickets import TicketState
from bot.pipeline import phrases, promises
from bot.pipeline.aftercare import ask_rating
from bot.pipeline.desk.handling import Doing, Handlers, require_mine, require_text
from bot.pipeline.desk.publicly import NO_HAND_BACK, close_publicly, is_public, require_private
from bot.store import inbox, turns
from bot.store.ids import new_message_id
from bot.store.inbox import DESK_ACCOUNT, Arrival, InboxKind
from bot.store.turns import TurnRecord

#: The intent that tells the bot it answers again; its entity `outcome` is what the agent did.
HANDED_BACK_INTENT = "handed_back"
_TOPIC_MAX = 200


def resolve(doing: Doing, act: Resolve) -> Done:
    """Close the ticket and give the conversation back to the bot, which starts afresh."""
    doing = _close(doing, TicketState.RESOLVED, act.outcome.strip())
    topic = {"topic": act.topic.strip()[:_TOPIC_MAX]} if act.topic and act.topic.strip() else {}
    doing = doing.change(closing=act.closing.value, bot_may_act=True, **topic)
    if is_public(doing):
        close_publicly(doing, is_told=act.tells_public)
    elif act.closing is not Closing.SPAM:
        doing.tell(phrases.told(phrases.RESOLVED, doing.conversation.language))
        if doing.writer.rules.asks_satisfaction:
            ask_rating(doing.connection, doing.writer, doing.conversation, doing.ticket, f"{doing.key}:asked")
    turns.add(doing.connection, _fresh_start(doing.connection, doing.conversation), doing.writer.now)
    doing.show()
    return doing.done()


def hand_back(doing: Doing, act: HandBack) -> Done:
    """Give the conversation back to the bot, which tells the customer what was done."""
    require_private(doing, NO_HAND_BACK)
    outcome = require_text(
        act.outcome, "Say what was done, in a sentence the customer may read: the bot will pass it on."
    )
    if bool(act.promised.strip()) != (act.promised_at is not None):
        raise DeskError("Say what was promised and by when, or leave both empty.")
    if act.promised_at is not None and act.promised_at <= doing.writer.now:
        raise DeskError("What was promised must be due in the future.")
    doing = _close(doing, TicketState.HANDED_BACK, outcome).change(bot_may_act=act.may_act)
    if act.promised_at is not None:
        promises.promised(doing.connection, doing.writer, doing.ticket, act.promised.strip(), act.promised_at)
    inbox.add(doing.connection, _handed_back(doing, act), doing.writer.now)
    doing.show()
    return doing.done()


def _close(doing: Doing, state: TicketState, outcome: str) -> Doing:
    require_mine(doing)
    doing = doing.give_to(Owner.BOT).change(
        state=state.value,
        agent_id=doing.agent.id,
        agent_name=doing.agent.name,
        closed_at=doing.writer.now,
        outcome=outcome,
    )
    promises.ticket_closed(doing.connection, doing.writer, doing.ticket)
    return doing


def _fresh_start(connection: Connection, conversation: Conversation) -> TurnRecord:
    """Return a turn that leaves whatever form was open, so that the next message is not taken for its answer."""
    state = turns.history(connection, conversation.id).state
    slots = {name: value for name, value in state.get("slots", {}).items() if name != "requested_slot"}
    return TurnRecord(
        id=new_message_id(),
        conversation_id=conversation.id,
        events=[
            {"event": "active_loop", "name": None},
            {"event": "slot", "name": "requested_slot", "value": None},
            {"event": "action", "name": "action_listen"},
        ],
        state={"slots": slots, "active_loop": None},
    )


def _handed_back(doing: Doing, act: HandBack) -> Arrival:
    entities = {"outcome": act.outcome.strip(), "agent": doing.agent.name, "may_act": "yes" if act.may_act else "no"}
    if act.promised_at is not None:
        local = act.promised_at.astimezone(doing.writer.rules.hours.zone)
        entities |= {"promised": act.promised.strip(), "promised_by": f"{local:%A %d %B, %H:%M}"}
    return Arrival(
        account=DESK_ACCOUNT,
        external_id=f"handed_back:{doing.key}",
        address=str(doing.conversation.address),
        kind=InboxKind.TRIGGER,
        body={"intent": HANDED_BACK_INTENT, "entities": entities},
        message_id=new_message_id(),
    )


HANDLERS: Handlers = {Resolve: resolve, HandBack: hand_back}
