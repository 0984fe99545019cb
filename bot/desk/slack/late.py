"""Replies that were found long after they were written: the customer gets none of them unasked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.desk.slack import blocks
from bot.desk.slack.blocks import Post, text
from bot.desk.slack.buttons import DeskAction
from bot.desk.slack.doing import Doer
from bot.desk.slack.events import Reaction, ThreadMessage
from bot.desk.slack.parts import SlackParts
from bot.desk.slack.whereabouts import act_key
from bot.domain.acts import Note
from bot.domain.errors import DeskError
from bot.domain.tickets import Agent, TicketId

#: What was written longer ago than this may not be true any more.
LATE_AFTER = timedelta(hours=4)
_QUOTED_MAX = 300


_WRITTEN = "A reply of yours reached us late. It was not sent to the customer, and is kept as a note."
_WISHED = "Your ✉️ reached us late. The message was not sent to the customer."


def is_late(event: ThreadMessage | Reaction) -> bool:
    """Whether so much time passed before something was found that who did it has to be asked."""
    at = event.at if isinstance(event, Reaction) else float(event.ts)
    return event.found_at is not None and event.found_at - at > LATE_AFTER.total_seconds()


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
            shown = blocks.post(str(error), [blocks.rich(blocks.section(_called(message.user), text(f" {error}")))])
        await self._show(message, shown)

    async def ask_for_envelope(self, ticket_id: TicketId, user: str, message: ThreadMessage, said: str) -> None:
        """Ask who put an envelope on a message long ago whether it still is to be sent."""
        await self._show(message, question(ticket_id, message, said, by=user))

    async def _show(self, message: ThreadMessage, shown: Post) -> None:
        await self._client.chat_postMessage(
            channel=message.channel,
            thread_ts=message.thread,
            text=shown.text,
            blocks=shown.blocks,
            link_names=False,
            unfurl_links=False,
            unfurl_media=False,
        )


def question(ticket_id: TicketId, message: ThreadMessage, said: str, by: str | None = None) -> Post:
    """Return the question whether to send a late reply, or a message that somebody put an envelope on."""
    written = blocks.when(datetime.fromtimestamp(float(message.ts), UTC))
    value = f"{ticket_id} {message.ts}"
    hint = _WISHED if by else _WRITTEN
    return blocks.post(
        hint,
        [
            blocks.rich(
                blocks.section(_called(by or message.user), text(f" {hint} Does it still hold?")),
                blocks.quote(blocks.clip(said or "(files)", _QUOTED_MAX)),
            ),
            blocks.context(blocks.mrkdwn(f"Written {written}")),
            blocks.buttons(
                f"tandem_late_{message.ts}",
                blocks.button(DeskAction.SEND_LATE, "Send to the customer", value, "primary"),
            ),
        ],
    )


def _called(user: str) -> blocks.Block:
    return {"type": "user", "user_id": user}
