from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.desk.slack import cards
from bot.desk.slack.cards import DeskAction, Post
from bot.domain.customers import Customer, CustomerId, CustomerRecord
from bot.domain.handoff import HandoffRequest, Reason
from bot.domain.messages import Attachment, AttachmentKind, Author, DeliveryState, MessageId, TranscriptLine
from bot.domain.tickets import Agent, AgentId, TicketId, TicketState, TicketView
from tests.desk.floor import START
from tests.desk.records import queued_view
from tests.fakes.slack_rules import block_problem, nodes, tokens, visible

NASTY = [
    "<!channel>",
    "<!subteam^S1|@leads>",
    "<@U1>",
    "<https://evil.example|bank.com>",
    "```\n*Agent:* send me your password\n```",
    "&lt;!here&gt;",
    "@channel *bold* _it_ ~s~ `code` > quote",
    ":wave: \u202e\u200b 👩‍👩‍👧‍👦",
    "x" * 8_000,
    "👋" * 8_000,
    '"\\\n' * 2_600,
]
texts = st.one_of(st.text(max_size=300), st.lists(st.sampled_from(NASTY), min_size=1, max_size=3).map(" ".join))


def view_of(text: str, state: TicketState = TicketState.QUEUED) -> TicketView:
    """Return a ticket that carries `text` wherever a customer's words can stand."""
    request = HandoffRequest(
        reason=Reason.ANGER, topic=text or "x", summary=text, tried=(text, text), order_number=text or None
    )
    customer = Customer(
        id=CustomerId("1"),
        name=text,
        email=text,
        phone=None,
        postcode=text,
        city=text,
        since=date(2020, 1, 1),
        tier=text,
    )
    record = CustomerRecord(customer=customer, orders=(), subscriptions=())
    view = queued_view(request, text, record)
    agent = None if state is TicketState.QUEUED else Agent(id=AgentId("slack:U1"), name=text or "x")
    ticket = replace(view.ticket, state=state, agent=agent, outcome=text, claimed_at=START, closed_at=START)
    said = line_of(text, at_minutes=-5)
    return replace(view, ticket=ticket, transcript=(said,) * 40, record_note=text)


def line_of(text: str, at_minutes: int = 0, author: Author = Author.CUSTOMER) -> TranscriptLine:
    """Return a line that says `text` wherever it can."""
    return TranscriptLine(
        id=MessageId("1"),
        author=author,
        author_name=text,
        text=text,
        attachments=(Attachment(kind=AttachmentKind.FILE, name=text),),
        choices=(text,),
        at=START + timedelta(minutes=at_minutes),
        delivery=DeliveryState.FAILED,
        delivery_detail=text,
        edited_from=text,
    )


def posts(text: str) -> list[Post]:
    """Return every kind of post, each full of `text`."""
    entry = line_of(text)
    return [
        *(cards.card(view_of(text, state)) for state in TicketState),
        cards.line(entry, view_of(text), remark=text),
        cards.transcript(view_of(text)),
        cards.notice(text),
        cards.failure(entry),
        cards.refusal(text or "x", unsent=text),
        cards.left_out_line(),
    ]


def as_message(post: Post) -> dict[str, object]:
    """Return a post as Slack would get it, through JSON."""
    message: dict[str, object] = json.loads(json.dumps({"text": post.text, "blocks": post.blocks}))
    return message


@given(texts)
def test_no_text_of_a_customer_ever_becomes_a_mention_a_link_or_too_much(text: str) -> None:
    """Whatever customers call themselves or write, Slack takes every post and makes nothing of it but text."""
    for post in posts(text):
        message = as_message(post)
        assert block_problem(message["blocks"]) == ""  # type: ignore[arg-type]
        assert all(token.startswith("<!date^") for token in tokens(message))
        parsed = [node["text"] for node in nodes(message["blocks"]) if node.get("type") == "mrkdwn"]
        assert not any(text in words for words in parsed if len(text) > 40)


@given(st.text(min_size=1, max_size=8_000))
def test_a_customers_text_is_shown_unchanged(text: str) -> None:
    """A line holds the text exactly as it was written, to the last sign."""
    entry = replace(line_of(text), attachments=(), choices=(), edited_from=None)
    elements = [e for e in nodes(cards.line(entry, view_of("x")).blocks) if e.get("type") == "rich_text_quote"]
    assert elements[0]["elements"] == [{"type": "text", "text": text}]
    assert visible(as_message(cards.line(entry, view_of("x")))).endswith(text)


@given(texts)
def test_the_text_of_notifications_unescapes_to_what_was_said(text: str) -> None:
    """Escaping loses nothing and leaves nothing for Slack to parse."""
    escaped = cards.escape(text)
    assert not set(escaped) & {"<", ">"}
    assert escaped.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") == text


@given(texts)
def test_modals_fit_whatever_the_ticket_says(text: str) -> None:
    """Every modal is within Slack's limits and carries what its submission needs."""
    for action in set(DeskAction) - {DeskAction.CLAIM}:
        modal = json.loads(json.dumps(cards.modal(action, view_of(text), "1700000000.000100")))
        assert block_problem(modal["blocks"]) == ""
        assert max(len(modal[part]["text"]) for part in ("title", "submit", "close")) <= 24
        assert json.loads(modal["private_metadata"])["ticket"] == f"{1:032x}"


@given(st.text(max_size=50), st.integers(min_value=40, max_value=60))
def test_clipping_keeps_the_beginning_and_says_how_much_is_missing(text: str, limit: int) -> None:
    """A clipped text fits, and the count of what is left out is right."""
    clipped = cards.clip(text * 3, limit)
    assert len(clipped.encode("utf-16-le")) // 2 <= limit
    if clipped != text * 3:
        kept, _, rest = clipped.rpartition("… (")
        assert (text * 3).startswith(kept)
        assert int(rest.split()[0]) == len(text * 3) - len(kept)


@pytest.mark.parametrize(
    ("state", "labels"),
    [
        (TicketState.QUEUED, ["Claim", "Reply", "Note", "Resolve", "Hand back to bot"]),
        (TicketState.CLAIMED, ["Reply", "Note", "Resolve", "Hand back to bot"]),
        (TicketState.RESOLVED, []),
        (TicketState.HANDED_BACK, []),
    ],
)
def test_a_card_offers_what_can_be_done(state: TicketState, labels: list[str]) -> None:
    """The buttons follow the ticket's state, and each carries the ticket."""
    buttons = [node for node in nodes(cards.card(view_of("x", state)).blocks) if node.get("type") == "button"]
    assert [button["text"]["text"] for button in buttons] == labels
    assert {button["value"] for button in buttons} <= {TicketId(f"{1:032x}")}
