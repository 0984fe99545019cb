"""Reading a mailbox for ever: from where reading ended last, and no further than what is durable."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import structlog
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

from bot.domain.connectors import Sink
from bot.domain.errors import MalformedWebhookError
from bot.domain.messages import InboundEvent, Unsupported
from bot.domain.ports import Cursors
from connectors.email.events import Ourselves, Placed, read_placed
from connectors.email.imap import Folder, Mailbox, Session, Slip, is_refusal, plain_words
from connectors.email.login import Server, TokenError
from connectors.fields import Fields, load

log = structlog.get_logger()

#: Mails of one batch, and bytes of it above which no more are added.
_BATCH_MAX, _BATCH_BYTES = 20, 20_000_000
#: Without IDLE, and with a second folder to look at, how often that is done; and the longest wait for news.
_LOOKS_EVERY, _IDLES_FOR = timedelta(seconds=20), timedelta(minutes=4)
#: After all UIDs were given anew: as far before the last mail that we read is read again. Repeats vanish in the inbox.
_OVERLAP = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Cursor:
    """Up to where a folder was read."""

    validity: int
    uid: int
    #: when the newest mail came that was read
    at: datetime
    #: what came before is not read, whatever its UID; none: all is
    floor: datetime | None = None

    def __str__(self) -> str:
        """Return the form that is kept."""
        floor = self.floor.isoformat() if self.floor else ""
        return json.dumps({"validity": self.validity, "uid": self.uid, "at": self.at.isoformat(), "floor": floor})

    @classmethod
    def parse(cls, text: str) -> Cursor | None:
        """Return what `str` made; none for anything else."""
        try:
            told = Fields(load(text.encode()))
            floor = told.text("floor", "")
            return cls(
                validity=told.integer("validity"),
                uid=told.integer("uid"),
                at=datetime.fromisoformat(told.text("at")),
                floor=datetime.fromisoformat(floor) if floor else None,
            )
        except (MalformedWebhookError, ValueError):
            return None


@dataclass(frozen=True, kw_only=True)
class Place:
    """A folder to read."""

    name: str
    is_sent: bool
    #: put to mails once they are durable; empty: none
    flag: str = ""


@dataclass(frozen=True, kw_only=True)
class PollParts:
    """What reading needs."""

    mailbox: Mailbox
    server: Server
    us: Ourselves
    #: the inbox last, as news of it are waited for
    places: tuple[Place, ...]
    cursors: Cursors
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    looks_every: timedelta = _LOOKS_EVERY


class Reader:
    """Reads the folders of one account."""

    def __init__(self, parts: PollParts) -> None:
        self._parts = parts

    async def poll(self, sink: Sink) -> None:
        """Give mails to `sink`, for ever; failures are waited out."""
        failure_count = 0
        while True:
            try:
                async with self._parts.mailbox.session() as session:
                    while True:
                        await self._look(session, sink)
                        failure_count = 0
                        await self._wait(session)
            except Exception as error:  # noqa: BLE001 - a reader that ends is a silent mailbox
                failure_count += 1
                await self._parts.sleep(self._pause_after(error, failure_count))

    def _pause_after(self, error: Exception, failure_count: int) -> float:
        is_refused = is_refusal(error) or (isinstance(error, TokenError) and error.is_refused)
        pause = 300.0 if is_refused else min(60.0, 0.5 * (1 << min(failure_count, 10)))
        reason = plain_words(error, self._parts.server)
        log.warning(
            "email_waits", account=self._parts.us.account, error=type(error).__name__, reason=reason, pause=pause
        )
        return pause

    async def _wait(self, session: Session) -> None:
        """Return when the inbox may have news, or it is time to look at the other folders."""
        if await session.can_idle():
            await session.idle(_IDLES_FOR if len(self._parts.places) == 1 else self._parts.looks_every)
        else:
            await self._parts.sleep(self._parts.looks_every.total_seconds())

    async def _look(self, session: Session, sink: Sink) -> None:
        for place in self._parts.places:
            folder = await session.select(place.name, is_flagging=bool(place.flag))
            cursor = await self._begin(place, folder)
            # Servers compare days alone, in a zone of their own.
            since = (cursor.floor - timedelta(days=1)).date() if cursor.floor else None
            while uids := await session.uids_after(cursor.uid, since):
                cursor = await self._take(session, place, cursor, uids[:_BATCH_MAX], sink)

    async def _begin(self, place: Place, folder: Folder) -> Cursor:
        """Return from where to read: at first from now on, as older mails were for people to answer."""
        name = self._cursor_name(place)
        kept = Cursor.parse(await self._parts.cursors.get(name) or "")
        if kept is not None and kept.validity == folder.validity:
            return kept
        now = datetime.now(UTC)
        begun = Cursor(validity=folder.validity, uid=folder.uid_next - 1, at=now)
        if kept is not None:
            log.warning("email_folder_renumbered", account=self._parts.us.account, folder=place.name)
            begun = replace(begun, uid=0, at=kept.at, floor=max(kept.at - _OVERLAP, kept.floor or kept.at - _OVERLAP))
        await self._parts.cursors.set(name, str(begun))
        return begun

    def _cursor_name(self, place: Place) -> str:
        return f"email/{self._parts.us.account}/{place.name}"

    async def _take(self, session: Session, place: Place, cursor: Cursor, uids: Sequence[int], sink: Sink) -> Cursor:
        """Make some mails durable and return up to where has been read; raises what the server or `sink` raises."""
        slips = await session.slips(uids)
        batch = _first_of(slips)
        last = batch[-1].uid if len(batch) < len(slips) else uids[-1]
        wanted = [each.uid for each in batch if cursor.floor is None or each.at >= cursor.floor]
        mails = await self._fetch(session, wanted)
        events = await session.run(self._read, place, cursor.validity, mails)
        if events:
            await sink(events)
        newest = max((each.at for each in batch), default=cursor.at)
        cursor = replace(cursor, uid=last, at=max(cursor.at, min(newest, datetime.now(UTC))))
        await self._parts.cursors.set(self._cursor_name(place), str(cursor))
        if place.flag and mails:
            await session.flag(sorted(mails), place.flag)
        return cursor

    async def _fetch(self, session: Session, uids: list[int]) -> dict[int, bytes | None]:
        """Return mails by UID; none for one that the server cannot hand out, which must not hold up the rest."""
        try:
            return dict(await session.mails(uids)) if uids else {}
        except IMAPClientAbortError:
            raise
        except IMAPClientError:
            if len(uids) > 1:
                return {uid: mail for each in uids for uid, mail in (await self._fetch(session, [each])).items()}
            log.error("email_unreadable", account=self._parts.us.account, uid=uids[0])
            return {uids[0]: None}

    def _read(self, place: Place, validity: int, mails: dict[int, bytes | None]) -> list[InboundEvent]:
        events: list[InboundEvent] = []
        for uid, raw in sorted(mails.items()):
            if raw is None:
                events.append(Unsupported(external_id=f"unreadable:{validity}:{uid}", kind="unreadable"))
            else:
                placed = Placed(is_sent=place.is_sent, validity=validity, uid=uid, raw=raw)
                events.append(read_placed(placed, self._parts.us))
        return events


def _first_of(slips: list[Slip]) -> list[Slip]:
    """Return as many of the mails as make one batch: at least one."""
    size = 0
    batch: list[Slip] = []
    for each in slips:
        size += each.size
        if batch and size > _BATCH_BYTES:
            break
        batch.append(each)
    return batch
