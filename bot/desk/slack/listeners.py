"""What agents do in Slack, done on tickets.

The thread of a ticket is internal: only a message that starts with `>`, or the Reply button, reaches the customer.
`DeskEvents.handle` may be given the same event any number of times.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.desk.slack import cards
from bot.desk.slack import text as slack_text
from bot.desk.slack.cards import DeskAction
from bot.desk.slack.envelope import Click, Json, Submission, ThreadChange, ThreadMessage, read
from bot.desk.slack.errors import classify, code_of
from bot.desk.slack.files import SlackFiles
from bot.desk.slack.people import People
from bot.desk.slack.poster import FAILED, Whereabouts, act_key
from bot.desk.slack.text import Destination, Written
from bot.domain.acts import Act, Claim, HandBack, Note, Reply, Resolve
from bot.domain.connectors import Permanent
from bot.domain.desk import DeskActs
from bot.domain.errors import DeskError, MediaError
from bot.domain.messages import message_id_of
from bot.domain.tickets import Agent, TicketId

_log = structlog.get_logger(__name__)

UNCLEAR = (
    "Not sent: only some lines of your message start with >, so it could be meant for either. To send it to the "
    "customer, start every line with >, or use Reply. It is kept as a note."
)
BROADCAST = (
    "Not sent: messages that also go to the channel stay internal. Write it in the thread alone, or use Reply. "
    "It is kept as a note."
)
EDITED = "The customer has the earlier text: edits are not passed on. To correct it, write a new message."
DELETED = "The customer has already been sent this message: deleting it here does not take it back."
NEVER_SENT = "Not sent: edits stay internal. To send it to the customer, write it as a new message."
CLOSED = "This ticket is closed. If the customer writes again, a new ticket can be opened."
EMPTY = "Not sent: there is no text and no file in it."


@dataclass(frozen=True, kw_only=True)
class SlackParts:
    """What acting on Slack's events takes."""

    client: AsyncWebClient
    #: id of the queue channel; nothing else is listened to
    channel: str
    acts: DeskActs
    people: People
    files: SlackFiles
    #: shared with the poster, which puts ✅ where it says
    whereabouts: Whereabouts


