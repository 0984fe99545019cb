from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.desk.slack.blocks import escape
from bot.desk.slack.text import Destination, emoji_in, mentioned, plain, read


@pytest.mark.parametrize(
    ("marked_up", "shown"),
    [
        ("a &amp;lt; b", "a &lt; b"),
        ("<@U1> and <@U2|bob>", "Alice and bob"),
        ("<@U9>", "a colleague"),
        ("<#C1|general> <!here> <!subteam^S1|@leads> <!date^1^{time}|noon>", "#general @here @leads noon"),
        ("<mailto:a@b.example|a@b.example> <tel:+44123|+44 123>", "a@b.example +44 123 (+44123)"),
        ("<https://b.example/x|b.example/x>", "https://b.example/x"),
        ("<https://evil.example|bank.com>", "bank.com (https://evil.example)"),
        (":tada: :own-emoji:", "🎉 :own-emoji:"),
    ],
)
def test_slacks_marks_become_text(marked_up: str, shown: str) -> None:
    """Names for mentions, addresses for links, characters for emoji."""
    assert plain(marked_up, {"U1": "Alice"}, {":tada:": "🎉"}) == shown


@given(st.text())
def test_what_slack_escapes_comes_back(text: str) -> None:
    """Plain text that an agent typed reaches the customer sign for sign."""
    assert plain(escape(text), {}, {}) == text
    assert mentioned(escape(text)) == set()


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    """Reading never fails, and never sends what does not start with >."""
    written = read(plain(text, {}, {}))
    assert written.destination is Destination.NOTE or plain(text, {}, {}).strip().startswith(">")


@pytest.mark.parametrize(
    ("text", "destination", "said"),
    [
        ("> one\n> two", Destination.CUSTOMER, "one\ntwo"),
        (">one\n\n>two", Destination.CUSTOMER, "one\n\ntwo"),
        (">>> one\ntwo", Destination.CUSTOMER, "one\ntwo"),
        (">", Destination.CUSTOMER, ""),
        ("> one\ntwo", Destination.UNCLEAR, "> one\ntwo"),
        ("one\n> two", Destination.NOTE, "one\n> two"),
        ("", Destination.NOTE, ""),
    ],
)
def test_only_a_message_quoted_throughout_goes_out(text: str, destination: Destination, said: str) -> None:
    """Each line that counts has to start with >."""
    written = read(text)
    assert (written.destination, written.text) == (destination, said)


def test_emoji_are_found_at_any_depth_and_nonsense_is_passed_over() -> None:
    """Blocks may nest, lack a code, or carry one that is none."""
    blocks = [{"elements": [{"type": "emoji", "name": "a", "unicode": "1f389"}, {"type": "emoji", "name": "b"}]}]
    blocks.append({"elements": [{"type": "emoji", "name": "c", "unicode": "zz"}]})
    assert emoji_in(blocks) == {":a:": "🎉"}
    assert emoji_in("nonsense") == {}
