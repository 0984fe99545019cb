"""Every part of one process, built from the settings; nothing is connected or listened to yet."""

from __future__ import annotations

import asyncio
import random
import secrets
import shutil
from datetime import timedelta
from enum import Flag, auto

import structlog

from actions.server import ActionServer, build_actions
from bot import metrics
from bot.clock import SystemClock
from bot.connecting import SITE, connectors_of
from bot.desk.local.hub import DeskHub
from bot.desk.slack.app import SlackAccount, SlackDesk
from bot.desk.slack.parts import Resources
from bot.dialogue.client import HttpEngine
from bot.dialogue.process import EngineOptions, EngineProcess
from bot.domain.connectors import Closing, ConnectorRegistry
from bot.domain.file_links import FileLinks
from bot.domain.tickets import Agent
from bot.instance import service_secret
from bot.opening import own_macros
from bot.pipeline.accounts import Accounts
from bot.pipeline.alarms import DeskWatch, Troubles
from bot.pipeline.background import Background
from bot.pipeline.breakers import Breakers
from bot.pipeline.converse import ConverseParts, Conversing
from bot.pipeline.deliver import Delivering, DeliverParts
from bot.pipeline.desk.acts import Desk, DeskParts
from bot.pipeline.desk.shifts import Shifts
from bot.pipeline.outgoing import DeskAddress
from bot.pipeline.receive import Receiver
from bot.pipeline.worker import Worker
from bot.pipeline.worker_parts import WorkerParts
from bot.public_texts import with_public
from bot.settings import Settings
from bot.store import inbox
from bot.store.brand import Brand
from bot.store.conversations import StoredAssurances
from bot.store.cursors import StoredCursors
from bot.store.database import Database
from bot.store.feeds import StoredFeed
from bot.store.hints import Hints
from bot.store.macros import StoredMacros
from bot.store.media import StoredMedia
from bot.store.reading import StoredReading
from bot.store.shared_clock import SharedClock
from bot.web.streams import FeedHub
from connectors.setup import Facilities
from connectors.webchat.connector import VisitorKeys, WebChatConnector

log = structlog.get_logger()


class Role(Flag):
    """What a process does."""

    #: takes webhooks and serves pages
    WEB = auto()
    #: works on the boxes, runs the engine and polls channels
    WORKER = auto()