class DeskEvents:
    """Carries out what Slack's events ask for."""

    def __init__(self, parts: SlackParts) -> None:
        """Take what is needed to act and to answer."""
        self._parts = parts
        self._acts = parts.acts

    async def handle(self, raw: Json) -> None:
        """Do what one raw event asks for, once however often it is handed in.

        Returns when it is done or the person was told why not; raises what Slack's client or the acts raise when it may
        be tried again.
        """
        event = read(raw)
        match event:
            case ThreadMessage():
                await self._written(event)
            case ThreadChange():
                await self._changed(event)
            case Click(action=DeskAction.CLAIM):
                await self._claim(event)
            case Submission():
                await self._submitted(event)
            case _:
                # A button that opens a modal: that was done when it was pressed.
                return

    async def open_modal(self, click: Click) -> None:
        """Open the modal behind a button, within the three seconds that its trigger lives."""
        agent = await self._agent(click.user, click.thread)
        if agent is None or click.channel != self._parts.channel:
            return
        view = await self._acts.view(click.ticket_id)
        if view is None or not view.ticket.state.is_open:
            await self._tell(click.user, click.thread, CLOSED)
            return
        modal = cards.modal(click.action, view, click.thread)
        await self._parts.client.views_open(trigger_id=click.trigger_id, view=modal)

    async def _claim(self, click: Click) -> None:
        if click.channel != self._parts.channel:
            return
        agent = await self._agent(click.user, click.thread)
        if agent is None:
            return
        try:
            await self._acts.do(click.ticket_id, agent, Claim(), act_key(click.external_id))
        except DeskError as error:
            await self._tell(click.user, click.thread, str(error))

    async def _submitted(self, sent: Submission) -> None:
        agent = await self._agent(sent.user, sent.thread, sent.text)
        if agent is None:
            return
        try:
            await self._acts.do(sent.ticket_id, agent, _act_of(sent), act_key(sent.external_id))
        except DeskError as error:
            await self._tell(sent.user, sent.thread, str(error), sent.text)

    async def _written(self, message: ThreadMessage) -> None:
        ticket_id = await self._ticket_of(message)
        if ticket_id is None:
            return
        agent = await self._agent(message.user, message.thread)
        if agent is None:
            return
        written = slack_text.read(await self._plain(message))
        is_reply = written.destination is Destination.CUSTOMER
        try:
            if is_reply and not message.is_broadcast:
                await self._reply(ticket_id, agent, message, written)
                return
            await self._note(ticket_id, agent, message, written)
        except (DeskError, MediaError) as error:
            if is_reply:
                await self._mark_failed(message.ts)
            await self._tell(message.user, message.thread, str(error))
            return
        if is_reply or written.destination is Destination.UNCLEAR:
            await self._tell(message.user, message.thread, BROADCAST if is_reply else UNCLEAR)

    async def _reply(self, ticket_id: TicketId, agent: Agent, message: ThreadMessage, written: Written) -> None:
        if not written.text and not message.files:
            raise DeskError(EMPTY)
        key = act_key(message.external_id)
        attachments = tuple([await self._parts.files.keep(file) for file in message.files])
        self._parts.whereabouts.put(message_id_of(key), message.ts)
        await self._acts.do(ticket_id, agent, Reply(text=written.text, attachments=attachments), key)

    async def _note(self, ticket_id: TicketId, agent: Agent, message: ThreadMessage, written: Written) -> None:
        text = "\n".join(filter(None, [written.text, *(f"[file: {file.name}]" for file in message.files)]))
        if text:
            await self._acts.do(ticket_id, agent, Note(text=text), act_key(message.external_id))

    async def _changed(self, change: ThreadChange) -> None:
        if await self._ticket_of(change) is None:
            return
        old = slack_text.read(slack_text.plain(change.old_text, {}, {}))
        new = slack_text.read(slack_text.plain(change.new_text or "", {}, {}))
        if old.destination is Destination.CUSTOMER:
            await self._tell(change.user, change.thread, DELETED if change.new_text is None else EDITED)
        elif new.destination is Destination.CUSTOMER:
            await self._tell(change.user, change.thread, NEVER_SENT)

    async def _ticket_of(self, event: ThreadMessage | ThreadChange) -> TicketId | None:
        if event.channel != self._parts.channel:
            return None
        return await self._acts.by_reference(f"{event.channel}:{event.thread}")

    async def _plain(self, message: ThreadMessage) -> str:
        names = {user: await self._parts.people.name(user) for user in slack_text.mentioned(message.text)}
        return slack_text.plain(message.text, names, slack_text.emoji_in(message.blocks))

    async def _agent(self, user: str, thread: str, unsent: str = "") -> Agent | None:
        """Return the person as an agent, or none once they have been told why they are not one."""
        verdict = await self._parts.people.verdict(user)
        if verdict.agent is None:
            _log.warning("desk_refused", user=user, reason=verdict.refusal)
            await self._tell(user, thread, verdict.refusal, unsent)
        return verdict.agent

    async def _mark_failed(self, ts: str) -> None:
        try:
            await self._parts.client.reactions_add(channel=self._parts.channel, timestamp=ts, name=FAILED)
        except Exception as error:  # noqa: BLE001 - decoration: the reason itself is told next
            _log.info("desk_mark_failed", error=code_of(error) or type(error).__name__)

    async def _tell(self, user: str, thread: str, reason: str, unsent: str = "") -> None:
        """Show something to one person alone; somebody who cannot be shown it is not waited for."""
        post = cards.refusal(reason, unsent)
        try:
            await self._parts.client.chat_postEphemeral(
                channel=self._parts.channel,
                user=user,
                thread_ts=thread or None,
                text=post.text,
                blocks=post.blocks,
                link_names=False,
                parse="none",
            )
        except Exception as error:
            failed = classify(error)
            if not isinstance(failed, Permanent):
                raise
            _log.warning("desk_not_told", user=user, error=failed.code)


def _act_of(sent: Submission) -> Act:
    text = sent.text.strip()
    match sent.action:
        case DeskAction.REPLY:
            return Reply(text=text)
        case DeskAction.NOTE:
            return Note(text=text)
        case DeskAction.RESOLVE:
            return Resolve(outcome=text)
        case DeskAction.HAND_BACK:
            return HandBack(outcome=text)
        case DeskAction.CLAIM:
            return Claim()
