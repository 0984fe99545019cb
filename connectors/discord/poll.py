"""Reading what Discord's gateway brings, and after an outage what it brought to nobody."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NoReturn

import structlog

from bot.domain.connectors import Permanent, Retry, Sink
from bot.domain.errors import MalformedWebhookError
from bot.domain.messages import InboundEvent, InboundMessage, Unsupported
from bot.domain.ports import Cursors
from connectors.discord.api import DiscordApi
from connectors.discord.events import PUBLIC_CHANNEL, Batch, Mailbox
from connectors.discord.gateway import Gateway, GatewayClosedError
from connectors.fields import Fields

log = structlog.get_logger()

_LONGEST_PAUSE, _OPERATORS_PAUSE = 60.0, 300.0
#: Channels that are asked for what came while we were away: those of the last customers.
_CHANNELS_MAX = 500
#: Messages whose writers are remembered, as deletions do not name them.
_AUTHORS_MAX = 10_000
_PAGE = 100
#: Milliseconds by which the cursor may lag behind, and by which history overlaps it; what comes twice is dropped.
_LAG, _OVERLAP = 30_000, 60_000
_TIME_FROM_BIT = 22
#: What is no message: the state of the servers and of the session.
_STATE = ("GUILD_", "CHANNEL_", "THREAD_")


@dataclass(kw_only=True)
class Known:
    """What was seen before, and later dispatches do not repeat."""

    #: thread → channel
    parents: dict[str, str] = field(default_factory=dict)
    #: message → who wrote it
    authors: OrderedDict[str, str] = field(default_factory=OrderedDict)
    #: tap → what acknowledges it
    taps: OrderedDict[str, str] = field(default_factory=OrderedDict)

    def note_threads(self, data: Fields) -> None:
        """Take in where threads are: of a server, or of one of them."""
        for thread in (*data.objects("threads"), *((data,) if "parent_id" in data else ())):
            self.parents[thread.text("id")] = thread.text("parent_id", "")

    def note_message(self, message: Fields) -> None:
        """Take in who wrote a message."""
        _keep(self.authors, message.text("id"), message.object("author").text("id"))

    def note_tap(self, interaction: Fields) -> None:
        """Take in how a tap is acknowledged."""
        _keep(self.taps, interaction.text("id"), interaction.text("token"))


def _keep(kept: OrderedDict[str, str], name: str, value: str) -> None:
    kept[name] = value
    while len(kept) > _AUTHORS_MAX:
        kept.popitem(last=False)


@dataclass(kw_only=True)
class Past:
    """Up to where the messages of which channels were read, kept with `cursors` for the next start."""

    cursors: Cursors
    account: str
    #: channels, and threads as `channel/thread`, of the last customers; none: not loaded yet
    places: list[str] | None = None
    #: the newest message that `cursors` know of
    newest: int = 0

    async def load(self) -> list[str]:
        """Return the places in which customers wrote."""
        if self.places is None:
            self.places = [each for each in (await self.cursors.get(self._name("channels")) or "").split(",") if each]
            self.newest = int(await self.cursors.get(self._name("after")) or 0)
        return self.places

    async def note(self, place: str, number: int) -> None:
        """Take in that a message is durable; what is kept may lag behind by half of what is read again."""
        places = await self.load()
        if place not in places:
            places.append(place)
            del places[:-_CHANNELS_MAX]
            await self.cursors.set(self._name("channels"), ",".join(places))
        if (number >> _TIME_FROM_BIT) - (self.newest >> _TIME_FROM_BIT) > _LAG:
            self.newest = number
            await self.cursors.set(self._name("after"), str(number))

    def _name(self, what: str) -> str:
        return f"discord/{self.account}/{what}"


def _with_raw(event: InboundEvent, batch: Batch) -> InboundEvent:
    """Return an event with what it is read from once more, where nobody knows what it says."""
    return replace(event, raw=batch.dump()) if isinstance(event, Unsupported) and event.is_unread else event


#: Acknowledges a tap that is durable.
Acknowledge = Callable[[InboundMessage], Awaitable[None]]


class Reader:
    """Reads one bot's gateway into a sink; `sleep` waits out failures."""

    def __init__(self, mailbox: Mailbox, api: DiscordApi, gateway: Gateway, past: Past) -> None:
        """Connect to nothing before `poll`."""
        self._mailbox = mailbox
        self._api = api
        self._gateway = gateway
        self._past = past
        self._has_taken = False
        self.known = Known()

    async def poll(self, sink: Sink, acknowledge: Acknowledge, sleep: Callable[[float], Awaitable[None]]) -> NoReturn:
        """Give `sink` what comes, for ever; what it has not returned from comes again."""
        failure_count = 0
        while True:
            self._has_taken = False
            try:
                url = "" if self._gateway.session.id else await self._address()
                await self._gateway.run(url, partial(self._take, sink, acknowledge, sleep))
            except Exception as error:  # noqa: BLE001 - a poller that ends is a silent bot
                failure_count = 1 if self._has_taken else failure_count + 1
                await sleep(self._pause_after(error, failure_count))

    def _pause_after(self, error: Exception, failure_count: int) -> float:
        """Log why a connection ended and return for how many seconds to wait before the next."""
        pause = min(_LONGEST_PAUSE, 0.5 * (1 << min(failure_count, 10)))
        reason = "what came was not committed; it will come again"
        if isinstance(error, GatewayClosedError):
            pause, reason = max(pause, _OPERATORS_PAUSE if error.needs_operator else error.wait_for), str(error)
        account, kind = self._mailbox.account, type(error).__name__
        log.warning("discord_waits", account=account, error=kind, reason=reason, pause=pause)
        return pause

    async def _address(self) -> str:
        """Return where the gateway is, unless Discord lets no more sessions begin now."""
        answer = await self._api.ask("GET", "/gateway/bot")
        if not isinstance(answer, Fields):
            is_account = isinstance(answer, Permanent) and answer.is_account
            after = answer.after.total_seconds() if isinstance(answer, Retry) and answer.after is not None else 0.0
            raise GatewayClosedError(answer.reason, needs_operator=is_account, wait_for=after)
        limit = answer.object("session_start_limit")
        if limit.integer("remaining") <= 0:
            wait_for = limit.integer("reset_after") / 1000
            raise GatewayClosedError("Discord lets no more sessions begin today", wait_for=wait_for)
        return answer.text("url")

    async def _take(
        self,
        sink: Sink,
        acknowledge: Acknowledge,
        sleep: Callable[[float], Awaitable[None]],
        session_id: str,
        dispatch: Fields,
    ) -> None:
        """Make a dispatch durable; one that cannot be read would come again for ever, so it is logged and left."""
        kind = dispatch.text("t")
        try:
            if kind == "READY":
                await self._catch_up(sink, sleep)
            elif kind.startswith(_STATE):
                self.known.note_threads(dispatch.object("d"))
            elif kind != "RESUMED":
                await self._bring(sink, acknowledge, self._batch(session_id, dispatch))
        except MalformedWebhookError as error:
            log.warning("discord_unreadable", account=self._mailbox.account, kind=kind, reason=str(error))
        self._has_taken = True

    def _batch(self, session_id: str, dispatch: Fields) -> Batch:
        return Batch(
            session_id=session_id,
            dispatches=(dispatch,),
            parents=self.known.parents,
            authors=self.known.authors,
            digest=f"{session_id}:{dispatch.integer('s')}",
        )

    async def _bring(self, sink: Sink, acknowledge: Acknowledge, batch: Batch) -> None:
        (dispatch,) = batch.dispatches
        kind, data = dispatch.text("t"), dispatch.object("d")
        if kind == "MESSAGE_CREATE":
            self.known.note_message(data)
            if data.object("author").text("id") == self._mailbox.account:
                return
        if kind == "INTERACTION_CREATE":
            self.known.note_tap(data)
        events = [_with_raw(event, batch) for event in self._mailbox.read(batch)]
        await sink(events)
        await self._note(events)
        for event in events:
            if isinstance(event, InboundMessage) and event.choice:
                await acknowledge(event)

    async def _note(self, events: list[InboundEvent]) -> None:
        for event in events:
            if isinstance(event, InboundMessage) and event.external_id.isdigit():
                place = event.address.external_id.partition(":")[0]
                if event.address.channel == PUBLIC_CHANNEL and place not in self._mailbox.surfaces:
                    place = f"{self.known.parents.get(place, '')}/{place}"
                await self._past.note(place, int(event.external_id))

    async def _catch_up(self, sink: Sink, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Bring what was written since the last start where we know that customers write; raises `GatewayClosedError`.

        A new session says nothing of what was before it, and the HTTP API does not name a bot's direct messages.
        """
        places = await self._past.load()
        newest = self._past.newest
        if newest:
            since = max(0, newest - (_OVERLAP << _TIME_FROM_BIT))
            for place in [*self._mailbox.surfaces, *(each for each in places if each not in self._mailbox.surfaces)]:
                parent, _, channel = place.rpartition("/")
                if parent:
                    self.known.parents[channel] = parent
                await self._read_channel(sink, sleep, channel, since)

    async def _read_channel(
        self, sink: Sink, sleep: Callable[[float], Awaitable[None]], channel: str, since: int
    ) -> None:
        while True:
            answer = await self._api.ask("GET", f"/channels/{channel}/messages?after={since}&limit={_PAGE}")
            if isinstance(answer, Retry) and answer.after is not None:
                await sleep(answer.after.total_seconds())
                continue
            if isinstance(answer, Permanent):
                log.debug("discord_channel_not_read", account=self._mailbox.account, reason=answer.reason)
                return
            if not isinstance(answer, Fields):
                raise GatewayClosedError(answer.reason)
            messages = sorted(answer.objects("items"), key=lambda each: int(each.text("id")))
            batch = Batch(session_id="", dispatches=(), parents=self.known.parents)
            if events := self._mailbox.read_history(messages, batch):
                await sink(events)
                await self._note(events)
            if len(messages) < _PAGE:
                return
            since = int(messages[-1].text("id"))