class Parts:
    """What one process of Tandem is made of."""

    def __init__(self, settings: Settings, role: Role, database: Database, brand: Brand) -> None:
        """Build every part, those first that others are built on. Raises `SettingsError`."""
        clock = SharedClock(database, SystemClock())
        self.settings = settings
        self.role = role
        self.database = database
        self.brand = brand
        self.clock = clock
        self.hints = Hints()
        self.background = Background()
        self.engine = HttpEngine(settings.engine.timeout)
        self.secret = service_secret(settings.service.secret, settings.service.state_dir)
        public_url = settings.service.public_url
        self.file_links = FileLinks.of(public_url, self.secret) if public_url else None
        self.actions_token = secrets.token_urlsafe(32)
        self.hub = FeedHub()
        self.feed = StoredFeed(database, clock, wake=self.hub.wake, typing=self.hub.typing)
        self.media = StoredMedia(database, clock, settings.service.state_dir / "media")
        self.receiver = Receiver(database, clock, self.hints.inbox)
        self.webchat = self._webchat()
        self.connectors = self._connectors()
        rules = settings.rules(self.connectors.reply_windows())
        self.rules = with_public(rules, settings, self.connectors)
        slack = settings.slack
        self.desk_address = DeskAddress(name="slack", channel=slack.channel) if slack.bot_token else None
        parts = self._desk_parts()
        self.acts = Desk(parts)
        self.shifts = Shifts(parts, self.acts)
        self.reading = StoredReading(database, clock, self.hints.inbox, self.receiver.forgotten)
        self.troubles = Troubles(database, clock)
        self.accounts = Accounts()
        self.breakers = self._breakers()
        self.slack = self._slack()
        self.slack_watch = self.slack.watch(self.reading, self.troubles.report) if self.slack else None
        self.desk_hub = DeskHub()
        self.actions = ActionServer(build_actions(brand.directory, StoredAssurances(database), clock))
        self.worker = self._worker()
        self.engine_process = self._engine_process()
        metrics.DISK_FREE.set_function(lambda: shutil.disk_usage(settings.service.state_dir).free)

    def changed(self) -> None:
        """Tell those who look at the desk that it shows something else now."""
        self.desk_hub.wake()
        if self.slack is not None:
            self.slack.homes.touch()

    async def close(self) -> None:
        """Let go of the channels' connections."""
        for connector in self.connectors.connectors:
            if isinstance(connector, Closing):
                await connector.close()

    def _webchat(self) -> WebChatConnector:
        return WebChatConnector(
            account=SITE,
            keys=VisitorKeys(secret=self.secret.encode()),
            feed=self.feed,
            clock=self.clock,
            page=self.settings.chat_page,
        )

    def _connectors(self) -> ConnectorRegistry:
        cursors = StoredCursors(self.database)
        facilities = Facilities(public_url=self.settings.service.public_url, media=self.media, cursors=cursors)
        return ConnectorRegistry(connectors=connectors_of(self.settings, self.webchat, facilities))

    def _desk_parts(self) -> DeskParts:
        return DeskParts(
            database=self.database,
            clock=self.clock,
            directory=self.brand.directory,
            desk=self.desk_address,
            rules=self.rules,
            hold_replies=timedelta(seconds=self.settings.desk.hold_replies),
            may_work=self._may_work,
            changed=self._acted,
        )

    def _breakers(self) -> Breakers:
        breakers = Breakers()
        breakers.adopt("database", self.database.guard.breaker)
        breakers.adopt("records", self.brand.directory.breaker)
        if Role.WORKER in self.role:
            breakers.adopt("engine", self.engine.breaker, mended=lambda: self.background.start(self._hasten()))
        return breakers

    def _slack(self) -> SlackDesk | None:
        account = SlackAccount.of(self.settings.slack, self.rules)
        if account is None:
            return None
        resources = Resources(
            connectors=self.connectors,
            rules=self.rules,
            macros=StoredMacros(self.database, self.clock, own_macros(self.settings)),
            shifts=self.shifts,
            brand=self.settings.brand.name,
            now=self.clock.now,
        )
        return SlackDesk(account, self.acts, self.media, self.reading.keep, resources)

    def _desk_watch(self) -> DeskWatch:
        def alarmed() -> None:
            # Logs are read by more people than may answer customers: no link stands in them.
            log.warning("local_desk_takes_over", enter_by="python -m bot desk-link")

        def mended() -> None:
            if self.slack_watch is not None:
                self.slack_watch.mended()

        return DeskWatch(self.database, alarmed=alarmed, mended=mended)

    def _engine_process(self) -> EngineProcess:
        options = EngineOptions(
            run_dir=self.settings.service.state_dir / "run",
            actions_url=f"http://127.0.0.1:{self.settings.service.internal_port}/actions",
            actions_token=self.actions_token,
        )
        return EngineProcess(options, self.engine, metrics.ENGINE_RESTARTS.inc)

    async def _hasten(self) -> None:
        """Try what had to wait for an engine: by its own timetable it would wait up to half a minute more."""
        await self.database.write(inbox.hasten, self.clock.now())
        self.hints.inbox.give()

    def _wake_in(self, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self.hints.inbox.give)

    def _conversing(self, dice: random.Random) -> Conversing:
        debounce = self.settings.service.debounce
        return Conversing(
            ConverseParts(
                database=self.database,
                clock=self.clock,
                engine=self.engine,
                directory=self.brand.directory,
                media=self.media,
                connectors=self.connectors,
                background=self.background,
                desk=self.desk_address,
                rules=self.rules,
                dice=dice,
                debounce=None if debounce is None else timedelta(seconds=debounce),
                wake_in=self._wake_in,
            )
        )

    def _delivering(self, dice: random.Random) -> Delivering:
        return Delivering(
            DeliverParts(
                database=self.database,
                clock=self.clock,
                connectors=self.connectors,
                commands=self.brand.commands,
                poster=self.slack.poster if self.slack else None,
                desk=self.desk_address,
                rules=self.rules,
                dice=dice,
                resending=self.settings.resending,
                accounts=self.accounts,
                breakers=self.breakers,
                file_links=self.file_links,
                changed=self.changed,
            )
        )

    def _worker(self) -> Worker:
        dice = random.Random()  # noqa: S311 - spreads retries, keeps no secret
        return Worker(
            WorkerParts(
                database=self.database,
                clock=self.clock,
                hints=self.hints,
                conversing=self._conversing(dice),
                delivering=self._delivering(dice),
                desk_events=self.slack.handle if self.slack else None,
                desk=self.desk_address,
                rules=self.rules,
                dice=dice,
                concurrency=self.settings.service.concurrency,
                watch=self._desk_watch(),
                may_work=self._may_work,
                has_engine=lambda: self.engine.is_ready,
                breakers=self.breakers,
                rush=self.receiver.rush,
                changed=self.changed,
            )
        )

    async def _may_work(self, agent: Agent) -> bool:
        return self.slack is None or await self.slack.may_work(agent)

    def _acted(self) -> None:
        self.hints.inbox.give()
        self.hints.outbox.give()
        self.changed()
