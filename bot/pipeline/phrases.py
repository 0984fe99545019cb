"""The few sentences the pipeline says itself; everything else is said by the bot's responses or by people."""

from __future__ import annotations

from bot.domain.ports import CommandResult


def place_in_queue(place: int) -> str:
    """Say how many wait before the customer."""
    if place <= 1:
        return "You're next in line. You can keep writing here; I'll answer what I can while you wait."
    return f"You're number {place} in line. You can keep writing here; I'll answer what I can while you wait."


def agent_joined(name: str) -> str:
    """Say that a person answers now."""
    return f"{name} has joined the chat and will take it from here."


FILE_RECEIVED = "Thanks, I've got your file. I can't read it myself, so I've passed it to a colleague."
RESOLVED = "This conversation has been closed. Just write again if there is anything else."
ENGINE_FAILED = (
    "Sorry, something went wrong on our side. I've passed your message to a colleague, who will answer you here."
)
STILL_WORKING = "Thanks for your message. It is taking longer than usual; you will get an answer here."

NO_REASON = "the channel gave no reason"
NOT_REACHED = "our shop's own system does not answer"


def undelivered(reason: str) -> str:
    """Tell the agent that a message did not arrive."""
    return (
        f"A message to the customer was not delivered: {reason}. They have not seen it: reply again, or reach them "
        "another way and note that here."
    )


def held() -> str:
    """Tell the agent that nobody knows whether a message arrived."""
    return (
        "A message to the customer may or may not have arrived: the connection broke while it was sent, and this "
        "channel cannot tell. It was not sent again; please check and repeat it if needed."
    )


def command_ended(name: str, order_number: object, result: CommandResult) -> str:
    """Tell the customer what came of something the bot was asked to do."""
    what = name.replace("_", " ") + (f" {order_number}" if order_number else "")
    if result.is_done:
        return f"That's done: {what}."
    return f"I couldn't {what}: {result.reason}. I've asked a colleague to look at it, and they will answer you here."
