"""What agents say to customers. All functions are transaction bodies."""

from __future__ import annotations

from bot.domain.acts import Reply
from bot.domain.desk import Done
from bot.domain.errors import DeskError
from bot.domain.messages import Author, OutboundMessage
from bot.pipeline import promises
from bot.pipeline.desk.handling import Doing, Handlers, require_mine
from bot.pipeline.desk.ownership import take


def reply(doing: Doing, act: Reply) -> Done:
    """Send the customer a message; a queued ticket is claimed by it."""
    if not act.text.strip() and not act.attachments:
        raise DeskError("There is nothing to send: write a text or attach a file.")
    require_mine(doing)
    doing = take(doing)
    message = OutboundMessage(
        author=Author.AGENT, author_name=doing.agent.name, text=act.text.strip(), attachments=act.attachments
    )
    message_id = doing.writer.say(doing.connection, doing.conversation, message, doing.key)
    promises.agent_replied(doing.connection, doing.writer, doing.ticket)
    doing.writer.post_line(doing.connection, doing.ticket.id, message_id)
    doing.show()
    return doing.done(message_id=message_id)


HANDLERS: Handlers = {Reply: reply}
