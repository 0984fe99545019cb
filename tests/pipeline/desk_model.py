"""What acts do to a ticket, as a dozen plain lines; the real desk has to agree with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from bot.domain.acts import (
    UNDO_FOR,
    Act,
    Assign,
    Claim,
    HandBack,
    Note,
    Release,
    Reopen,
    Reply,
    Resolve,
    SetPriority,
    SetTags,
    Snooze,
    Transfer,
    Undo,
    Wake,
)
from bot.domain.conversations import Owner
from bot.domain.tickets import EVERYBODY, Agent, Priority, TeamName, TicketState

QUEUED, CLAIMED = TicketState.QUEUED, TicketState.CLAIMED
_OWNERS = {QUEUED: Owner.QUEUE, CLAIMED: Owner.AGENT}


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What an act can change."""

    state: TicketState = QUEUED
    agent: Agent | None = None
    team: TeamName = EVERYBODY
    priority: Priority = Priority.NORMAL
    tags: tuple[str, ...] = ()
    snoozed_until: datetime | None = None

    @property
    def owner(self) -> Owner:
        """Who answers."""
        return _OWNERS.get(self.state, Owner.BOT)


@dataclass(kw_only=True)
class Deed:
    """An act that was done."""

    agent: Agent
    before: Shape
    #: none: it cannot be undone
    until: datetime | None
    is_undone: bool = False


@dataclass
class Model:
    """A ticket, who may do what to it, and what comes of it."""

    hold_replies: timedelta
    shape: Shape = field(default_factory=Shape)
    epoch: int = 1
    deeds: dict[str, Deed] = field(default_factory=dict)
    #: key of the act that changed the ticket last
    last: str = ""

    def do(self, agent: Agent, act: Act, key: str, now: datetime) -> bool:
        """Do it; return whether it is allowed. A repeat is, and does nothing."""
        if key in self.deeds:
            return True
        before = self.shape
        if isinstance(act, Undo):
            if not self._may_undo(agent, act.key, now):
                return False
            after = before if self.deeds[act.key].is_undone else self.deeds[act.key].before
            self.deeds[act.key].is_undone = True
        else:
            is_allowed, effect = _RULES[type(act)]
            if not is_allowed(before, agent, act):
                return False
            after = effect(before, agent, act)
        is_change = after != before or isinstance(act, Reply | Snooze | Reopen | Resolve | HandBack)
        undo_for = self.hold_replies if isinstance(act, Reply) else UNDO_FOR
        is_undoable = is_change and undo_for and not isinstance(act, Note | Undo)
        self.deeds[key] = Deed(agent=agent, before=before, until=now + undo_for if is_undoable else None)
        self.last = key if is_change else self.last
        # Whoever gets it, gets it anew.
        is_given = isinstance(act, Assign) or (after.owner, after.agent) != (before.owner, before.agent)
        self.epoch += is_given
        self.shape = after
        return True

    def _may_undo(self, agent: Agent, key: str, now: datetime) -> bool:
        deed = self.deeds.get(key)
        if deed is None or deed.agent != agent:
            return False
        return deed.is_undone or (deed.until is not None and now < deed.until and self.last == key)


def _is_anybodys(now: Shape, agent: Agent) -> bool:
    return now.state is QUEUED or (now.state is CLAIMED and now.agent == agent)


def _taken(now: Shape, agent: Agent) -> Shape:
    return replace(now, state=CLAIMED, agent=agent) if now.state is QUEUED else now


def _closed(now: Shape, agent: Agent, state: TicketState) -> Shape:
    return replace(now, state=state, agent=agent, snoozed_until=None)


def _open(now: Shape, _agent: Agent, _act: Any) -> bool:
    return now.state.is_open


def _mine(now: Shape, agent: Agent, _act: Any) -> bool:
    return _is_anybodys(now, agent)


#: Of each act, when it is allowed and what it makes of the ticket.
_RULES: dict[type[Act], tuple[Callable[[Shape, Agent, Any], bool], Callable[[Shape, Agent, Any], Shape]]] = {
    Note: (lambda *_: True, lambda now, *_: now),
    SetTags: (lambda *_: True, lambda now, _, act: replace(now, tags=act.tags)),
    SetPriority: (_open, lambda now, _, act: replace(now, priority=act.priority)),
    Claim: (_mine, lambda now, agent, _: _taken(now, agent)),
    Reply: (_mine, lambda now, agent, _: _taken(now, agent)),
    Release: (
        lambda now, agent, _: _is_anybodys(now, agent) and now.state is CLAIMED,
        lambda now, *_: replace(now, state=QUEUED, agent=None),
    ),
    Assign: (
        lambda now, _, act: now.state is QUEUED or (now.state is CLAIMED and now.agent != act.agent),
        lambda now, _, act: replace(now, state=CLAIMED, agent=act.agent),
    ),
    Transfer: (
        lambda now, agent, act: _is_anybodys(now, agent) and (now.state, now.team) != (QUEUED, act.team),
        lambda now, _, act: replace(now, state=QUEUED, agent=None, team=act.team),
    ),
    Snooze: (_mine, lambda now, _, act: replace(now, snoozed_until=act.until)),
    Wake: (
        lambda now, agent, _: _is_anybodys(now, agent) and now.snoozed_until is not None,
        lambda now, *_: replace(now, snoozed_until=None),
    ),
    Resolve: (_mine, lambda now, agent, _: _closed(now, agent, TicketState.RESOLVED)),
    HandBack: (_mine, lambda now, agent, _: _closed(now, agent, TicketState.HANDED_BACK)),
    Reopen: (
        lambda now, *_: not now.state.is_open,
        lambda now, agent, _: replace(now, state=CLAIMED, agent=agent, snoozed_until=None),
    ),
}
