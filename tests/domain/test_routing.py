from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.channels import ChannelName
from bot.domain.handoff import HandoffRequest, Reason
from bot.domain.routing import Asker, Colleague, choose, route
from bot.domain.rules import Rules, Team
from bot.domain.tickets import Agent, AgentId, Priority, TeamName

WEBCHAT = ChannelName("webchat")
RULES = Rules(
    teams=(
        Team(name=TeamName("gold"), title="Gold", tiers=frozenset({"gold"}), priority=Priority.URGENT),
        Team(name=TeamName("pt"), title="Portuguese", languages=frozenset({"pt"})),
        Team(name=TeamName("money"), title="Money", topics=frozenset({"refund", "invoice"})),
        Team(name=TeamName("tg"), title="Telegram", channels=frozenset({ChannelName("telegram")})),
        Team(name=TeamName("care"), title="Care", reasons=frozenset({Reason.ANGER})),
        Team(name=TeamName("all"), title="All"),
    )
)
NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


def _request(topic: str = "a question", reason: Reason = Reason.OTHER) -> HandoffRequest:
    return HandoffRequest(reason=reason, topic=topic, summary="")


@pytest.mark.parametrize(
    ("request_", "asker", "team"),
    [
        (_request(), Asker(channel=WEBCHAT), "all"),
        (_request("a Refund that is late"), Asker(channel=WEBCHAT), "money"),
        (_request("refunds"), Asker(channel=WEBCHAT), "all"),
        (_request("refund"), Asker(channel=WEBCHAT, language="pt_BR"), "pt"),
        (_request("refund"), Asker(channel=WEBCHAT, language="ptx"), "money"),
        (_request("refund"), Asker(channel=WEBCHAT, language="pt", tier="Gold"), "gold"),
        (_request(), Asker(channel=ChannelName("telegram")), "tg"),
        (_request(reason=Reason.ANGER), Asker(channel=WEBCHAT), "care"),
    ],
)
def test_the_first_team_that_fits_gets_the_ticket(request_: HandoffRequest, asker: Asker, team: str) -> None:
    """Teams are asked in the order of the settings; what fits none goes to the one that takes all."""
    assert route(RULES, request_, asker).team.name == team


def test_anger_is_urgent() -> None:
    """An upset customer's ticket is of high priority at least; a team's own priority may be higher."""
    assert route(RULES, _request(), Asker(channel=WEBCHAT)).priority is Priority.NORMAL
    assert route(RULES, _request(reason=Reason.ANGER), Asker(channel=WEBCHAT)).priority is Priority.HIGH
    assert route(RULES, _request(reason=Reason.ANGER), Asker(channel=WEBCHAT, tier="gold")).priority is Priority.URGENT


def _colleague(name: str, load: int = 0, since: int | None = None) -> Colleague:
    at = None if since is None else NOW - timedelta(minutes=since)
    return Colleague(agent=Agent(id=AgentId(name), name=name), load=load, capacity=2, last_assigned_at=at)


@pytest.mark.parametrize(
    ("colleagues", "preferred", "chosen"),
    [
        ((), None, None),
        ((_colleague("a", load=2),), "a", None),
        ((_colleague("a", since=5), _colleague("b", since=9)), None, "b"),
        ((_colleague("a", since=5), _colleague("b")), None, "b"),
        ((_colleague("a", load=1), _colleague("b")), None, "b"),
        ((_colleague("a", since=5), _colleague("b", since=9)), "a", "a"),
        ((_colleague("a", load=2), _colleague("b", since=9)), "a", "b"),
        ((_colleague("b"),), "a", "b"),
    ],
)
def test_tickets_go_round(colleagues: tuple[Colleague, ...], preferred: str | None, chosen: str | None) -> None:
    """Who has room and waited longest is next, but who knows the customer comes first."""
    agent = choose(colleagues, AgentId(preferred) if preferred else None)
    assert (agent.id if agent else None) == chosen
