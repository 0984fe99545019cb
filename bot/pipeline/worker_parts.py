"""What a worker works with."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bot.domain.ports import Clock
from bot.domain.rules import Rules
from bot.domain.shifts import MayWork, anybody
from bot.pipeline.alarms import DeskWatch
from bot.pipeline.breakers import Breakers
from bot.pipeline.converse import Conversing
from bot.pipeline.deliver import Delivering
from bot.pipeline.outgoing import DeskAddress, Writer
from bot.pipeline.rush import Rush
from bot.store.database import Database
from bot.store.hints import Hints

#: Does what an agent did on the desk, given the desk's own event.
DeskHandler = Callable[[dict[str, object]], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class WorkerParts:
    """What a worker needs."""

    database: Database
    clock: Clock
    hints: Hints
    conversing: Conversing
    delivering: Delivering
    #: none: no desk speaks to us by events
    desk_events: DeskHandler | None
    desk: DeskAddress | None
    dice: random.Random
    #: rows of each box that are worked on at once
    concurrency: int
    #: how tickets are worked
    rules: Rules = field(default_factory=Rules)
    #: none: nobody is told how the desk is
    watch: DeskWatch | None = None
    #: whether an agent whom a ticket could be given to still works here
    may_work: MayWork = anybody
    #: whether this worker's engine answers now
    has_engine: Callable[[], bool] = lambda: True
    #: what is sent to an account that none of them comes through to is left alone
    breakers: Breakers = field(default_factory=Breakers)
    #: what is being taken in goes before new turns
    rush: Rush = field(default_factory=Rush)
    #: called after each commit that changed what agents see
    changed: Callable[[], None] = lambda: None

    def writer(self) -> Writer:
        """Return who writes now."""
        return Writer(now=self.clock.now(), desk=self.desk, rules=self.rules)
