from __future__ import annotations

import time

import pytest

from bot.engine.segments import Reading, clauses, questions

QUESTIONS = {"where": "order_status", "open": "opening_hours", "return": "return_start", "refund": "refund_status"}


def read(text: str) -> Reading:
    """Understand a text by the first telling word in it."""
    intent = next((intent for word, intent in QUESTIONS.items() if word in text.lower()), "chatter")
    return Reading(intent=intent, is_question=intent != "chatter")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Where is my order? Are you open today?", ["Where is my order?", "Are you open today?"]),
        ("where is my order and are you open today", ["where is my order", "are you open today"]),
        ("Where is my order\nare you open today", ["Where is my order", "are you open today"]),
        ("tea and coffee", ["tea and coffee"]),
        ("Mail it to a.b@example.com please", ["Mail it to a.b@example.com please"]),
        ("It cost 3.50 today", ["It cost 3.50 today"]),
        ("hi! where is it? thanks", ["hi! where is it? thanks"]),
        ("", [""]),
        ("a b. " * 50, ["a b. " * 50]),
    ],
)
def test_a_text_is_split_where_another_request_may_begin(text: str, parts: list[str]) -> None:
    """Sentences, lines and an "and" before a request are borders; numbers, addresses and single words are not."""
    assert clauses(text) == parts


def test_two_sure_questions_are_told_apart() -> None:
    """Two parts with different sure intents are two questions."""
    assert questions("Where is my order? Are you open today?", read) == ["Where is my order?", "Are you open today?"]


def test_words_around_the_questions_stay_with_them() -> None:
    """What comes before the first question goes with it, what follows a question goes with that one."""
    text = "Good morning Copperleaf! Where is my order? It was due on Monday. And are you open today? Many thanks"
    assert questions(text, read) == [
        "Good morning Copperleaf! Where is my order? It was due on Monday.",
        "And are you open today? Many thanks",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Where is my order? Where has it got to?",
        "Where is my order? I am not amused.",
        "Where is my order? Are you open today? How do I return it?",
        "Where is my order? Are you open today? And where is my order?",
    ],
)
def test_anything_but_two_questions_is_one_message(text: str) -> None:
    """One intent, a question with a remark, or three questions are left whole."""
    assert questions(text, read) == [text]


@pytest.mark.parametrize("gap", [" ", ", ", "\t", "\u00a0", "\n ", "; ", "and "])
def test_no_text_holds_up_the_engine(gap: str) -> None:
    """The time for a text grows with its length alone, whatever fills it: ten times as long is not a hundred times."""

    def seconds(length: int) -> float:
        text = f"hi{gap * (length // len(gap))}x"
        started_at = time.perf_counter()
        clauses(text)
        return time.perf_counter() - started_at

    short = min(seconds(2_000) for _ in range(5))
    assert min(seconds(20_000) for _ in range(3)) < 40 * short + 0.01
