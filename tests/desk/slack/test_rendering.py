from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.desk.slack import blocks, thread
from bot.desk.slack.buttons import DeskAction
from bot.desk.slack.card import card, draft
from bot.domain.clocks import ClockKind, ClockState, TicketClock
from bot.domain.messages import Author, DeliveryState
from bot.domain.suggestions import SuggestionState
from bot.domain.tickets import EVERYBODY, Priority, TicketId, TicketState
from tests.desk.slack.renderings import all_modals, as_slack_gets_it, homes, posts
from tests.desk.slack.throwing import check_everywhere, check_line, strings
from tests.desk.slack.views import NASTY, line_of, suggestion_of, view_of
from tests.fakes.slack_rules import block_problem, nodes, tokens, visible

texts = st.one_of(st.text(max_size=300), st.lists(st.sampled_from(NASTY), min_size=1, max_size=3).map(" ".join))
#: Strings thrown at the renderers in every run; a hundred thousand by `make faults`.
STRINGS, STRINGS_EVERYWHERE = 4_000, 200


@settings(max_examples=25)
@given(texts)
def test_no_text_ever_becomes_a_mention_a_link_or_too_much(text: str) -> None:
    """Whatever people call themselves or write, Slack takes every post and makes nothing of it but text."""
    for post in posts(text):
        message = as_slack_gets_it(post)
        assert block_problem(message["blocks"]) == ""
        assert all(token.startswith("<!date^") and token.endswith(" UTC>") for token in tokens(message))
        parsed = [node["text"] for node in nodes(message["blocks"]) if node.get("type") == "mrkdwn"]
        assert not any(text in words for words in parsed if len(text) > 40)


@settings(max_examples=15)
@given(texts)
def test_modals_and_homes_fit_whatever_the_ticket_says(text: str) -> None:
    """Every view is within Slack's limits, and carries what its submission needs."""
    for view in [*all_modals(view_of(text), text), *homes(text)]:
        shown = as_slack_gets_it(view)
        assert block_problem(shown["blocks"], is_view=True) == ""
        assert all(token.startswith("<!date^") for token in tokens(shown))
        if shown["type"] == "modal":
            assert max(len(shown[part]["text"]) for part in ("title", "submit", "close") if part in shown) <= 24
            assert len(shown["private_metadata"]) < 3_000
            assert json.loads(shown["private_metadata"]).get("ticket") in {None, f"{1:032x}"}


@pytest.mark.no_cover
def test_thousands_of_strings_come_through_as_they_are() -> None:
    """Each is shown to the last sign, and none of it is read by Slack."""
    for text in strings(STRINGS, seed=1):
        check_line(text)


@pytest.mark.no_cover
def test_no_renderer_lets_slack_read_a_string() -> None:
    """Cards, threads, remarks, modals and pages alike."""
    for text in strings(STRINGS_EVERYWHERE, seed=1):
        check_everywhere(text)


@given(st.text(min_size=1, max_size=8_000))
def test_a_customers_text_is_shown_unchanged(text: str) -> None:
    """A line holds the text exactly as it was written, to the last sign."""
    entry = replace(line_of(text), attachments=(), choices=(), edited_from=None)
    shown = as_slack_gets_it(thread.line(entry, view_of("x")))
    elements = [e for e in nodes(shown["blocks"]) if e.get("type") == "rich_text_quote"]
    assert elements[0]["elements"] == [{"type": "text", "text": text}]
    assert visible(shown).endswith(text)


@given(texts)
def test_the_text_of_notifications_unescapes_to_what_was_said(text: str) -> None:
    """Escaping loses nothing and leaves nothing for Slack to parse."""
    escaped = blocks.escape(text)
    assert not set(escaped) & {"<", ">"}
    assert escaped.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") == text


@given(st.text(max_size=50), st.integers(min_value=40, max_value=60))
def test_clipping_keeps_the_beginning_and_says_how_much_is_missing(text: str, limit: int) -> None:
    """A clipped text fits, and the count of what is left out is right."""
    clipped = blocks.clip(text * 3, limit)
    assert len(clipped.encode("utf-16-le")) // 2 <= limit
    if clipped != text * 3:
        kept, _, rest = clipped.rpartition("… (")
        assert (text * 3).startswith(kept)
        assert int(rest.split()[0]) == len(text * 3) - len(kept)


@given(texts, st.integers(min_value=2, max_value=75))
def test_labels_are_one_line_that_fits(text: str, limit: int) -> None:
    """A label is never empty, never too long, and never two lines."""
    label = blocks.short(text, limit)
    assert 1 <= len(label.encode("utf-16-le")) // 2 <= limit
    assert "\n" not in label


