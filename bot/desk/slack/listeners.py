"""What agents do in Slack, done on tickets.

The thread of a ticket is internal: only a message that starts with `>`, an envelope put on a message, or the Reply
button reaches the customer. `DeskEvents.handle` may be given the same event any number of times.
"""

from __future__ import annotations

from dataclasses import replace

import structlog

from bot.desk.slack import envelope, forms, late, publicly
from bot.desk.slack import text as slack_text
from bot.desk.slack.buttons import DeskAction
from bot.desk.slack.doing import Doer
from bot.desk.slack.envelope import Json, read
from bot.desk.slack.errors import UNSEEN_ERRORS, classify, code_of
from bot.desk.slack.events import (
    Click,
    HomeOpened,
    Reaction,
    Shortcut,
    SlashCommand,
    Submission,
    ThreadChange,
    ThreadMessage,
)
from bot.desk.slack.forms import FormError
from bot.desk.slack.homepages import HomePages
from bot.desk.slack.late import LateReplies
from bot.desk.slack.modals import TEXT
from bot.desk.slack.parts import Place, SlackParts, Voice
from bot.desk.slack.prompts import GONE, MOVED
from bot.desk.slack.sent import sent_as
from bot.desk.slack.slash import Slash
from bot.desk.slack.text import Destination, Written
from bot.desk.slack.whereabouts import FAILED, Standing, act_key, sent_key, ticket_of
from bot.domain.acts import (
    Act,
    Amend,
    AskToVerify,
    Claim,
    InviteToPrivate,
    Note,
    RejectSuggestion,
    Release,
    Reopen,
    Reply,
    Resend,
    Undo,
    UnlinkCustomer,
    Wake,
)
from bot.domain.connectors import Permanent
from bot.domain.desk import Done
from bot.domain.errors import DeskError, MediaError, PublicReplyError, SettingsError
from bot.domain.messages import MessageId, message_id_of
from bot.domain.suggestions import SuggestionId
from bot.domain.tickets import Agent, TicketId, TicketView

_log = structlog.get_logger(__name__)

UNCLEAR = (
    "Not sent: only some lines of your message start with >, so it could be meant for either. To send it to the "
    "customer, put ✉️ on it, or start every line with >. It is kept as a note."
)
BROADCAST = (
    "Not sent: messages that also go to the channel stay internal. Put ✉️ on it to send it to the customer. "
    "It is kept as a note."
)
ELSEWHERE = "Not sent: this ticket has another card now, in another channel. Write below that one."
NEVER_SENT = "Not sent: edits stay internal. To send it to the customer, put ✉️ on it."
NO_LONGER = "The customer still has the earlier text: start every line with > to send them the new one."
NOT_YOURS = "Not sent: only who wrote a message, or who has the ticket, can send it to the customer."
NO_MESSAGE = "Only what a person wrote in a ticket's thread can be sent to a customer or kept."
NO_DRAFT = "This draft is not there any more."
EMPTY = "Not sent: there is no text and no file in it."

#: Acts that need nothing but the ticket.
_PLAIN: dict[DeskAction, Act] = {
    DeskAction.CLAIM: Claim(),
    DeskAction.RELEASE: Release(),
    DeskAction.WAKE: Wake(),
    DeskAction.REOPEN: Reopen(),
    DeskAction.VERIFY: AskToVerify(),
    DeskAction.UNLINK: UnlinkCustomer(),
    DeskAction.INVITE: InviteToPrivate(),
}


