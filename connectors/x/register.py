"""X's webhook and what X tells us by it: set up, looked after, and caught up with after an outage.

https://docs.x.com/x-api/webhooks/quickstart
https://docs.x.com/x-api/activity/quickstart
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from bot.domain.channels import AccountId
from bot.domain.connectors import Ambiguous, Permanent, Retry
from bot.domain.errors import MalformedWebhookError, SettingsError
from bot.domain.ports import Cursors
from connectors.fields import Fields
from connectors.insisting import insist
from connectors.x.api import Failure, XApi
from connectors.x.events import CHANNEL, OPTIONAL_EVENTS

log = structlog.get_logger()

#: Between two looks at whether X still calls us.
LOOKS_EVERY = timedelta(minutes=5)
#: An outage shorter than this is none: X has lost nothing that it will not send again by itself.
_NO_OUTAGE = timedelta(minutes=10)
#: What X brings again reaches back so far at most.
_REPLAYED = timedelta(days=1)
_PAGES_MAX = 5


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What X is to tell us, and where."""

    account: AccountId
    webhook_url: str
    events: tuple[str, ...]
    #: of OAuth 2.0, for X that takes no signature when it is asked for private events
    user_token: str = field(default="", repr=False)


class Registration:
    """One account's webhook and subscriptions, as X has them."""

    def __init__(self, wanted: Wanted, api: XApi, cursors: Cursors, now: Callable[[], datetime]) -> None:
        """Ask and tell X through `api`; until when X is known to have called us is kept beside the cursors."""
        self._wanted = wanted
        self._api = api
        self._cursors = cursors
        self._now = now

    async def register(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Make X call us, waiting out outages, and bring again what it could not deliver; raises `SettingsError`."""
        await insist(CHANNEL, self._register, sleep)

    async def keep(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        """See for ever that X still calls us: it stops after failures, and does not begin again by itself."""
        while True:
            await sleep(LOOKS_EVERY.total_seconds())
            try:
                failure = await self._register()
            except Exception as error:  # noqa: BLE001 - whoever looks must not stop looking
                log.warning("x_not_looked_after", account=self._wanted.account, error=type(error).__name__)
                continue
            if failure is not None:
                log.warning("x_not_looked_after", account=self._wanted.account, reason=failure.reason)

    async def _register(self) -> Failure | None:
        try:
            webhook = await self._webhook()
            if not isinstance(webhook, Fields):
                return webhook
            webhook_id = webhook.text("id")
            was_off = not webhook.flag("valid")
            return await self._subscribe(webhook_id) or await self._catch_up(webhook_id, was_off=was_off)
        except MalformedWebhookError:
            return Ambiguous(reason="X's answer cannot be read")

    async def _webhook(self) -> Fields | Failure:
        """Return our webhook, made or mended if need be."""
        found = await self._find_webhook()
        if found is None:
            made = await self._api.as_app("POST", "2/webhooks", {"url": self._wanted.webhook_url})
            return made.object("data") if isinstance(made, Fields) and "data" in made else made
        if not isinstance(found, Fields) or found.flag("valid"):
            return found
        log.warning("x_webhook_was_off", account=self._wanted.account)
        mended = await self._api.as_app("PUT", f"2/webhooks/{found.text('id')}")
        return found if isinstance(mended, Fields) else mended

    async def _find_webhook(self) -> Fields | Failure | None:
        answer = await self._api.as_app("GET", "2/webhooks")
        if not isinstance(answer, Fields):
            return answer
        mine = [each for each in answer.objects("data") if each.text("url", "") == self._wanted.webhook_url]
        return mine[0] if mine else None

    async def _subscribe(self, webhook_id: str) -> Failure | None:
        known = await self._subscriptions()
        if not isinstance(known, dict):
            return known
        for event in self._wanted.events:
            mine = known.get(event)
            if mine is not None and mine.text("webhook_id", "") == webhook_id:
                continue
            if mine is not None:
                path = f"2/activity/subscriptions/{mine.text('subscription_id')}"
                answer = await self._api.as_app("PUT", path, {"webhook_id": webhook_id, "tag": "tandem"})
            else:
                body = {"event_type": event, "filter": {"user_id": self._wanted.account}, "tag": "tandem"}
                token = self._wanted.user_token
                path = "2/activity/subscriptions"
                answer = await self._api.post(path, body | {"webhook_id": webhook_id}, user_token=token)
            if isinstance(answer, Permanent) and event in OPTIONAL_EVENTS:
                log.info("x_does_not_tell", account=self._wanted.account, event_type=event, reason=answer.reason)
                continue
            if isinstance(answer, Permanent):
                return self._explained(answer, event)
            if not isinstance(answer, Fields):
                return answer
        return None

    def _explained(self, refusal: Permanent, event: str) -> Permanent:
        """Return why X does not tell us of something, with what to do: not documented is which proofs it takes."""
        if self._wanted.user_token:
            return Permanent(reason=f"X does not tell us of {event}: {refusal.reason}", is_account=True)
        return Permanent(
            reason=f"X does not tell us of {event}: {refusal.reason}. If it asks for OAuth 2.0, set x.user_token for "
            "one start, as docs/connect-x.md says",
            is_account=True,
        )

    async def _subscriptions(self) -> dict[str, Fields] | Failure:
        """Return what X tells of our account, by event."""
        found: dict[str, Fields] = {}
        path, token = "2/activity/subscriptions", ""
        for _ in range(_PAGES_MAX):
            answer = await self._api.as_app("GET", f"{path}?pagination_token={token}" if token else path)
            if not isinstance(answer, Fields):
                return answer
            for each in answer.objects("data"):
                whom = each.object("filter") if "filter" in each else Fields({})
                if whom.text("user_id", "") == self._wanted.account:
                    found[each.text("event_type", "")] = each
            token = answer.object("meta").text("next_token", "") if "meta" in answer else ""
            if not token.isalnum():
                break
        return found

    async def _catch_up(self, webhook_id: str, *, was_off: bool) -> Failure | None:
        """Ask for what X could not deliver, and note that it can from now on."""
        name, now = f"heard:{CHANNEL}/{self._wanted.account}", self._now()
        kept = await self._cursors.get(name)
        heard_at = datetime.fromisoformat(kept) if kept else now
        if kept and (was_off or now - heard_at > _NO_OUTAGE):
            since = max(heard_at - _NO_OUTAGE, now - _REPLAYED)
            body = {"webhook_id": webhook_id, "from_date": f"{since:%Y%m%d%H%M}", "to_date": f"{now:%Y%m%d%H%M}"}
            answer = await self._api.as_app("POST", "2/webhooks/replay", body)
            if isinstance(answer, Retry | Ambiguous):
                return answer
            if isinstance(answer, Permanent):
                log.warning("x_not_replayed", account=self._wanted.account, since=str(since), reason=answer.reason)
            else:
                log.info("x_replayed", account=self._wanted.account, since=str(since))
        await self._cursors.set(name, now.isoformat())
        return None

    async def check(self) -> str:
        """Return in words whether X calls us; raises `SettingsError` that says what to fix."""
        found = known(await self._find_webhook())
        if found is None:
            raise SettingsError("X has no webhook of ours: start Tandem, which makes it")
        if not found.flag("valid"):
            raise SettingsError("X has switched the webhook off after too many failures: start Tandem, which mends it")
        subscriptions = await self._subscriptions()
        if not isinstance(subscriptions, dict):
            raise SettingsError(f"X does not say what it tells us of: {subscriptions.reason}")
        missing = [event for event in self._wanted.events if event not in subscriptions]
        if not OPTIONAL_EVENTS.issuperset(missing):
            raise SettingsError(f"X does not tell us of {', '.join(missing)}: start Tandem, which asks it to")
        without = f", without {', '.join(missing)}" if missing else ""
        return f"webhook {self._wanted.webhook_url}{without}"


def known(answer: Fields | Failure | None) -> Fields | None:
    """Return an answer; raises `SettingsError` where there is none."""
    if answer is None or isinstance(answer, Fields):
        return answer
    if isinstance(answer, Retry | Ambiguous):
        raise SettingsError(f"X does not answer: {answer.reason}; check the network")
    raise SettingsError(answer.reason)
