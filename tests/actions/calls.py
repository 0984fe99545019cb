"""Action calls as the engine makes them, and turns as actions see them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from actions.context import TurnContext
from bot.domain.conversations import ConversationId, Owner
from bot.domain.messages import MessageId

NOW = datetime(2026, 11, 23, 10, 15, tzinfo=UTC)


def turn(**facts: Any) -> TurnContext:
    """Return a turn with these facts, and what does not matter besides."""
    settled: dict[str, Any] = {
        "conversation_id": ConversationId("c0ffee"),
        "message_id": MessageId("m1"),
        "owner": Owner.BOT,
        "now": NOW,
    }
    return TurnContext(**(settled | facts))


def call(action: str, **tracker: Any) -> dict[str, Any]:
    """Return the body of an action call whose tracker holds these values."""
    message = {"text": "", "intent": {"name": "greet"}, "entities": [], "metadata": {"message_id": "m1"}}
    state = {"sender_id": "c0ffee", "slots": {}, "events": [], "latest_message": message, "active_loop": {}}
    return {"next_action": action, "sender_id": "c0ffee", "tracker": state | tracker, "domain": {"responses": {}}}
