"""Strings that customers could write, thrown at everything that is rendered for Slack."""

from __future__ import annotations

import random
from dataclasses import replace

from bot.desk.slack import thread
from bot.desk.slack.blocks import Block, Post
from bot.desk.slack.card import card
from tests.desk.slack.renderings import all_modals, as_slack_gets_it, homes, posts
from tests.desk.slack.views import line_of, view_of
from tests.fakes.slack_rules import Json, block_problem, nodes, tokens

#: What strings are made of that mean something to Slack, beside letters of many scripts.
PIECES = (
    *("<", ">", "&", "|", "!", "@", "#", "^", "*", "_", "~", "`", "```", "\n", " ", "channel", "here", "everyone"),
    *(
        "<!",
        "<@U1>",
        "<#C1>",
        "https://",
        "evil.example",
        "&lt;",
        "&gt;",
        "&amp;",
        ":wave:",
        "mailto:",
        "\u202e",
        "\u200b",
    ),
    *(
        "a",
        "B",
        "7",
        "ß",
        "é",
        "中",
        "ع",
        "🙂",
        "👩‍👧",
        "\u0301",
        "\t",
        "\x00",
        "\\",
        '"',
        "{",
        "}",
        "subteam^S1",
        "date^1^{ago}",
    ),
)
#: Where a renderer shows many of a kind, so many of them.
_FEW = 2


def strings(count: int, seed: int) -> list[str]:
    """Return so many strings that customers could write, the same ones for the same seed."""
    dice = random.Random(seed)
    return ["".join(dice.choices(PIECES, k=dice.randrange(1, 24))) for _ in range(count)]


def check_line(text: str) -> None:
    """Render a string as a name, a topic, a line and a remark, and look at what comes of each."""
    view = view_of("x", lines=1)
    request = view.ticket.request
    entry = replace(line_of(text), attachments=(), choices=(), edited_from=None)
    shown = replace(
        view,
        ticket=replace(view.ticket, request=replace(request, topic=text, summary=text)),
        transcript=(entry,),
        record=None,
        conversation=replace(view.conversation, display_name=text),
    )
    line = as_slack_gets_it(thread.line(entry, shown))
    quotes = [node for node in nodes(line["blocks"]) if node.get("type") == "rich_text_quote"]
    assert quotes[0]["elements"] == [{"type": "text", "text": text}]
    assert not set(line["text"]) & {"<", ">"}
    for post in (line, as_slack_gets_it(card(shown)), as_slack_gets_it(thread.failure(entry, shown))):
        assert _is_dead(post)
        assert all(text not in node["text"] for node in nodes(post["blocks"]) if node.get("type") == "mrkdwn") or (
            len(text.strip()) < 6
        )


def check_everywhere(text: str, *, is_measured: bool = True) -> None:
    """Render a string by every renderer, wherever somebody's words can stand: Slack reads nothing in it.

    `is_measured`: that Slack takes it, too, as JSON, which takes longer than the rest.
    """
    view = view_of(text, lines=_FEW)
    rendered: list[Post | Block] = [*posts(text, _FEW), *all_modals(view, text, _FEW), *homes(text, _FEW)]
    for shown in rendered:
        assert _is_dead({"text": shown.text, "blocks": shown.blocks} if isinstance(shown, Post) else shown)
        if is_measured:
            message = as_slack_gets_it(shown)
            assert block_problem(message["blocks"], is_view="type" in message) == ""


def _is_dead(message: Json) -> bool:
    """Whether Slack makes nothing of it but moments in time, which are ours."""
    return all(token.startswith("<!date^") and token.endswith(" UTC>") for token in tokens(message))
