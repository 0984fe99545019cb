"""Replies that were found long after they were written: the customer gets none of them unasked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.desk.slack import blocks
from bot.desk.slack.blocks import Post, text
from bot.desk.slack.buttons import DeskAction
from bot.desk.slack.doing import Doer
from bot.desk.slack.events import ThreadMessage
from bot.desk.slack.parts import SlackParts
from bot.desk.slack.whereabouts import act_key
from bot.domain.acts import Note
from bot.domain.errors import DeskError
from bot.domain.tickets import Agent, TicketId

#: What was written longer ago than this may not be true any more.
LATE_AFTER = timedelta(hours=4)
_QUOTED_MAX = 300


def is_late(message: ThreadMessage) -> bool:
    """Whether so much time passed before a message was found that its author has to be asked."""
    return message.found_at is not None and message.found_at - float(message.ts) > LATE_AFTER.total_seconds()


class LateReplies:
    """Keeps late replies as notes, and asks in the thread whether to send them after all."""

    def __init__(self, parts: SlackParts, doer: Doer) -> None:
        """Take what is needed to keep and to ask."""
        self._client = parts.client
        self._doer = doer

    async def ask(self, ticket_id: TicketId, agent: Agent, message: ThreadMessage, said: str) -> None:
        """Keep a late reply as a note, and ask; asking twice does no harm."""
        try:
            # Not the message's own key: under that one it can still be sent.
            await self._doer.do(ticket_id, agent, Note(text=said or "(files)"), act_key(f"late:{message.external_id}"))
            shown = question(ticket_id, message, said)
        except DeskError as error:
            shown = blocks.post(str(error), [blocks.rich(blocks.section(_author(message), text(f" {error}")))])
        await self._client.chat_postMessage(
            channel=message.channel,
            thread_ts=message.thread,
            text=shown.text,
            blocks=shown.blocks,
            link_names=False,
            unfurl_links=False,
            unfurl_media=False,
        )


def question(ticket_id: TicketId, message: ThreadMessage, said: str) -> Post:
    """Return the question whether to send a late reply."""
    written = blocks.when(datetime.fromtimestamp(float(message.ts), UTC))
    value = f"{ticket_id} {message.ts}"
    hint = "A reply of yours reached us late. It was not sent to the customer, and is kept as a note."
    return blocks.post(
        hint,
        [
            blocks.rich(
                blocks.section(_author(message), text(f" {hint} Does it still hold?")),
                blocks.quote(blocks.clip(said or "(files)", _QUOTED_MAX)),
            ),
            blocks.context(blocks.mrkdwn(f"Written {written}")),
            blocks.buttons(
                f"tandem_late_{message.ts}",
                blocks.button(DeskAction.SEND_LATE, "Send to the customer", value, "primary"),
            ),
        ],
    )


def _author(message: ThreadMessage) -> blocks.Block:
    return {"type": "user", "user_id": message.user}
