"""Texts that came while nobody answered Twilio's call: it calls twice at most, and keeps what was texted.

https://www.twilio.com/docs/messaging/api/message-resource
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import structlog

from bot.domain.connectors import Sink
from bot.domain.errors import MalformedWebhookError
from bot.domain.messages import InboundEvent
from bot.domain.ports import Cursors
from connectors.fields import Fields
from connectors.sms.api import TwilioApi
from connectors.sms.events import CHANNEL, Inbox

log = structlog.get_logger()

LOOKS_EVERY = timedelta(minutes=1)
_LONGEST_PAUSE = timedelta(minutes=10)
#: What is listed may have come a little before what was listed earlier.
_OVERLAP = timedelta(minutes=5)
_PAGE, _PAGES_MAX = 200, 20
#: What Twilio answers itself: there is no telling whether it did, and to answer as well would be worse than not to.
_OPT_OUT = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "OPTOUT", "START", "UNSTOP", "HELP", "INFO"})


class NotNowError(Exception):
    """Twilio does not list anything now; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Missed:
    """Looks for texts that no call has brought; those that one has vanish in the inbox."""

    api: TwilioApi
    inbox: Inbox
    cursors: Cursors
    #: where the API keeps what is the account's, and the API itself
    account_url: str
    base_url: str
    now: Callable[[], datetime]

    async def look(self, sink: Sink, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Look for ever; the place reached is kept once `sink` has returned."""
        failure_count = 0
        while True:
            try:
                await self._look_once(sink)
                failure_count = 0
            except Exception as error:  # noqa: BLE001 - whoever looks must not stop looking
                failure_count += 1
                reason = str(error) if isinstance(error, NotNowError) else type(error).__name__
                log.warning("sms_not_looked_for", account=self.inbox.account, reason=reason)
            pause = min(_LONGEST_PAUSE, LOOKS_EVERY * (1 << min(failure_count, 10)))
            await sleep(pause.total_seconds())

    async def _look_once(self, sink: Sink) -> None:
        name, until = f"texts:{CHANNEL}/{self.inbox.account}", self.now()
        kept = await self.cursors.get(name)
        if kept is not None:
            events = await self._since(datetime.fromisoformat(kept) - _OVERLAP)
            if events:
                await sink(events)
        await self.cursors.set(name, until.isoformat())

    async def _since(self, moment: datetime) -> list[InboundEvent]:
        """Return what was texted since, oldest first."""
        to = {} if self.inbox.service else {"To": self.inbox.number}
        query = {"DateSent>": f"{moment:%Y-%m-%dT%H:%M:%SZ}", "PageSize": str(_PAGE), **to}
        page = await self._ask(f"{self.account_url}/Messages.json", query)
        found: list[InboundEvent] = []
        for _ in range(_PAGES_MAX):
            found += [event for each in page.objects("messages") if (event := await self._read(each, moment))]
            following = page.text("next_page_uri", "")
            if not following.startswith("/"):
                break
            page = await self._ask(f"{self.base_url}{following}", {})
        return found[::-1]

    async def _read(self, text: Fields, moment: datetime) -> InboundEvent | None:
        """Return a text as its call would have brought it; none for what is not texted to us, or is older."""
        if text.text("direction", "") != "inbound" or _sent_at(text) < moment:
            return None
        body = text.text("body", "")
        if body.strip().upper() in _OPT_OUT and self.inbox.service:
            return None
        form = {
            "From": text.text("from", ""),
            "To": text.text("to", ""),
            "MessagingServiceSid": text.text("messaging_service_sid", ""),
            "Body": body,
        }
        sid = text.text("sid")
        if text.text("num_media", "0") != "0":
            listed = await self._ask(f"{self.account_url}/Messages/{sid}/Media.json", {})
            for index, each in enumerate(listed.objects("media_list")):
                form[f"MediaUrl{index}"] = f"{self.base_url}{each.text('uri', '').removesuffix('.json')}"
                form[f"MediaContentType{index}"] = each.text("content_type", "")
        return self.inbox.message(form, sid)

    async def _ask(self, url: str, query: dict[str, str]) -> Fields:
        answer = await self.api.get(url, query or None)
        if not isinstance(answer, Fields):
            raise NotNowError(answer.reason)
        return answer


def _sent_at(text: Fields) -> datetime:
    """Return when Twilio took a text; raises `MalformedWebhookError`."""
    try:
        return parsedate_to_datetime(text.text("date_sent", "") or text.text("date_created", "")).astimezone(UTC)
    except (TypeError, ValueError):
        raise MalformedWebhookError("a text has no moment") from None
