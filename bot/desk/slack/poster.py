"""Shows tickets in Slack: a card in its team's channel, the transcript in its thread, ✅ and ❌ on what was sent."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from slack_sdk.web.async_client import AsyncWebClient

from bot.desk import words
from bot.desk.slack import blocks
from bot.desk.slack import thread as threads
from bot.desk.slack.blocks import Block, Post
from bot.desk.slack.card import card
from bot.desk.slack.channels import Channels
from bot.desk.slack.errors import CHANNEL_ERRORS, GONE_ERRORS, classify, classify_post, code_of
from bot.desk.slack.parts import Place
from bot.desk.slack.posts import Posts
from bot.desk.slack.receipts import Receipts
from bot.desk.slack.whereabouts import PostFinder, Standing, Whereabouts, metadata
from bot.domain.connectors import Ambiguous, Permanent, Retry, Sent
from bot.domain.desk import Blocked, DeskActs, DeskPost, DeskPostKind, Moved, PostResult
from bot.domain.messages import Attachment, Author, DeliveryState, MessageId, TranscriptLine
from bot.domain.ports import MediaStore
from bot.domain.suggestions import SuggestionState
from bot.domain.tickets import TeamName, TicketState, TicketView

_REMEMBERED_MAX = 5_000
#: A summary that may have been posted was posted within this.
_SUMMARY_WITHIN = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class PosterParts:
    """What posting takes."""

    client: AsyncWebClient
    channels: Channels
    acts: DeskActs
    media: MediaStore
    #: shared with `DeskEvents`, which sees what agents write
    whereabouts: Whereabouts
    #: told when a channel cannot be posted to: its id, and why in plain words
    blocked: Callable[[str, str], None] = lambda _channel, _reason: None
    #: what people call a team
    title_of: Callable[[TeamName], str] = str
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


class SlackPoster:
    """Implements `bot.domain.desk.DeskPoster`."""

    def __init__(self, parts: PosterParts) -> None:
        """Take what posting takes."""
        self._parts = parts
        self._client = parts.client
        self._posts = Posts(parts.client)
        self._finder = PostFinder(parts.client, parts.whereabouts)
        self._receipts = Receipts(self._posts, self._finder)
        self._uploaded: OrderedDict[str, None] = OrderedDict()
        #: of each channel the newest summary: its `ts`, and when it was first posted
        self._summaries: dict[str, tuple[str, datetime]] = {}

    async def send(self, post: DeskPost, key: str) -> PostResult:
        """Show the post; see `DeskPoster.send`."""
        try:
            if post.kind is DeskPostKind.SUMMARY:
                return await self._show_summary(post, key)
            view = await self._parts.acts.view(post.ticket_id)
            if view is None:
                return Permanent(reason="there is no such ticket", code="no_ticket")
            return await self._show(post, key, view)
        except Exception as error:  # noqa: BLE001 - `classify` raises again what is not Slack's
            return classify_post(error)

    async def find(self, post: DeskPost, key: str) -> PostResult:
        """Look whether an earlier call arrived; `Ambiguous` when Slack cannot be asked."""
        try:
            return await self._find(post, key)
        except Exception as error:  # noqa: BLE001 - `classify` raises again what is not Slack's
            failed = classify_post(error)
            if isinstance(failed, Permanent):
                # With the thread, what was posted to it is gone.
                return Retry(reason=failed.reason) if failed.code in GONE_ERRORS else failed
            if isinstance(failed, Retry) and failed.after is None:
                return Ambiguous(reason=failed.reason)
            return failed

    async def _find(self, post: DeskPost, key: str) -> PostResult:
        if post.kind is DeskPostKind.SUMMARY:
            since = self._parts.now() - _SUMMARY_WITHIN
            return _found(post.channel, await self._finder.in_channel(key, post.channel, since))
        view = await self._parts.acts.view(post.ticket_id)
        if view is None:
            return Permanent(reason="there is no such ticket", code="no_ticket")
        place = _place(view)
        if post.kind is not DeskPostKind.CARD:
            if place is None:
                return Retry(reason="it has no thread")
            return _found(place.channel, await self._finder.in_thread(key, place.channel, place.thread))
        if place is not None and place.channel in self._homes(view):
            return Retry(reason="a card is updated again")
        return await self._find_card(key, view) or Retry(reason="it is not in Slack")

    async def _find_card(self, key: str, view: TicketView) -> Sent | None:
        for channel in self._homes(view):
            ts = await self._finder.in_channel(key, channel, view.ticket.opened_at)
            if ts is not None:
                return _sent(channel, ts)
        return None

    def _homes(self, view: TicketView) -> tuple[str, ...]:
        """Return where a ticket's card may stand, best first."""
        home, fallback = self._parts.channels.of(view.ticket.team), self._parts.channels.fallback
        return (home,) if fallback in {None, home} else (home, str(fallback))

    async def _show(self, post: DeskPost, key: str, view: TicketView) -> PostResult:
        if post.kind is DeskPostKind.CARD:
            return await self._show_card(key, view)
        if post.kind is DeskPostKind.MOVED:
            return await self._say_moved(post, key, view)
        place = _place(view)
        if place is None:
            return await self._move(key, view)
        try:
            return await self._show_below(post, key, view, place)
        except Exception as error:
            code = code_of(error)
            if code in CHANNEL_ERRORS:
                self._say_blocked(place.channel, error)
            is_elsewhere = code in CHANNEL_ERRORS and place.channel != self._homes(view)[-1]
            if code in GONE_ERRORS or is_elsewhere:
                return await self._move(key, view)
            raise

    async def _show_below(self, post: DeskPost, key: str, view: TicketView, place: Place) -> PostResult:
        """Show something in the ticket's thread."""
        shown: Post
        match post.kind:
            case DeskPostKind.LINE:
                return await self._show_lines(post, key, view, place)
            case DeskPostKind.RECEIPT:
                return await self._show_receipt(post, key, view, place)
            case DeskPostKind.SUGGESTION:
                return await self._show_suggestion(post, key, view, place)
            case DeskPostKind.TRANSCRIPT:
                shown = threads.transcript(view)
            case _:
                shown = _noticed(post, view)
        ts = await self._posts.make(shown, place.channel, metadata(key, view.ticket.id), place.thread)
        return _sent(place.channel, ts)

    async def _move(self, key: str, view: TicketView) -> PostResult:
        """Post the ticket's card anew, because its thread is gone or was never there."""
        card_key = f"{key}:card"
        found = await self._find_card(card_key, view)
        return Moved(desk_reference=(found or await self._post_card(card_key, view)).external_id)

    async def _show_card(self, key: str, view: TicketView) -> PostResult:
        place = _place(view)
        if place is None:
            return await self._post_card(key, view)
        if place.channel not in self._homes(view):
            return await self._post_card(key, view)
        try:
            await self._posts.update(place, card(view), metadata(key, view.ticket.id))
        except Exception as error:
            code = code_of(error)
            if code in CHANNEL_ERRORS and place.channel != self._homes(view)[-1]:
                self._say_blocked(place.channel, error)
                return await self._post_card(key, view)
            if code in GONE_ERRORS:
                return await self._post_card(key, view)
            raise
        return _sent(place.channel, place.thread)

    async def _post_card(self, key: str, view: TicketView) -> Sent:
        """Post a card in the ticket's channel, or in the fallback where nothing can be posted there."""
        *before, last = self._homes(view)
        shown, marks = card(view), metadata(key, view.ticket.id)
        for channel in before:
            try:
                return _sent(channel, await self._posts.make(shown, channel, marks))
            except Exception as error:
                if code_of(error) not in CHANNEL_ERRORS:
                    raise
                self._say_blocked(channel, error)
        return _sent(last, await self._posts.make(shown, last, marks))

    async def _say_moved(self, post: DeskPost, key: str, view: TicketView) -> PostResult:
        """Leave word on the card of a ticket that went to another team."""
        team = self._parts.title_of(view.ticket.team)
        left = threads.notice(
            f"#{view.ticket.number} went to {team}. It is worked on there; nothing here is read any more."
        )
        old = Place(channel=post.channel, thread=post.text.rpartition(":")[2])
        try:
            await self._posts.update(old, left, metadata(key, view.ticket.id))
        except Exception as error:
            if not isinstance(classify(error), Permanent):
                raise
        return Sent(external_id=post.text)

    async def _show_lines(self, post: DeskPost, key: str, view: TicketView, place: Place) -> PostResult:
        """Show the lines of a post; what an agent wrote in this very thread stands there already."""
        wanted = [_line_of(view, message_id) for message_id in (post.message_id, *post.more)]
        entries = [entry for entry in wanted if entry is not None]
        if len(wanted) == 1 and entries and entries[0].author is Author.AGENT:
            known = await self._finder.of_message(entries[0].id, place.channel, place.thread)
            if known is not None:
                return _sent(place.channel, known.ts)
        files = [
            (entry, f"{key}:{entry.id}:{n}", file) for entry in entries for n, file in enumerate(entry.attachments)
        ]
        remarks = [await self._upload(file, name, place) for _, name, file in files]
        remark = "\n".join(filter(None, remarks))
        shown = tuple(entry.id for entry in entries)
        marks = metadata(key, view.ticket.id, shown, remark)
        made = _calling(threads.said(entries, view, remark), _awaited(entries, view))
        ts = await self._posts.make(made, place.channel, marks, place.thread)
        for message_id in shown:
            self._parts.whereabouts.put(message_id, place.thread, Standing(ts=ts, shown=shown, remark=remark))
        return _sent(place.channel, ts)

    async def _show_receipt(self, post: DeskPost, key: str, view: TicketView, place: Place) -> PostResult:
        entry = _line_of(view, post.message_id)
        ts = place.thread if entry is None else await self._receipts.show(entry, view, place, key)
        return _sent(place.channel, ts)

    async def _show_summary(self, post: DeskPost, key: str) -> PostResult:
        """Show what waits, in place of what was shown of the same storm."""
        shown, marks = threads.notice(post.text), metadata(key, "")
        last = self._summaries.get(post.channel)
        if last is not None and self._parts.now() - last[1] < _SUMMARY_WITHIN:
            try:
                await self._posts.update(Place(channel=post.channel, thread=last[0]), shown, marks)
            except Exception as error:
                if code_of(error) not in GONE_ERRORS:
                    raise
            else:
                return _sent(post.channel, last[0])
        ts = await self._posts.make(shown, post.channel, marks)
        self._summaries[post.channel] = (ts, self._parts.now())
        return _sent(post.channel, ts)

    async def _show_suggestion(self, post: DeskPost, key: str, view: TicketView, place: Place) -> PostResult:
        """Show a draft of the bot, or what became of it where it stands."""
        offered = next((draft for draft in view.suggestions if draft.message_id == post.message_id), None)
        if offered is None:
            return _sent(place.channel, place.thread)
        shown = threads.suggestion(offered, view)
        marks = metadata(key, view.ticket.id, (offered.id,))
        known = None
        if offered.state is not SuggestionState.OFFERED:
            # One that nobody has decided on is posted for the first time: no thread has to be read for it.
            known = await self._finder.of_message(MessageId(offered.id), place.channel, place.thread)
        if known is not None:
            await self._posts.update(Place(channel=place.channel, thread=known.ts), shown, marks)
            return _sent(place.channel, known.ts)
        ts = await self._posts.make(shown, place.channel, marks, place.thread)
        self._parts.whereabouts.put(offered.id, place.thread, Standing(ts=ts, shown=(offered.id,)))
        return _sent(place.channel, ts)

    async def _upload(self, file: Attachment, key: str, place: Place) -> str:
        """Put a stored file into the thread; return why not, if it cannot be. A second copy would do no harm."""
        if key in self._uploaded:
            return ""
        stored = await self._parts.media.get(file.media_id) if file.media_id else None
        if stored is None or not stored[1]:
            return f"{words.attachment(file)} is not kept, so it cannot be shown here."
        name = file.name or f"{file.kind.value}"
        try:
            await self._client.files_upload_v2(
                content=stored[1], filename=name, channel=place.channel, thread_ts=place.thread
            )
        except Exception as error:
            failed = classify_post(error)
            if isinstance(failed, Permanent | Blocked):
                return f"{words.attachment(file)} cannot be shown here: {failed.reason}."
            raise
        self._uploaded[key] = None
        while len(self._uploaded) > _REMEMBERED_MAX:
            self._uploaded.popitem(last=False)
        return ""

    def _say_blocked(self, channel: str, error: Exception) -> None:
        failed = classify_post(error)
        if isinstance(failed, Blocked):
            self._parts.blocked(channel, failed.reason)


