"""The Slack desk as a whole: what comes in over HTTP or Socket Mode, what goes out, and whether it is set up right.

One path for everything Slack sends: make it durable, then acknowledge. Slack repeats what was not acknowledged.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import sanic
import structlog
from sanic.request import Request
from sanic.response import HTTPResponse
from slack_bolt.adapter.sanic.async_handler import to_async_bolt_request, to_sanic_response
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.desk.slack import cards
from bot.desk.slack.check import check
from bot.desk.slack.envelope import Click, Json, Submission, Unknown, lane_of, read, team_of
from bot.desk.slack.errors import code_of
from bot.desk.slack.files import SlackFiles
from bot.desk.slack.listeners import DeskEvents, SlackParts
from bot.desk.slack.people import People
from bot.desk.slack.poster import SlackPoster, Whereabouts
from bot.desk.slack.signature import is_slacks
from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.desk import DeskActs
from bot.domain.ports import MediaStore

_log = structlog.get_logger(__name__)

CHANNEL = ChannelName("slack")
#: Makes one event durable: (its identity, what orders it, the raw body); returns after the commit.
Persist = Callable[[str, ChannelAddress, Json], Awaitable[None]]
#: Slack sends far less; more than this is not from Slack.
BODY_MAX = 2 * 1024 * 1024
UNREADABLE = "not one of Slack's bodies"
#: A modal has to be open three seconds after the click.
MODAL_WITHIN_SECONDS = 2.5
CALL_WITHIN_SECONDS = 15


@dataclass(frozen=True, kw_only=True)
class SlackAccount:
    """How Slack knows us."""

    #: `xoxb-…`
    bot_token: str = field(repr=False)
    #: id of the queue channel, `C…` or `G…`
    channel: str
    #: for HTTP
    signing_secret: str | None = field(default=None, repr=False)
    #: `xapp-…`, for Socket Mode
    app_token: str | None = field(default=None, repr=False)
    #: id of the user group whose members alone may act, `S…`
    user_group: str | None = None
    base_url: str = "https://slack.com/api/"


class SlackDesk:
    """Everything that speaks with Slack, made from an account, the acts and a place to make events durable."""

    def __init__(self, account: SlackAccount, acts: DeskActs, media: MediaStore, persist: Persist) -> None:
        """Connect nothing yet."""
        self._account = account
        self._persist = persist
        # Retries belong to the outbox alone: the client's own would post twice when only the answer was lost.
        self._client = AsyncWebClient(
            token=account.bot_token, base_url=account.base_url, timeout=CALL_WITHIN_SECONDS, retry_handlers=[]
        )
        whereabouts = Whereabouts()
        self._events = DeskEvents(
            SlackParts(
                client=self._client,
                channel=account.channel,
                acts=acts,
                people=People(self._client, account.user_group),
                files=SlackFiles(account.bot_token, account.base_url, media),
                whereabouts=whereabouts,
            )
        )
        #: implements `DeskPoster`
        self.poster = SlackPoster(self._client, account.channel, acts, media, whereabouts)
        #: events that were acknowledged and not acted on, by kind
        self.ignored: Counter[str] = Counter()
        self._bolt = AsyncApp(
            client=self._client,
            name="tandem",
            # Bolt insists on one; requests over HTTP are verified before Bolt sees them.
            signing_secret=account.signing_secret or "none",
            request_verification_enabled=False,
            ssl_check_enabled=False,
            process_before_response=True,
            before_authorize=self._receive,
        )
        self._bolt.error(_refuse_unreadable)

    async def handle(self, raw: Json) -> None:
        """Act on one durable event; see `DeskEvents.handle`."""
        await self._events.handle(raw)

    def blueprint(self) -> sanic.Blueprint:
        """Return the route `/slack/events`, which takes events, buttons and modals, signed by Slack."""
        blueprint = sanic.Blueprint("slack")
        blueprint.add_route(self._over_http, "/slack/events", methods=["POST"], name="events")
        return blueprint

    async def run_socket_mode(self) -> None:
        """Take events over Socket Mode until cancelled; connects again by itself."""
        handler = AsyncSocketModeHandler(self._bolt, self._account.app_token, web_client=self._client)
        try:
            await handler.connect_async()  # type: ignore[no-untyped-call]
            _log.info("slack_connected")
            await asyncio.Event().wait()
        finally:
            await handler.close_async()  # type: ignore[no-untyped-call]

    async def check(self) -> str:
        """Return one line on the desk's health for `doctor`; raise `SettingsError` that says what to fix."""
        return await check(self._client, self._account.channel, self._account.app_token, self._account.user_group)

    async def _over_http(self, request: Request) -> HTTPResponse:
        if self._account.signing_secret is None:
            return sanic.text("Slack is connected over Socket Mode", status=404)
        if len(request.body) > BODY_MAX:
            return sanic.text("too large", status=413)
        if not is_slacks(self._account.signing_secret, request.headers, request.body, time.time()):
            _log.warning("slack_request_refused")
            return sanic.text("not signed by Slack, or too long ago", status=401)
        try:
            answer = await self._bolt.async_dispatch(to_async_bolt_request(request))
        except (ValueError, RecursionError, AttributeError, TypeError, LookupError):
            # Bolt takes it for granted that a body is an object, and its members too. Our errors `_receive` answers.
            return sanic.text(UNREADABLE, status=400)
        return to_sanic_response(answer)

    async def _receive(self, body: object, next: Callable[[], Awaitable[None]]) -> BoltResponse | None:  # noqa: A002
        """Make a verified body durable and acknowledge it; where that fails answer 503, so that Slack repeats it."""
        if not isinstance(body, dict):
            return BoltResponse(status=400, body="not an object")
        if body.get("type") == "url_verification":
            await next()
            return None
        try:
            return await self._keep(body)
        except Exception:  # noqa: BLE001 - whatever it is, Slack has the event and we have not
            _log.exception("slack_event_not_kept")
            return BoltResponse(status=503, body="not kept, send it again")

    async def _keep(self, body: Json) -> BoltResponse:
        event = read(body)
        if isinstance(event, Unknown):
            self.ignored[event.kind[:60]] += 1
            return BoltResponse(status=200)
        if isinstance(event, Submission) and not event.text.strip() and cards.is_text_required(event.action):
            return _rejected("Write something first.")
        address = ChannelAddress(
            channel=CHANNEL, account=AccountId(team_of(body)), external_id=lane_of(event, self._account.channel)
        )
        await self._persist(event.external_id, address, {k: v for k, v in body.items() if k != "token"})
        if isinstance(event, Click) and event.action.has_modal:
            await self._open_modal(event)
        return BoltResponse(status=200)

    async def _open_modal(self, click: Click) -> None:
        try:
            async with asyncio.timeout(MODAL_WITHIN_SECONDS):
                await self._events.open_modal(click)
        except Exception as error:  # noqa: BLE001 - acknowledged all the same: who sees no modal presses again
            _log.warning("slack_modal_failed", action=click.action.value, error=code_of(error) or type(error).__name__)


async def _refuse_unreadable(error: Exception) -> BoltResponse:
    """Answer for Bolt, which breaks on bodies that Slack would not send; our own failures never get here."""
    _log.warning("slack_body_unreadable", error=type(error).__name__)
    return BoltResponse(status=400, body=UNREADABLE)


def _rejected(reason: str) -> BoltResponse:
    """Return the answer that keeps a modal open, with the reason at its box."""
    answer = {"response_action": "errors", "errors": {cards.INPUT: reason}}
    return BoltResponse(status=200, body=answer, headers={"content-type": "application/json"})
