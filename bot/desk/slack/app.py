"""The Slack desk as a whole: what comes in over HTTP or Socket Mode, what goes out, and whether it is set up right.

One path for everything Slack sends: make it durable, then acknowledge. Slack repeats what was not acknowledged.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import aiohttp
import sanic
import structlog
from sanic.request import Request
from sanic.response import HTTPResponse
from slack_bolt.adapter.sanic.async_handler import to_async_bolt_request, to_sanic_response
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot import metrics
from bot.desk.slack.backfill import Backfill, BackfillParts, Ledger
from bot.desk.slack.channels import Channels
from bot.desk.slack.check import Checked, check, check_clock
from bot.desk.slack.envelope import FOUND_AT, Json, lane_of, read, team_of
from bot.desk.slack.errors import classify, code_of
from bot.desk.slack.events import Click, Shortcut, SlackEvent, Submission, Unknown
from bot.desk.slack.files import SlackFiles
from bot.desk.slack.freshness import FreshHomes
from bot.desk.slack.listeners import DeskEvents
from bot.desk.slack.parts import Resources, SlackParts
from bot.desk.slack.people import People
from bot.desk.slack.poster import PosterParts, SlackPoster
from bot.desk.slack.prompts import Prompts
from bot.desk.slack.signature import is_slacks, stamp_of
from bot.desk.slack.watch import CLOCK, Report, SlackWatch
from bot.desk.slack.whereabouts import Whereabouts
from bot.domain.channels import AccountId, ChannelAddress, ChannelName
from bot.domain.desk import DeskActs
from bot.domain.errors import SettingsError
from bot.domain.ports import MediaStore
from bot.domain.rules import Rules
from bot.domain.tickets import Agent, TeamName
from bot.settings import SlackSettings

_log = structlog.get_logger(__name__)

CHANNEL = ChannelName("slack")
#: Makes one event durable: (its identity, what orders it, the raw body); returns after the commit whether it is new.
Persist = Callable[[str, ChannelAddress, Json], Awaitable[bool]]
#: Slack sends far less; more than this is not from Slack.
BODY_MAX = 2 * 1024 * 1024
UNREADABLE = "not one of Slack's bodies"
#: A modal has to be open three seconds after the click.
MODAL_WITHIN_SECONDS = 2.5
CALL_WITHIN_SECONDS = 15
#: Seconds between two looks at the clock, however many requests look too old.
CLOCK_EVERY = 60.0
#: Seconds between two looks whether the socket stands.
CONNECT_EVERY = 5.0
#: Where trouble is, beside the channels.
SOCKET, EVENTS = "slack/socket", "slack/events"
NO_SOCKET = "Socket Mode is not connected: what agents do in Slack waits there, and is read once it is"
DEAF = (
    "Slack did not tell us of {count} messages in tickets' threads: look at Event Subscriptions on the app's page, as "
    "Slack turns them off after too many failures. What is written is still found every ten minutes"
)


@dataclass(frozen=True, kw_only=True)
class SlackAccount:
    """How Slack knows us."""

    #: `xoxb-…`
    bot_token: str = field(repr=False)
    #: id of the queue channel, `C…` or `G…`
    channel: str
    #: ids of the channels of teams that have one of their own
    team_channels: Mapping[TeamName, str] = field(default_factory=dict)
    #: id of the channel for what cannot be posted in its own
    fallback_channel: str | None = None
    #: for HTTP
    signing_secret: str | None = field(default=None, repr=False)
    #: `xapp-…`, for Socket Mode
    app_token: str | None = field(default=None, repr=False)
    #: ids of the user groups whose members alone may act, `S…`; none: every full member of the workspace
    user_groups: tuple[str, ...] = ()
    #: ids of the people and user groups who see what everybody has to do
    leads: tuple[str, ...] = ()
    #: ids of the people and user groups who are asked when nobody claims a ticket
    on_call: tuple[str, ...] = ()
    base_url: str = "https://slack.com/api/"

    @classmethod
    def of(cls, slack: SlackSettings, rules: Rules) -> SlackAccount | None:
        """Return the account that the settings name; none: the brand has no Slack."""
        if slack.bot_token is None or slack.channel is None:
            return None
        groups = (slack.user_group, *(team.user_group for team in rules.teams))
        return cls(
            bot_token=slack.bot_token.get_secret_value(),
            channel=slack.channel,
            team_channels={team.name: team.slack_channel for team in rules.teams if team.slack_channel},
            fallback_channel=slack.fallback_channel,
            signing_secret=slack.signing_secret.get_secret_value() if slack.signing_secret else None,
            app_token=slack.app_token.get_secret_value() if slack.app_token else None,
            user_groups=tuple(dict.fromkeys(group for group in groups if group)),
            leads=rules.leads,
            on_call=tuple(dict.fromkeys(each for team in rules.teams for each in team.on_call)),
            base_url=slack.base_url,
        )

    @property
    def channels(self) -> Channels:
        """Where tickets are shown."""
        return Channels(queue=self.channel, teams=self.team_channels, fallback=self.fallback_channel)


class SlackDesk:
    """Everything that speaks with Slack, made from an account, the acts and a place to make events durable."""

    def __init__(
        self,
        account: SlackAccount,
        acts: DeskActs,
        media: MediaStore,
        persist: Persist,
        resources: Resources = Resources(),  # noqa: B008 - frozen
    ) -> None:
        """Connect nothing yet."""
        self._account = account
        self._persist = persist
        # Retries belong to the outbox alone: the client's own would post twice when only the answer was lost.
        self._client = AsyncWebClient(
            token=account.bot_token, base_url=account.base_url, timeout=CALL_WITHIN_SECONDS, retry_handlers=[]
        )
        self._people = People(self._client, account.user_groups, leads=account.leads)
        parts = SlackParts(
            client=self._client,
            channel=account.channel,
            acts=acts,
            people=self._people,
            files=SlackFiles(account.bot_token, account.base_url, media),
            whereabouts=Whereabouts(),
            resources=resources,
        )
        self._events = DeskEvents(parts)
        self._prompts = Prompts(parts)
        #: to be touched when anything changes on the desk, and run beside it
        self.homes = FreshHomes(self._events.home, resources.now)
        #: implements `DeskPoster`
        self.poster = _poster(account, media, parts)
        self._now = resources.now
        self._backfill: Backfill | None = None
        self._report: Report = _report_to_nobody
        #: whether events are missing
        self._is_deaf = False
        self._clock_looked_at = float("-inf")
        #: events that were acknowledged and not acted on, by kind
        self.ignored: Counter[str] = Counter()
        self._bolt = self._make_bolt()

    def _make_bolt(self) -> AsyncApp:
        """Return what reads requests and answers Slack; what they ask for is ours alone to do."""
        bolt = AsyncApp(
            client=self._client,
            name="tandem",
            # Bolt insists on one; requests over HTTP are verified before Bolt sees them.
            signing_secret=self._account.signing_secret or "none",
            request_verification_enabled=False,
            ssl_check_enabled=False,
            process_before_response=True,
            before_authorize=self._receive,
        )
        bolt.error(_refuse_unreadable)
        return bolt

    async def handle(self, raw: Json) -> None:
        """Act on one durable event; see `DeskEvents.handle`."""
        await self._events.handle(raw)

    async def may_work(self, agent: Agent) -> bool:
        """Return whether an agent may still answer customers, as far as Slack knows them and can be asked."""
        surface, _, user = agent.id.partition(":")
        if surface != CHANNEL:
            return True
        try:
            return (await self._people.verdict(user)).agent is not None
        except Exception as error:  # noqa: BLE001 - `classify` raises again what is not Slack's
            classify(error)
            _log.info("slack_agent_not_known", error=code_of(error) or type(error).__name__)
            return True

    def blueprint(self) -> sanic.Blueprint:
        """Return the route `/slack/events`, which takes events, buttons and modals, signed by Slack."""
        blueprint = sanic.Blueprint("slack")
        blueprint.add_route(self._over_http, "/slack/events", methods=["POST"], name="events")
        return blueprint

    def watch(self, ledger: Ledger, report: Report) -> SlackWatch:
        """Return what looks after the connection while it runs: it reads what no event told of, and reports trouble."""
        self._report = report
        self._backfill = Backfill(
            BackfillParts(
                client=self._client,
                channels=self._account.channels,
                ledger=ledger,
                keep=self._keep_found,
                missed=self._missed,
                now=self._now,
            )
        )
        return SlackWatch(self._backfill, self.check, report)

    async def run_socket_mode(self) -> None:
        """Take events over Socket Mode until cancelled; connects again by itself, however long Slack is gone."""
        handler = AsyncSocketModeHandler(
            self._bolt, self._account.app_token, web_client=self._client, ping_interval=CONNECT_EVERY
        )
        handler.client.on_message_listeners.append(self._greeted)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow(handler))
                # Returns once it stands; from then on the client connects again by itself.
                await handler.connect_async()  # type: ignore[no-untyped-call]
        finally:
            await handler.close_async()  # type: ignore[no-untyped-call]

    async def _follow(self, handler: AsyncSocketModeHandler) -> None:
        """Report, until cancelled, whether the connection stands."""
        was_up = False
        while True:
            is_up = await handler.client.is_connected()
            if is_up != was_up:
                _log.info("slack_connected" if is_up else "slack_disconnected")
            if is_up != was_up or not is_up:
                await self._report(SOCKET, None if is_up else NO_SOCKET, False)
            was_up = is_up
            await asyncio.sleep(CONNECT_EVERY)

    async def _greeted(self, frame: aiohttp.WSMessage) -> None:
        """Ask for what was written while there was no connection, when Slack says hello on a new one."""
        if (
            self._backfill is not None
            and isinstance(frame.data, str)
            and '"type":"hello"' in frame.data.replace(" ", "")
        ):
            self._backfill.ask()

    async def check(self) -> str:
        """Return one line on the desk's health for `doctor`; raise `SettingsError` that says what to fix."""
        what = Checked(
            channels=self._account.channels,
            user_groups=self._account.user_groups,
            called=tuple(dict.fromkeys((*self._account.leads, *self._account.on_call))),
            app_token=self._account.app_token,
        )
        return await check(self._client, what)

    async def _keep_found(self, body: Json) -> bool:
        """Make durable what was found in history; return whether it is new."""
        event = read(body)
        if isinstance(event, Unknown):
            return False
        return await self._persist(event.external_id, self._address(body, event), body)

    def _address(self, body: Json, event: SlackEvent) -> ChannelAddress:
        return ChannelAddress(channel=CHANNEL, account=AccountId(team_of(body)), external_id=lane_of(event))

    async def _missed(self, count: int) -> None:
        self._is_deaf = count > 0
        await self._report(EVENTS, DEAF.format(count=count) if count else None, False)

    async def _over_http(self, request: Request) -> HTTPResponse:
        if self._account.signing_secret is None:
            return sanic.text("Slack is connected over Socket Mode", status=404)
        if len(request.body) > BODY_MAX:
            return sanic.text("too large", status=413)
        if not is_slacks(self._account.signing_secret, request.headers, request.body, time.time()):
            await self._refused(request)
            return sanic.text("not signed by Slack, or too long ago", status=401)
        try:
            answer = await self._bolt.async_dispatch(to_async_bolt_request(request))
        except (ValueError, RecursionError, AttributeError, TypeError, LookupError):
            # Bolt takes it for granted that a body is an object, and its members too. Our errors `_receive` answers.
            return sanic.text(UNREADABLE, status=400)
        return to_sanic_response(answer)

    async def _refused(self, request: Request) -> None:
        """Say so where a request is Slack's, and only our clocks differ: Slack gives up on it after six minutes."""
        stamp = stamp_of(request.headers)
        secret = str(self._account.signing_secret)
        if stamp is None or not is_slacks(secret, request.headers, request.body, stamp):
            _log.warning("slack_request_refused")
            return
        _log.error("slack_request_too_old", seconds=round(abs(time.time() - stamp)))
        # It may be an old one that somebody sends again: what Slack answers now tells the time.
        if time.monotonic() - self._clock_looked_at < CLOCK_EVERY:
            return
        self._clock_looked_at = time.monotonic()
        try:
            await check_clock(self._client)
        except SettingsError as error:
            if error.__cause__ is None:
                await self._report(CLOCK, str(error), True)

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
            metrics.RECEIVED.labels(CHANNEL, "ignored").inc()
            return BoltResponse(status=200)
        if isinstance(event, Submission) and (answer := await self._answer(event)) is not None:
            return BoltResponse(status=200, body=answer, headers={"content-type": "application/json"})
        kept = {k: v for k, v in body.items() if k not in {"token", FOUND_AT}}
        await self._persist(event.external_id, self._address(body, event), kept)
        if self._is_deaf:
            self._is_deaf = False
            await self._report(EVENTS, None, False)
        if isinstance(event, Click | Shortcut) and self._prompts.is_for(event):
            await self._open_modal(event)
        return BoltResponse(status=200)

    async def _answer(self, sent: Submission) -> Json | None:
        """Return what keeps a modal open or leads to the next one; none: it is done with, and to be acted on."""
        async with asyncio.timeout(MODAL_WITHIN_SECONDS):
            return await self._prompts.answer(sent)

    async def _open_modal(self, event: Click | Shortcut) -> None:
        try:
            async with asyncio.timeout(MODAL_WITHIN_SECONDS):
                await self._prompts.open(event)
        except Exception as error:  # noqa: BLE001 - acknowledged all the same: who sees no modal presses again
            _log.warning("slack_modal_failed", action=event.action.value, error=code_of(error) or type(error).__name__)


async def _report_to_nobody(where: str, reason: str | None, is_blocked: bool) -> None:
    pass


def _poster(account: SlackAccount, media: MediaStore, parts: SlackParts) -> SlackPoster:
    return SlackPoster(
        PosterParts(
            client=parts.client,
            channels=account.channels,
            acts=parts.acts,
            media=media,
            whereabouts=parts.whereabouts,
            now=parts.resources.now,
            title_of=lambda name: parts.resources.rules.team(name).title,
        )
    )


async def _refuse_unreadable(error: Exception) -> BoltResponse:
    """Answer for Bolt, which breaks on bodies that Slack would not send; our own failures never get here."""
    _log.warning("slack_body_unreadable", error=type(error).__name__)
    return BoltResponse(status=400, body=UNREADABLE)