def _noticed(post: DeskPost, view: TicketView) -> Post:
    """Return a remark of ours, with what can be done about a reply that did not arrive, and whom it calls."""
    shown, entry = threads.notice(post.text), _line_of(view, post.message_id)
    made = list(shown.blocks)
    if entry is not None and entry.author is Author.AGENT and entry.delivery is DeliveryState.FAILED:
        made += threads.again(entry, view)
    return _calling(replace(shown, blocks=made), post.mentions)


def _calling(post: Post, mentions: tuple[str, ...]) -> Post:
    """Return the post with a line that calls people and groups, by Slack's ids."""
    called: list[Block] = [
        {"type": "usergroup", "usergroup_id": each} if each.startswith("S") else {"type": "user", "user_id": each}
        for each in mentions
    ]
    return replace(post, blocks=[*post.blocks, blocks.rich(blocks.section(*called))]) if called else post


def _awaited(entries: Sequence[TranscriptLine], view: TicketView) -> tuple[str, ...]:
    """Return who is called by the customer's newest line: who has the ticket. What is told again calls nobody."""
    ticket, said = view.ticket, [entry for entry in view.transcript if entry.author is Author.CUSTOMER]
    is_news = bool(said) and any(entry.id == said[-1].id for entry in entries)
    return ticket.agent.mentions if is_news and ticket.agent and ticket.state is TicketState.CLAIMED else ()


def _place(view: TicketView) -> Place | None:
    """Return where the ticket's card stands, by its reference `channel:ts`."""
    reference = view.ticket.desk_reference
    if not reference:
        return None
    channel, _, ts = reference.rpartition(":")
    return Place(channel=channel, thread=ts)


def _sent(channel: str, ts: str) -> Sent:
    return Sent(external_id=f"{channel}:{ts}")


def _found(channel: str, ts: str | None) -> Sent | Retry:
    return _sent(channel, ts) if ts else Retry(reason="it is not in Slack")


def _line_of(view: TicketView, message_id: MessageId | None) -> TranscriptLine | None:
    return next((entry for entry in view.transcript if entry.id == message_id), None)
