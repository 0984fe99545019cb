"""Which post of Slack's shows what: remembered, else read from Slack by the metadata that each of our posts carries."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.domain.messages import MessageId, message_id_of
from bot.domain.tickets import TicketId

#: Marks our posts, so that one whose answer was lost can be found again.
METADATA = "tandem_post"
#: Marks an agent's message that was not sent.
FAILED = "x"
_PAGES_MAX = 20
_REMEMBERED_MAX = 5_000


def act_key(external_id: str) -> str:
    """Return the key of the act that something in Slack causes."""
    return f"slack:{external_id}"


def sent_key(channel: str, ts: str, *, is_reply: bool) -> str:
    """Return the key under which what was kept as a note is sent after all: as a reply, with `>`, or as it is."""
    return act_key(f"sent:{channel}:{ts}:reply" if is_reply else f"sent:{channel}:{ts}")


def sent_keys(channel: str, ts: str) -> dict[str, bool]:
    """Return every key under which a message of a thread may have been sent, each with whether it was a reply then."""
    own = act_key(f"message:{channel}:{ts}")
    return {own: True, **{sent_key(channel, ts, is_reply=is_reply): is_reply for is_reply in (True, False)}}


def sent_at(keys: Iterable[str], channel: str) -> set[str]:
    """Return the `ts` of the messages of a channel that acts of these keys sent."""
    own = re.compile(rf"slack:(?:message|sent):{re.escape(channel)}:([0-9.]+)(?::reply)?")
    return {found[1] for found in map(own.fullmatch, keys) if found is not None}


def metadata(key: str, ticket_id: str, shown: tuple[str, ...] = (), remark: str = "") -> dict[str, object]:
    """Return what a post carries: its key, its ticket, the ids of the messages it shows, and our remark on them."""
    payload: dict[str, object] = {"key": key, "ticket_id": ticket_id}
    if shown:
        payload["message_ids"] = list(shown)
    if remark:
        payload["remark"] = remark
    return {"event_type": METADATA, "event_payload": payload}


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where a message stands."""

    #: of the post
    ts: str
    #: ids of all messages that a post of ours shows; empty: the agent wrote the post
    shown: tuple[str, ...] = ()
    #: what we said with them
    remark: str = ""


def ticket_of(message: dict[str, Any]) -> TicketId | None:
    """Return the ticket that a message of Slack's shows, if it is a post of ours that came with its metadata."""
    ticket_id = _payload(message).get("ticket_id")
    return TicketId(ticket_id) if isinstance(ticket_id, str) and ticket_id else None


class Whereabouts:
    """Remembers in which post of which thread a message stands; what it has forgotten is read from the thread."""

    def __init__(self) -> None:
        """Start with nothing remembered."""
        self._standings: OrderedDict[tuple[str, str], Standing] = OrderedDict()

    def put(self, message_id: str, thread: str, standing: Standing) -> None:
        """Remember where a message stands in a thread."""
        self._standings[message_id, thread] = standing
        while len(self._standings) > _REMEMBERED_MAX:
            self._standings.popitem(last=False)

    def get(self, message_id: str, thread: str) -> Standing | None:
        """Return where it stands, if that is remembered."""
        return self._standings.get((message_id, thread))

    def forget(self) -> None:
        """Forget everything, as a restart does."""
        self._standings.clear()


class PostFinder:
    """Looks for posts in Slack; each method raises what Slack's client raises."""

    def __init__(self, client: AsyncWebClient, remembered: Whereabouts) -> None:
        """Share what is remembered with whoever sees posts come in."""
        self._client = client
        self._remembered = remembered

    async def of_message(self, message_id: MessageId, channel: str, thread: str) -> Standing | None:
        """Return the post in which a message stands: an agent's own one, or the one we made for it."""
        known = self._remembered.get(message_id, thread)
        if known is not None:
            return known
        async for message in self._replies(channel, thread):
            ts = str(message.get("ts"))
            written = {message_id_of(name) for name in sent_keys(channel, ts)}
            carried = _payload(message)
            shown = tuple(carried.get("message_ids") or ())
            if message_id in written or message_id in shown:
                standing = Standing(ts=ts, shown=shown, remark=str(carried.get("remark") or ""))
                self._remembered.put(message_id, thread, standing)
                return standing
        return None

    async def shown_at(self, channel: str, ts: str) -> tuple[TicketId | None, frozenset[str]]:
        """Return the ticket whose messages a post of ours shows, and their ids; none for anybody else's post."""
        page = await self._client.conversations_replies(
            channel=channel, ts=ts, latest=ts, oldest=ts, inclusive=True, include_all_metadata=True, limit=1
        )
        found: dict[str, Any] = next((each for each in page.get("messages") or () if each.get("ts") == ts), {})
        return ticket_of(found), frozenset(map(str, _payload(found).get("message_ids") or ()))

    async def in_thread(self, key: str, channel: str, thread: str) -> str | None:
        """Return the post of that key in a thread."""
        async for message in self._replies(channel, thread):
            if _payload(message).get("key") == key:
                return str(message.get("ts"))
        return None

    async def in_channel(self, key: str, channel: str, since: datetime) -> str | None:
        """Return the post of that key that stands in a channel itself."""
        cursor: str | None = None
        for _ in range(_PAGES_MAX):
            page = await self._client.conversations_history(
                channel=channel, oldest=str(since.timestamp() - 60), include_all_metadata=True, limit=200, cursor=cursor
            )
            for message in page.get("messages") or ():
                if _payload(message).get("key") == key:
                    return str(message.get("ts"))
            cursor = next_cursor(page)
            if not cursor:
                break
        return None

    async def _replies(self, channel: str, thread: str) -> AsyncIterator[dict[str, Any]]:
        """Yield the messages of a thread, oldest first."""
        cursor: str | None = None
        for _ in range(_PAGES_MAX):
            page = await self._client.conversations_replies(
                channel=channel, ts=thread, include_all_metadata=True, limit=200, cursor=cursor
            )
            for message in page.get("messages") or ():
                yield message
            cursor = next_cursor(page)
            if not cursor:
                break


def next_cursor(page: AsyncSlackResponse) -> str | None:
    """Return where the next page begins, or none."""
    return (page.get("response_metadata") or {}).get("next_cursor") or None


def _payload(message: dict[str, Any]) -> dict[str, Any]:
    found = message.get("metadata") or {}
    return (found.get("event_payload") or {}) if found.get("event_type") == METADATA else {}