class DeskEvents:
    """Carries out what Slack's events ask for."""

    def __init__(self, parts: SlackParts) -> None:
        """Take what is needed to act and to answer."""
        self._parts = parts
        self._acts = parts.acts
        self._voice = Voice(parts)
        self._doer = Doer(parts)
        #: their pages
        self.home = HomePages(parts)
        self._slash = Slash(parts)
        self._late = LateReplies(parts, self._doer)

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
            case Click(action=action) if action.is_of_home:
                await self.home.pressed(event)
            case Click():
                await self._clicked(event)
            case Submission():
                await self._submitted(event)
            case Reaction():
                await self._publish(event, event.ts, is_asked=False)
            case Shortcut():
                await self._shortcut(event)
            case SlashCommand():
                await self._slash.handle(event)
            case HomeOpened():
                await self.home.show(event.user)

    # ---- buttons and modals

    async def _clicked(self, click: Click) -> None:
        if click.action.has_modal:
            # That was opened when it was pressed.
            return
        if click.action in {DeskAction.SEND_LATE, DeskAction.SEND_PUBLIC}:
            await self._publish(click, click.argument.partition(" ")[0], is_asked=True)
            return
        view = await self._acts.view(click.ticket_id)
        place = Place.of(view.ticket.desk_reference if view else None, self._parts.channel)
        agent = await self._voice.agent(click.user, place)
        if agent is None:
            return
        try:
            act = _act_of(click, view)
            await self._doer.do(click.ticket_id, agent, act, act_key(click.external_id))
        except DeskError as error:
            await self._voice.tell(click.user, place, str(error))
        if not click.channel and not click.view_id:
            await self.home.show(click.user)

    async def _submitted(self, sent: Submission) -> None:
        view = await self._acts.view(sent.ticket_id) if sent.ticket_id else None
        place = Place.of(view.ticket.desk_reference if view else None, self._parts.channel)
        unsent = sent.one(TEXT)
        agent = await self._voice.agent(sent.user, place, unsent)
        if agent is None:
            return
        key = act_key(sent.external_id)
        try:
            for number, wish in enumerate(forms.wishes(sent, self._parts.resources.now())):
                await self._doer.wish(sent.ticket_id, agent, wish, f"{key}:{number}" if number else key)
        except (DeskError, SettingsError, FormError) as error:
            await self._voice.tell(sent.user, place, str(error), unsent)

    # ---- the thread

    async def _written(self, message: ThreadMessage) -> None:
        ticket_id = await self._ticket_of(message.channel, message.thread)
        if ticket_id is None:
            await self._written_elsewhere(message)
            return
        place = Place(channel=message.channel, thread=message.thread)
        agent = await self._voice.agent(message.user, place)
        if agent is None:
            return
        written = slack_text.read(await self._plain(message.text, message.blocks))
        is_reply = written.destination is Destination.CUSTOMER
        if is_reply and late.is_late(message):
            await self._late.ask(ticket_id, agent, message, written.text)
            return
        try:
            if is_reply and not message.is_broadcast:
                await self._reply(ticket_id, agent, message, written.text)
                return
            await self._note(ticket_id, agent, message, written)
        except PublicReplyError as error:
            await self._voice.show(message.user, place, publicly.question(ticket_id, message.ts, written.text, error))
            return
        except (DeskError, MediaError) as error:
            if is_reply:
                await self._mark_failed(message.channel, message.ts)
            await self._voice.tell(message.user, place, str(error))
            return
        if is_reply or written.destination is Destination.UNCLEAR:
            await self._voice.tell(message.user, place, BROADCAST if is_reply else UNCLEAR)

    async def _written_elsewhere(self, message: ThreadMessage) -> None:
        """Tell somebody whose reply stands below a card that went to another channel that nobody gets it."""
        if slack_text.read(slack_text.plain(message.text, {}, {})).destination is not Destination.CUSTOMER:
            return
        root = await self._root(message.channel, message.thread)
        ticket_id = ticket_of(root)
        if ticket_id is not None and await self._acts.view(ticket_id) is not None:
            await self._mark_failed(message.channel, message.ts)
            await self._voice.tell(message.user, Place(channel=message.channel, thread=message.thread), ELSEWHERE)

    async def _reply(
        self, ticket_id: TicketId, agent: Agent, message: ThreadMessage, said: str, key: str | None = None
    ) -> Done:
        if not said and not message.files:
            raise DeskError(EMPTY)
        key = key or act_key(message.external_id)
        attachments = tuple([await self._parts.files.keep(file) for file in message.files])
        self._parts.whereabouts.put(message_id_of(key), message.thread, Standing(ts=message.ts))
        asked = publicly.confirmed(Reply(text=said, attachments=attachments), message)
        return await self._doer.do(ticket_id, agent, asked, key)

    async def _note(self, ticket_id: TicketId, agent: Agent, message: ThreadMessage, written: Written) -> None:
        said = "\n".join(filter(None, [written.text, *(f"[file: {file.name}]" for file in message.files)]))
        if said:
            await self._doer.do(ticket_id, agent, Note(text=said), act_key(message.external_id))

    async def _changed(self, change: ThreadChange) -> None:
        ticket_id = await self._ticket_of(change.channel, change.thread)
        view = await self._acts.view(ticket_id) if ticket_id else None
        if view is None:
            return
        place = Place(channel=change.channel, thread=change.thread)
        sent = sent_as(view, change.channel, change.ts)
        said = None if change.new_text is None else slack_text.read(await self._plain(change.new_text, change.blocks))
        is_for_customer = said is not None and said.destination is Destination.CUSTOMER
        if sent is None:
            if is_for_customer:
                await self._voice.tell(change.user, place, NEVER_SENT)
            return
        if said is not None and not is_for_customer and sent.was_reply:
            await self._voice.tell(change.user, place, NO_LONGER)
            return
        agent = await self._voice.agent(change.user, place)
        if agent is None:
            return
        try:
            act = Amend(message_id=sent.message_id, text=said.text if said else None)
            await self._doer.do(view.ticket.id, agent, act, act_key(change.external_id))
        except PublicReplyError as error:
            new = said.text if said else ""
            await self._voice.show(change.user, place, publicly.question(view.ticket.id, change.ts, new, error))
        except DeskError as error:
            await self._voice.tell(change.user, place, str(error))

    async def _shortcut(self, event: Shortcut) -> None:
        if event.action is DeskAction.SEND_THIS:
            await self._publish(event, event.ts, is_asked=True)
        elif event.action is DeskAction.KEEP_THIS:
            await self._keep(event)

    async def _keep(self, event: Shortcut) -> None:
        """Keep a message of the thread, or of anywhere that the card hangs in, as a note."""
        place = Place(channel=event.channel, thread=event.thread)
        ticket_id = await self._ticket_of(event.channel, event.thread)
        agent = await self._voice.agent(event.user, place)
        if agent is None:
            return
        said = slack_text.read(await self._plain(event.text, event.blocks)).text
        if ticket_id is None or not said:
            await self._voice.tell(event.user, place, NO_MESSAGE)
            return
        try:
            # The key of the message itself: what was kept when it was written is not kept again.
            await self._doer.do(ticket_id, agent, Note(text=said), act_key(f"message:{event.channel}:{event.ts}"))
        except DeskError as error:
            await self._voice.tell(event.user, place, str(error))

    async def _publish(self, event: Reaction | Shortcut | Click, ts: str, *, is_asked: bool) -> None:
        """Send the customer exactly the message that stands at `ts` of a ticket's thread, once."""
        channel, user = event.channel, event.user
        message = await self._fetch(channel, ts)
        ticket_id = await self._ticket_of(channel, message.thread) if message else None
        view = await self._acts.view(ticket_id) if ticket_id else None
        if message is None or view is None:
            if is_asked:
                await self._voice.tell(user, Place(channel=channel), NO_MESSAGE)
            return
        place = Place(channel=channel, thread=message.thread)
        agent = await self._voice.agent(user, place)
        if agent is None:
            return
        owner = view.ticket.agent
        if message.user != user and (owner is None or owner.id != agent.id):
            await self._voice.tell(user, place, NOT_YOURS)
            return
        if isinstance(event, Reaction) and late.is_late(event):
            said = slack_text.read(await self._plain(message.text, message.blocks)).text
            await self._late.ask_for_envelope(view.ticket.id, user, message, said)
            return
        said = slack_text.read(await self._plain(message.text, message.blocks)).text
        if isinstance(event, Click) and publicly.is_answer(event, said):
            message = replace(message, confirmed=await self._acts.exposed(view.ticket.id, said))
        try:
            await self._send(view, agent, message, act_key(event.external_id))
        except PublicReplyError as error:
            await self._voice.show(user, place, publicly.question(view.ticket.id, ts, said, error))
        except (DeskError, MediaError) as error:
            await self._mark_failed(channel, ts)
            await self._voice.tell(user, place, str(error))

    async def _send(self, view: TicketView, agent: Agent, message: ThreadMessage, key: str) -> None:
        """Send a message as it stands now; one that the customer has already is changed to that."""
        written = slack_text.read(await self._plain(message.text, message.blocks))
        sent = sent_as(view, message.channel, message.ts)
        if sent is not None:
            if sent.text != written.text:
                act = publicly.confirmed(Amend(message_id=sent.message_id, text=written.text), message)
                await self._doer.do(view.ticket.id, agent, act, key)
            return
        is_reply = written.destination is Destination.CUSTOMER
        if is_reply and not message.is_broadcast:
            done = await self._reply(view.ticket.id, agent, message, written.text)
            if done.message_id is not None:
                return
        # Under its own key it was kept as a note, before it was changed.
        key = sent_key(message.channel, message.ts, is_reply=is_reply)
        await self._reply(view.ticket.id, agent, message, written.text, key)

    async def _fetch(self, channel: str, ts: str) -> ThreadMessage | None:
        """Return a message of a thread as it stands now; none where we do not see it."""
        try:
            answer = await self._parts.client.conversations_replies(
                channel=channel, ts=ts, latest=ts, oldest=ts, inclusive=True, limit=1
            )
        except Exception as error:
            if code_of(error) not in UNSEEN_ERRORS:
                raise
            return None
        found = next((entry for entry in answer.get("messages") or () if entry.get("ts") == ts), None)
        return envelope.message(found, channel) if isinstance(found, dict) else None

    async def _root(self, channel: str, thread: str) -> dict[str, object]:
        """Return the first message of a thread; empty when it is gone."""
        try:
            answer = await self._parts.client.conversations_replies(
                channel=channel, ts=thread, limit=1, include_all_metadata=True
            )
        except Exception as error:
            if not isinstance(classify(error), Permanent):
                raise
            return {}
        return next(iter(answer.get("messages") or ()), {})

    async def _ticket_of(self, channel: str, thread: str) -> TicketId | None:
        return await self._acts.by_reference(f"{channel}:{thread}") if thread else None

    async def _plain(self, marked_up: str, blocks: object) -> str:
        names = {user: await self._parts.people.name(user) for user in slack_text.mentioned(marked_up)}
        return slack_text.plain(marked_up, names, slack_text.emoji_in(blocks))

    async def _mark_failed(self, channel: str, ts: str) -> None:
        try:
            await self._parts.client.reactions_add(channel=channel, timestamp=ts, name=FAILED)
        except Exception as error:  # noqa: BLE001 - decoration: the reason itself is told next
            _log.info("desk_mark_failed", error=code_of(error) or type(error).__name__)


def _act_of(click: Click, view: TicketView | None) -> Act:
    """Return the act behind a button that asks for nothing; raises `DeskError`."""
    if view is None:
        raise DeskError(GONE)
    if click.channel and view.ticket.desk_reference and not view.ticket.desk_reference.startswith(f"{click.channel}:"):
        raise DeskError(MOVED)
    if click.action in _PLAIN:
        return _PLAIN[click.action]
    match click.action:
        case DeskAction.UNDO:
            return Undo(key=click.argument)
        case DeskAction.RESEND:
            return Resend(message_id=MessageId(click.argument))
        case DeskAction.REJECT_SUGGESTION:
            return RejectSuggestion(suggestion=SuggestionId(click.argument))
        case DeskAction.SEND_SUGGESTION:
            offered = next((entry for entry in view.suggestions if entry.id == click.argument), None)
            if offered is not None:
                return Reply(text=offered.text, suggestion=offered.id, seen=offered.message_id)
    raise DeskError(NO_DRAFT)
