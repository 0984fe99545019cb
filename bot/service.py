"""The composition root: starts what the role of a process needs of its parts, and stops it again."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from bot import metrics
from bot.connecting import bringing
from bot.desk.local.sessions import desk_link
from bot.parts import Parts, Role
from bot.pipeline.background import cancel, run_all
from bot.public_port import blueprints
from bot.store import restoring
from bot.store.alone import alone
from bot.store.brand import keep_dated
from bot.store.hints import Hint
from bot.store.listening import Hearer, listen
from bot.store.signals import About
from bot.web.internal import InternalParts, internal_app
from bot.web.public import PublicParts, public_app
from bot.web.serving import INTERNAL_GRACE, bind, inherited, serve


class Service:
    """One process of Tandem."""

    def __init__(self, parts: Parts) -> None:
        """Run `parts`, as soon as `serving` is entered."""
        self.parts = parts

    def desk_link(self) -> str:
        """Return a new one-time link to the local desk."""
        return desk_link(self.parts.secret, self.parts.settings.service.home)

    async def find_unready(self) -> dict[str, str]:
        """Return what is missing before this process can do its work; empty when nothing is."""
        missing = {}
        try:
            await self.parts.database.read(_touch)
        except SQLAlchemyError as error:
            missing["database"] = type(error).__name__
        engine = self.parts.engine
        if Role.WORKER in self.parts.role and not engine.is_ready:
            missing["engine"] = engine.breaker.reason
        metrics.ENGINE_READY.set(engine.is_ready)
        return missing

    async def find_warnings(self) -> dict[str, str]:
        """Return what somebody should look at, by where it is: the desk, and accounts on channels."""
        parts = self.parts
        restored = await restoring.find_warnings(parts.database)
        away = parts.breakers.alarming()
        return {**await parts.troubles.alarming(), **away, **parts.accounts.alarming(), **restored}

    @asynccontextmanager
    async def serving(self, model: Path | None) -> AsyncIterator[asyncio.Task[None]]:
        """Listen, work and poll while the context lasts; the task ends early, with its error, if a part breaks.

        Raises `SettingsError` when a port is taken.
        """
        parts = self.parts
        service = parts.settings.service
        async with AsyncExitStack() as stack:
            internal = bind(service.internal_host, service.internal_port, "service.internal_port")
            if Role.WEB in parts.role:
                public = inherited(os.environ) or bind(service.host, service.port, "service.port")
                app = public_app(PublicParts(blueprints=blueprints(parts), find_unready=self.find_unready))
                await stack.enter_async_context(serve(app, public))
            await stack.enter_async_context(serve(internal_app(self._internal()), internal, INTERNAL_GRACE))
            stack.push_async_callback(parts.close)
            stack.push_async_callback(parts.background.stop)
            await parts.clock.set()
            await parts.receiver.forgotten.load(parts.database)
            running = asyncio.create_task(run_all(self._works(model)))
            stack.push_async_callback(cancel, running)
            yield running

    def _internal(self) -> InternalParts:
        return InternalParts(
            run_action=self.parts.actions.run,
            actions_token=self.parts.actions_token,
            find_unready=self.find_unready,
            find_warnings=self.find_warnings,
            breakers=self.parts.breakers.states,
        )

    def _works(self, model: Path | None) -> list[Coroutine[Any, Any, None]]:
        parts = self.parts
        works = [listen(parts.database, self._hearers()), parts.clock.run()]
        if Role.WORKER not in parts.role:
            return works
        works.append(parts.worker.run())
        if model is not None:
            works.append(parts.engine_process.run(model))
        if parts.brand.sample_shop is not None:
            works.append(keep_dated(parts.brand.sample_shop, parts.clock))
        works += bringing(parts.connectors, parts.database, parts.receiver)
        if parts.slack is not None:
            works.append(parts.slack.homes.run())
        if parts.slack is not None and parts.settings.slack.app_token is not None:
            works.append(parts.slack.run_socket_mode())
        if parts.slack_watch is not None:
            works.append(alone(parts.database, "watch slack", parts.slack_watch.run))
        return works

    def _hearers(self) -> dict[About, Hearer]:
        """Return who hears of what other processes commit; agents see the messages of both boxes on the desk."""
        hints = self.parts.hints

        def hear(hint: Hint) -> None:
            hint.give()
            self.parts.changed()

        return {
            About.INBOX: lambda _: hear(hints.inbox),
            About.OUTBOX: lambda _: hear(hints.outbox),
            About.FEED: self.parts.hub.wake,
        }


def _touch(connection: Connection) -> None:
    connection.execute(text("SELECT 1"))
