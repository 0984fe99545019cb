"""How agents call customers, and what they read of who they are."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from bot.desk import words
from bot.domain.assurance import Level
from bot.domain.conversations import ConversationId
from bot.domain.tickets import EVERYBODY, TeamName, TicketView
from tests.desk.floor import REQUEST
from tests.desk.records import dana, queued_view


def _unnamed(conversation_id: str, order_number: str | None = None) -> TicketView:
    view = queued_view(replace(REQUEST, order_number=order_number), None, None)
    return replace(view, conversation=replace(view.conversation, id=ConversationId(conversation_id)))


def test_two_customers_without_a_name_are_told_apart() -> None:
    """One is called by the order it is about, else by the beginning of the conversation's id; a name says more."""
    first, second = _unnamed(f"4f2a{0:028x}"), _unnamed(f"00b1{0:028x}")
    assert [words.customer_name(view) for view in (first, second)] == [
        "Telegram visitor · 4f2a",
        "Telegram visitor · 00b1",
    ]
    assert words.customer_name(_unnamed("4f2a", "CL-104233")) == "Telegram visitor · CL-104233"
    assert words.customer_and_channel(first) == "Telegram visitor · 4f2a"
    assert words.customer_and_channel(queued_view(REQUEST, "Dana", None)) == "Dana on Telegram"


def test_a_proof_that_does_not_hold_any_more_says_so() -> None:
    """Beside a record stands that it was proved, and when, not that nobody knows who it is."""
    view = queued_view(REQUEST, None, dana())
    assert words.identity(view) == "knows the order's details (L1)"
    lapsed = replace(view, level=Level.L0, proved_at=datetime(2026, 3, 4, 12, tzinfo=UTC))
    assert words.identity(lapsed) == "proved on 04 Mar 2026, lapsed"
    assert words.identity(replace(lapsed, proved_at=None)) == "not verified"


def test_a_team_is_called_by_its_title() -> None:
    """The settings' own name stands in only where there is no title, and nothing where there are no teams."""
    view = queued_view(REQUEST, None, None)
    assert words.team(replace(view, ticket=replace(view.ticket, team=EVERYBODY), team_title="Everybody")) == ""
    returns = replace(view, ticket=replace(view.ticket, team=TeamName("returns")))
    assert words.team(returns) == "returns"
    assert words.team(replace(returns, team_title="Returns & refunds")) == "Returns & refunds"