@pytest.mark.parametrize(
    ("state", "labels"),
    [
        (TicketState.QUEUED, ["Claim", "Reply", "Suggested answer", "Resolve"]),
        (TicketState.CLAIMED, ["Reply", "Suggested answer", "Resolve"]),
        (TicketState.RESOLVED, ["Reopen"]),
        (TicketState.HANDED_BACK, ["Reopen"]),
    ],
)
def test_a_card_offers_what_can_be_done(state: TicketState, labels: list[str]) -> None:
    """The buttons follow the ticket's state, each carries the ticket, and the rest is behind one menu."""
    shown = card(view_of("x", state)).blocks
    buttons = [node for node in nodes(shown) if node.get("type") == "button"]
    assert [button["text"]["text"] for button in buttons] == labels
    assert {button["value"] for button in buttons} == {TicketId(f"{1:032x}")}
    menus = [node for node in nodes(shown) if node.get("type") == "overflow"]
    entries = [option["text"]["text"] for menu in menus for option in menu["options"]]
    asleep = "Wake up" if state is TicketState.CLAIMED else "Snooze…"
    expected = ["Note…", "Canned reply…", asleep, "Hand back to bot…", "More…"] if state.is_open else []
    assert entries == expected


def test_a_draft_is_offered_while_nobody_has_answered() -> None:
    """An answer of an agent, another message of the customer's or a verdict takes the button away."""
    view = view_of("x")
    assert draft(view) is not None
    answered = replace(view, transcript=(*view.transcript, line_of("y", author=Author.AGENT, number=50)))
    assert draft(answered) is None
    wrong = replace(view, suggestions=(suggestion_of("x", SuggestionState.WRONG),))
    assert draft(wrong) is None


def test_a_card_shows_what_is_due_and_how_urgent_it_is() -> None:
    """Clocks are moments that Slack counts itself; the reply window, what is late and what is paused are told apart."""
    due = datetime(2026, 11, 22, 15, tzinfo=UTC)
    clocks = (
        TicketClock(kind=ClockKind.FIRST_RESPONSE, state=ClockState.BROKEN, due_at=due),
        TicketClock(kind=ClockKind.REPLY_WINDOW, state=ClockState.WARNED, due_at=due + timedelta(hours=9)),
        TicketClock(kind=ClockKind.RESOLUTION, state=ClockState.PAUSED, due_at=due),
        TicketClock(kind=ClockKind.UNCLAIMED, state=ClockState.RUNNING, due_at=due),
        TicketClock(kind=ClockKind.NEXT_RESPONSE, state=ClockState.MET, due_at=due),
    )
    shown = card(replace(view_of("x"), clocks=clocks)).blocks
    parsed = [node["text"] for node in nodes(shown) if node.get("type") == "mrkdwn"]
    stamp = int(due.timestamp())
    assert parsed[1].startswith(f"💬 Reply window closes <!date^{stamp + 9 * 3600}^")
    assert parsed[2].startswith(f"❗ First answer was due <!date^{stamp}^")
    assert parsed[3] == "⏸ Solved: the customer is awaited"
    assert len(parsed) == 4
    assert "🔴 Urgent" in visible({"blocks": shown})
    assert "😠 angry, by their words" in visible({"blocks": shown})


def test_a_plain_ticket_has_a_calm_card() -> None:
    """A ticket of no team, priority, tags, clocks or mood says nothing about them."""
    view = view_of("x")
    ticket = replace(view.ticket, team=EVERYBODY, priority=Priority.NORMAL, tags=())
    shown = card(replace(view, ticket=ticket, clocks=(), suggestions=(), mood=None)).blocks
    assert [block["type"] for block in shown[:2]] == ["header", "context"]
    assert len(shown[1]["elements"]) == 1  # type: ignore[arg-type]


def test_what_came_of_a_reply_stands_under_it() -> None:
    """A line of an agent's says how far it came; while it is on its way it says nothing."""
    entry = replace(line_of("x", author=Author.AGENT), edited_from=None)
    for state, said in ((DeliveryState.READ, "👀 Read"), (DeliveryState.FAILED, "❌ Not delivered: gone")):
        detail = "gone" if state is DeliveryState.FAILED else ""
        come = replace(entry, delivery=state, delivery_detail=detail)
        shown = as_slack_gets_it(thread.line(come, view_of("x")))
        assert visible(shown).endswith(said)
    pending = as_slack_gets_it(thread.line(replace(entry, delivery=DeliveryState.PENDING), view_of("x")))
    assert [block["type"] for block in pending["blocks"]] == ["rich_text"]


def test_a_failed_reply_can_be_tried_again_from_where_it_is_told() -> None:
    """The post names the message, and the ways on; a closed ticket has none."""
    entry = line_of("x", author=Author.AGENT, number=9)
    shown = thread.failure(entry, view_of("x")).blocks
    buttons = {node["action_id"]: node["value"] for node in nodes(shown) if node.get("type") == "button"}
    assert buttons[DeskAction.RESEND] == f"{1:032x} {9:032x}"
    assert DeskAction.REPLY in buttons
    closed = thread.failure(entry, view_of("x", TicketState.RESOLVED)).blocks
    assert not [node for node in nodes(closed) if node.get("type") == "button"]
