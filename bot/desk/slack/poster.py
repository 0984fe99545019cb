"""Shows tickets in Slack: a card in the queue channel, the transcript in its thread, ✅ and ❌ on what was sent."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.desk import words
from bot.desk.slack import cards
from bot.desk.slack.cards import Post
from bot.desk.slack.errors import classify, code_of
from bot.domain.connectors import Permanent, Retry, SendResult, Sent
from bot.domain.desk import DeskActs, DeskPost, DeskPostKind
from bot.domain.messages import Attachment, Author, DeliveryState, MessageId, TranscriptLine, message_id_of
from bot.domain.ports import MediaStore
from bot.domain.tickets import TicketView

#: Marks our posts, so that one whose answer was lost can be found again.
METADATA = "tandem_post"
ARRIVED, FAILED = "white_check_mark", "x"
_ARRIVED_STATES = {DeliveryState.SENT, DeliveryState.DELIVERED, DeliveryState.READ}
_PAGES_MAX = 20
_REMEMBERED_MAX = 5_000
#: Slack's words for "it is so already", or "nobody could see it any more".
_SO_ALREADY = {"already_reacted", "no_reaction", "message_not_found", "too_many_emoji", "too_many_reactions"}


def act_key(external_id: str) -> str:
    """Return the key of the act that something in Slack causes."""
    return f"slack:{external_id}"


class Whereabouts:
    """Remembers in which post a message stands; what it has forgotten is read from the thread."""

    def __init__(self) -> None:
        """Start with nothing remembered."""
        self._timestamps: OrderedDict[MessageId, str] = OrderedDict()

    def put(self, message_id: MessageId, ts: str) -> None:
        """Remember that the message stands in the post `ts` of its ticket's thread."""
        self._timestamps[message_id] = ts
        while len(self._timestamps) > _REMEMBERED_MAX:
            self._timestamps.popitem(last=False)

    def get(self, message_id: MessageId) -> str | None:
        """Return the post, if it is remembered."""
        return self._timestamps.get(message_id)


