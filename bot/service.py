"""The composition root: builds everything from the settings, starts what a role needs, and stops it again."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import shutil
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from enum import Flag, auto
from pathlib import Path
from typing import Any

import structlog
from sanic import Blueprint
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from actions.server import ActionServer, build_actions
from bot import metrics
from bot.clock import SystemClock
from bot.connecting import SITE, bringing, connectors_of
from bot.desk.local.hub import DeskHub
from bot.desk.local.routes import LocalDeskParts, local_desk_blueprint
from bot.desk.local.sessions import desk_link
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
from bot.pipeline.background import Background, cancel, run_all
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
from bot.store import inbox, restoring
from bot.store.alone import alone
from bot.store.brand import Brand, keep_dated
from bot.store.conversations import StoredAssurances
from bot.store.cursors import StoredCursors
from bot.store.database import Database
from bot.store.feeds import StoredFeed
from bot.store.hints import Hint, Hints
from bot.store.listening import Hearer, listen
from bot.store.macros import StoredMacros
from bot.store.media import StoredMedia
from bot.store.reading import StoredReading
from bot.store.sample_shop.cast import cast
from bot.store.shared_clock import SharedClock
from bot.store.signals import About
from bot.web.files import FilesParts, files_blueprint
from bot.web.internal import InternalParts, internal_app
from bot.web.public import PublicParts, public_app
from bot.web.serving import INTERNAL_GRACE, bind, inherited, serve
from bot.web.site.pages import SiteParts, site_blueprint
from bot.web.streams import FeedHub
from bot.web.webchat import WebChatParts, webchat_blueprint
from bot.web.webhooks import WebhookParts, webhooks_blueprint
from connectors.setup import Facilities
from connectors.webchat.connector import VisitorKeys, WebChatConnector

log = structlog.get_logger()


class Role(Flag):
    """What a process does."""

    #: takes webhooks and serves pages
    WEB = auto()
    #: works on the boxes, runs the engine and polls channels
    WORKER = auto()


class Service:
    """One process of Tandem, built and not yet started."""

    def __init__(self, settings: Settings, role: Role, database: Database, brand: Brand) -> None:
        """Build every part; nothing is connected or listened to yet. Raises `SettingsError`."""
        clock = SharedClock(database, SystemClock())
        self.settings = settings
        self.role = role
        self.database = database
        self.brand = brand
        self.clock = clock
        self.hints = Hints()
        self.background = Background()
        self.engine = HttpEngine(settings.engine.timeout)
        self._secret = service_secret(settings.service.secret, settings.service.state_dir)
        public_url = settings.service.public_url
        self.file_links = FileLinks.of(public_url, self._secret) if public_url else None
        self._actions_token = secrets.token_urlsafe(32)
        self.hub = FeedHub()
        self.feed = StoredFeed(database, clock, wake=self.hub.wake, typing=self.hub.typing)
        self.media = StoredMedia(database, clock, settings.service.state_dir / "media")
        self.receiver = Receiver(database, clock, self.hints.inbox)
        self.webchat = WebChatConnector(
            account=SITE,
            keys=VisitorKeys(secret=self._secret.encode()),
            feed=self.feed,
            clock=clock,
            page=settings.chat_page,
        )
        facilities = Facilities(
            public_url=settings.service.public_url, media=self.media, cursors=StoredCursors(database)
        )
        self.connectors = ConnectorRegistry(connectors=connectors_of(settings, self.webchat, facilities))
        rules = settings.rules(self.connectors.reply_windows())
        self.rules = with_public(rules, settings, self.connectors)
        slack = settings.slack
        self.desk_address = DeskAddress(name="slack", channel=slack.channel) if slack.bot_token else None
        parts = DeskParts(
            database=database,
            clock=clock,
            directory=brand.directory,
            desk=self.desk_address,
            rules=self.rules,
            hold_replies=timedelta(seconds=settings.desk.hold_replies),
            may_work=self._may_work,
            changed=self._acted,
        )
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
            actions_token=self._actions_token,
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
                changed=self._changed,
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
                changed=self._changed,
            )
        )

    async def _may_work(self, agent: Agent) -> bool:
        return self.slack is None or await self.slack.may_work(agent)

    def _acted(self) -> None:
        self.hints.inbox.give()
        self.hints.outbox.give()
        self._changed()

    def _changed(self) -> None:
        self.desk_hub.wake()
        if self.slack is not None:
            self.slack.homes.touch()

    def _called(self) -> ConnectorRegistry:
        """Return the connectors that channels call; the web chat has routes and limits of its own."""
        called = (connector for connector in self.connectors.connectors if connector is not self.webchat)
        return ConnectorRegistry(connectors=tuple(called))

    def blueprints(self) -> tuple[Blueprint, ...]:
        """Return the routes of the public port."""
        made = [
            webhooks_blueprint(WebhookParts(connectors=self._called(), receive=self.receiver.receive)),
            local_desk_blueprint(
                LocalDeskParts(
                    acts=self.acts,
                    media=self.media,
                    hub=self.desk_hub,
                    secret=self._secret,
                    brand=self.settings.brand.name,
                    is_secure=self.settings.service.home.startswith("https:"),
                    teams=self.rules.teams,
                    shifts=self.shifts,
                    find_troubles=self.troubles.alarming,
                )
            ),
        ]
        if self.file_links is not None:
            made.append(files_blueprint(FilesParts(links=self.file_links, media=self.media, now=self.clock.now)))
        if self.settings.brand.has_sample_site and self.brand.sample_shop is not None:
            parts = SiteParts(
                directory=self.brand.directory, cast=cast, clock=self.clock, brand=self.settings.brand.name
            )
            made.append(site_blueprint(parts))
        if self.settings.webchat.is_enabled:
            made.append(
                webchat_blueprint(
                    WebChatParts(
                        connector=self.webchat,
                        receive=self.receiver.receive,
                        feed=self.feed,
                        hub=self.hub,
                        media=self.media,
                        allowed_origins=frozenset(self.settings.webchat.allowed_origins),
                        trusted_proxies=self.settings.service.trusted_proxies,
                    )
                )
            )
        if self.slack is not None:
            made.append(self.slack.blueprint())
        return tuple(made)

    def desk_link(self) -> str:
        """Return a new one-time link to the local desk."""
        return desk_link(self._secret, self.settings.service.home)

    async def find_unready(self) -> dict[str, str]:
        """Return what is missing before this process can do its work; empty when nothing is."""
        missing = {}
        try:
            await self.database.read(_touch)
        except SQLAlchemyError as error:
            missing["database"] = type(error).__name__
        if Role.WORKER in self.role and not self.engine.is_ready:
            missing["engine"] = self.engine.breaker.reason
        metrics.ENGINE_READY.set(self.engine.is_ready)
        return missing

    async def find_warnings(self) -> dict[str, str]:
        """Return what somebody should look at, by where it is: the desk, and accounts on channels."""
        restored = await restoring.find_warnings(self.database)
        away = self.breakers.alarming()
        return {**await self.troubles.alarming(), **away, **self.accounts.alarming(), **restored}

    @asynccontextmanager
    async def serving(self, model: Path | None) -> AsyncIterator[asyncio.Task[None]]:
        """Listen, work and poll while the context lasts; the task ends early, with its error, if a part breaks.

        Raises `SettingsError` when a port is taken.
        """
        service = self.settings.service
        async with AsyncExitStack() as stack:
            internal = bind(service.internal_host, service.internal_port, "service.internal_port")
            if Role.WEB in self.role:
                public = inherited(os.environ) or bind(service.host, service.port, "service.port")
                app = public_app(PublicParts(blueprints=self.blueprints(), find_unready=self.find_unready))
                await stack.enter_async_context(serve(app, public))
            parts = InternalParts(
                run_action=self.actions.run,
                actions_token=self._actions_token,
                find_unready=self.find_unready,
                find_warnings=self.find_warnings,
                breakers=self.breakers.states,
            )
            await stack.enter_async_context(serve(internal_app(parts), internal, INTERNAL_GRACE))
            stack.push_async_callback(self.close)
            stack.push_async_callback(self.background.stop)
            await self.clock.set()
            await self.receiver.forgotten.load(self.database)
            running = asyncio.create_task(run_all(self._works(model)))
            stack.push_async_callback(cancel, running)
            yield running

    async def close(self) -> None:
        """Let go of the channels' connections."""
        for connector in self.connectors.connectors:
            if isinstance(connector, Closing):
                await connector.close()

    def _works(self, model: Path | None) -> list[Coroutine[Any, Any, None]]:
        works = [listen(self.database, self._hearers()), self.clock.run()]
        if Role.WORKER not in self.role:
            return works
        works.append(self.worker.run())
        if model is not None:
            works.append(self.engine_process.run(model))
        if self.brand.sample_shop is not None:
            works.append(keep_dated(self.brand.sample_shop, self.clock))
        works += bringing(self.connectors, self.database, self.receiver)
        if self.slack is not None:
            works.append(self.slack.homes.run())
        if self.slack is not None and self.settings.slack.app_token is not None:
            works.append(self.slack.run_socket_mode())
        if self.slack_watch is not None:
            works.append(alone(self.database, "watch slack", self.slack_watch.run))
        return works

    def _hearers(self) -> dict[About, Hearer]:
        """Return who hears of what other processes commit; agents see the messages of both boxes on the desk."""

        def hear(hint: Hint) -> None:
            hint.give()
            self._changed()

        return {
            About.INBOX: lambda _: hear(self.hints.inbox),
            About.OUTBOX: lambda _: hear(self.hints.outbox),
            About.FEED: self.hub.wake,
        }


def _touch(connection: Connection) -> None:
    connection.execute(text("SELECT 1"))