class SlackPoster:
    """Implements `bot.domain.desk.DeskPoster`."""

    def __init__(
        self, client: AsyncWebClient, channel: str, acts: DeskActs, media: MediaStore, whereabouts: Whereabouts
    ) -> None:
        """Take the bot's client and the id of the queue channel; share `whereabouts` with `DeskEvents`."""
        self._client = client
        self._channel = channel
        self._acts = acts
        self._media = media
        self._whereabouts = whereabouts
        self._uploaded: OrderedDict[str, None] = OrderedDict()

    async def send(self, post: DeskPost, key: str) -> SendResult:
        """Show the post; see `DeskPoster.send`."""
        view = await self._acts.view(post.ticket_id)
        if view is None:
            return Permanent(reason="there is no such ticket", code="no_ticket")
        try:
            return await self._show(post, key, view)
        except Exception as error:  # noqa: BLE001 - `classify` raises again what is not Slack's
            return classify(error)

    async def find(self, post: DeskPost, key: str) -> SendResult:
        """Look whether an earlier call arrived; what is harmless to repeat is simply repeated."""
        view = await self._acts.view(post.ticket_id)
        if view is None:
            return Permanent(reason="there is no such ticket", code="no_ticket")
        reference = view.ticket.desk_reference
        if post.kind is DeskPostKind.CARD and reference is not None:
            return Retry(reason="a card is updated again")
        try:
            if post.kind is DeskPostKind.CARD:
                ts = await self._find_card(key, view.ticket.opened_at)
            else:
                ts = await self._find_in_thread(reference, key)
        except Exception as error:  # noqa: BLE001 - `classify` raises again what is not Slack's
            failed = classify(error)
            return failed if isinstance(failed, Permanent) else Retry(reason=failed.reason)
        return self._sent(ts) if ts else Retry(reason="it is not in Slack")

    async def _show(self, post: DeskPost, key: str, view: TicketView) -> SendResult:
        if post.kind is DeskPostKind.CARD:
            return await self._show_card(key, view)
        thread = _timestamp(view.ticket.desk_reference)
        if thread is None:
            return Retry(reason="the ticket's card is not posted yet")
        match post.kind:
            case DeskPostKind.TRANSCRIPT:
                return await self._post(cards.transcript(view), key, view, thread)
            case DeskPostKind.NOTICE:
                return await self._post(cards.notice(post.text), key, view, thread)
            case DeskPostKind.LINE:
                return await self._show_line(post, key, view, thread)
            case DeskPostKind.RECEIPT:
                return await self._show_receipt(post, key, view, thread)

    async def _show_card(self, key: str, view: TicketView) -> SendResult:
        card = cards.card(view)
        ts = _timestamp(view.ticket.desk_reference)
        if ts is None:
            return await self._post(card, key, view, None)
        try:
            await self._client.chat_update(
                channel=self._channel,
                ts=ts,
                text=card.text,
                blocks=card.blocks,
                metadata=_metadata(key, view, None),
                link_names=False,
                parse="none",
            )
        except Exception as error:
            if code_of(error) == "message_not_found":
                return await self._post(card, key, view, None)
            raise
        return self._sent(ts)

    async def _show_line(self, post: DeskPost, key: str, view: TicketView, thread: str) -> SendResult:
        entry = _line_of(view, post.message_id)
        if entry is None:
            return await self._post(cards.left_out_line(), key, view, thread)
        if entry.author is Author.AGENT:
            ts = await self._whereabouts_of(entry.id, thread)
            if ts is not None:
                return self._sent(ts)
        missing = [await self._upload(file, f"{key}:{n}", thread) for n, file in enumerate(entry.attachments)]
        shown = await self._post(cards.line(entry, view, "\n".join(filter(None, missing))), key, view, thread, entry.id)
        if isinstance(shown, Sent):
            self._whereabouts.put(entry.id, _timestamp(shown.external_id) or "")
        return shown

    async def _show_receipt(self, post: DeskPost, key: str, view: TicketView, thread: str) -> SendResult:
        entry = _line_of(view, post.message_id)
        if entry is None or entry.delivery in {None, DeliveryState.PENDING}:
            return self._sent(thread)
        ts = await self._whereabouts_of(entry.id, thread)
        is_arrived = entry.delivery in _ARRIVED_STATES
        if ts is not None:
            shown, hidden = (ARRIVED, FAILED) if is_arrived else (FAILED, ARRIVED)
            await self._react("reactions_add", shown, ts)
            await self._react("reactions_remove", hidden, ts)
        if is_arrived or _is_explained(entry, view):
            return self._sent(ts or thread)
        return await self._post(cards.failure(entry), key, view, thread)

    async def _react(self, method: str, name: str, ts: str) -> None:
        try:
            await getattr(self._client, method)(channel=self._channel, timestamp=ts, name=name)
        except Exception as error:
            if code_of(error) not in _SO_ALREADY:
                raise

    async def _post(
        self, post: Post, key: str, view: TicketView, thread: str | None, message_id: MessageId | None = None
    ) -> SendResult:
        answer = await self._client.chat_postMessage(
            channel=self._channel,
            thread_ts=thread,
            text=post.text,
            blocks=post.blocks,
            metadata=_metadata(key, view, message_id),
            mrkdwn=False,
            parse="none",
            link_names=False,
            unfurl_links=False,
            unfurl_media=False,
        )
        return self._sent(str(answer.get("ts")))

    async def _upload(self, file: Attachment, key: str, thread: str) -> str:
        """Put a stored file into the thread; return why not, if it cannot be. A second copy would do no harm."""
        if key in self._uploaded:
            return ""
        stored = await self._media.get(file.media_id) if file.media_id else None
        if stored is None or not stored[1]:
            return f"{words.attachment(file)} is not kept, so it cannot be shown here."
        name = file.name or f"{file.kind.value}"
        try:
            await self._client.files_upload_v2(
                content=stored[1], filename=name, channel=self._channel, thread_ts=thread
            )
        except Exception as error:
            failed = classify(error)
            if isinstance(failed, Permanent):
                return f"{words.attachment(file)} cannot be shown here: {failed.reason}."
            raise
        self._uploaded[key] = None
        while len(self._uploaded) > _REMEMBERED_MAX:
            self._uploaded.popitem(last=False)
        return ""

    async def _whereabouts_of(self, message_id: MessageId, thread: str) -> str | None:
        """Return the post in which an agent's message stands: their own one, or the line we posted for it."""
        known = self._whereabouts.get(message_id)
        if known is not None:
            return known
        async for message in self._replies(thread):
            ts = str(message.get("ts"))
            written = message_id_of(act_key(f"message:{self._channel}:{ts}"))
            if message_id in (written, _payload(message).get("message_id")):
                self._whereabouts.put(message_id, ts)
                return ts
        return None

    async def _find_in_thread(self, reference: str | None, key: str) -> str | None:
        thread = _timestamp(reference)
        if thread is None:
            return None
        async for message in self._replies(thread):
            if _payload(message).get("key") == key:
                return str(message.get("ts"))
        return None

    async def _find_card(self, key: str, opened_at: datetime) -> str | None:
        cursor: str | None = None
        for _ in range(_PAGES_MAX):
            page = await self._client.conversations_history(
                channel=self._channel,
                oldest=str(opened_at.timestamp() - 60),
                include_all_metadata=True,
                limit=200,
                cursor=cursor,
            )
            for message in page.get("messages") or ():
                if _payload(message).get("key") == key:
                    return str(message.get("ts"))
            cursor = _next(page)
            if not cursor:
                break
        return None

    async def _replies(self, thread: str) -> Any:
        """Yield the messages of a thread, oldest first."""
        cursor: str | None = None
        for _ in range(_PAGES_MAX):
            page = await self._client.conversations_replies(
                channel=self._channel, ts=thread, include_all_metadata=True, limit=200, cursor=cursor
            )
            for message in page.get("messages") or ():
                yield message
            cursor = _next(page)
            if not cursor:
                break

    def _sent(self, ts: str) -> Sent:
        return Sent(external_id=f"{self._channel}:{ts}")


def _metadata(key: str, view: TicketView, message_id: MessageId | None) -> dict[str, object]:
    payload = {"key": key, "ticket_id": view.ticket.id}
    if message_id is not None:
        payload["message_id"] = message_id
    return {"event_type": METADATA, "event_payload": payload}


def _payload(message: dict[str, Any]) -> dict[str, Any]:
    metadata = message.get("metadata") or {}
    return (metadata.get("event_payload") or {}) if metadata.get("event_type") == METADATA else {}


def _next(page: AsyncSlackResponse) -> str | None:
    return (page.get("response_metadata") or {}).get("next_cursor") or None


def _timestamp(reference: str | None) -> str | None:
    """Return the `ts` of a reference `channel:ts`."""
    return reference.rpartition(":")[2] if reference else None


def _is_explained(entry: TranscriptLine, view: TicketView) -> bool:
    """Whether the pipeline itself tells why: it does when it gave up, not when a channel reports a failure later."""
    told = [event.detail for event in view.events if event.kind == "delivery_failed"]
    return bool(entry.delivery_detail) and any(entry.delivery_detail in detail for detail in told)


def _line_of(view: TicketView, message_id: MessageId | None) -> TranscriptLine | None:
    return next((entry for entry in view.transcript if entry.id == message_id), None)
