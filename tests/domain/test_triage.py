from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.moods import Mood
from bot.domain.triage import Aim, Heard, Kind, Means, Treatment, Verdict, bare, is_spam, treat, triage

EVERYTHING = Means(has_answer=True, has_thanks=True, can_invite=True)
NOTHING = Means(has_answer=False, has_thanks=False, can_invite=False)

SPAM = [
    "Earn $500 a day with bitcoin, ask me how",
    "Promote it on @coffee.daily 🔥🔥",
    "check out my page for free followers",
    "DM me for a collab!! link in bio",
    "I lost my wallet but the hacker @fastrecover99 recovered all my funds",
    "https://t.me/freecoins join now",
    "hot singles wa.me/447700900123",
    "@a @b @c @d @e @f giveaway!! 100% free https://x.example",
]
PEOPLE = [
    "is the giveaway still on?",
    "here is a photo of the broken mug https://example.com/mug.jpg",
    "@copperleaf @royalmail where is my parcel",
    "how much is delivery to Ireland?",
    "I make coffee every day and love your beans",
    "can i get a refund to my paypal",
]


@pytest.mark.parametrize("text", SPAM)
@pytest.mark.parametrize("is_to_us", [True, False])
def test_spam_is_spam(text: str, is_to_us: bool) -> None:
    """What only wants attention is known by its words, whatever the bot takes it for."""
    assert is_spam(text, is_to_us=is_to_us)
    heard = Heard(text=text, is_to_us=is_to_us, intent="product_question", confidence=0.99)
    assert triage(heard) == Verdict(aim=Aim.NOT_FOR_US, kind=Kind.SPAM)


@pytest.mark.parametrize("text", PEOPLE)
def test_people_are_not(text: str) -> None:
    """A link, a mention or a word that spam likes too makes nobody a spammer."""
    assert not is_spam(text, is_to_us=True)


@pytest.mark.parametrize(
    ("text", "intent", "kind"),
    [
        ("when are you open?", "opening_hours", Kind.QUESTION),
        ("you lot are awful, when are you even open?", "opening_hours", Kind.COMPLAINT),
        ("my parcel came smashed", "delivery_problem", Kind.COMPLAINT),
        ("how do I get a refund?", "return_policy", Kind.QUESTION),
        ("best tea ever", "praise", Kind.PRAISE),
        ("thanks for nothing, still waiting", "thank", Kind.COMPLAINT),
        ("hello", "greet", Kind.CHATTER),
        ("this is a joke", None, Kind.COMPLAINT),
        ("does it come in blue", None, Kind.QUESTION),
        ("obsessed 😍", None, Kind.PRAISE),
        ("😍😍😍", None, Kind.PRAISE),
        ("😡", None, Kind.COMPLAINT),
        ("🍵", None, Kind.CHATTER),
        ("@lucy look", None, Kind.CHATTER),
        ("it never arrived", None, Kind.COMPLAINT),
        ("flurble wumpus sideways today", None, Kind.QUESTION),
    ],
)
def test_what_people_write_to_us(text: str, intent: str | None, kind: Kind) -> None:
    """What the bot is sure of counts, strong words count more, and what nobody understands is a question for people."""
    verdict = triage(Heard(text=text, is_to_us=True, intent=intent, confidence=0.9))
    assert verdict.kind is kind
    assert verdict.aim is (Aim.NOT_FOR_US if kind is Kind.CHATTER else Aim.TO_US)


def test_an_unsure_bot_is_not_listened_to() -> None:
    """A guess below the mark counts as none."""
    sure = triage(Heard(text="lovely shop", is_to_us=True, intent="complaint", confidence=0.9))
    unsure = triage(Heard(text="lovely shop", is_to_us=True, intent="complaint", confidence=0.3))
    assert (sure.kind, sure.mood) == (Kind.COMPLAINT, Mood.UNHAPPY)
    assert (unsure.kind, unsure.mood) == (Kind.PRAISE, None)


def test_talk_about_us_is_not_ours() -> None:
    """What nobody understands and that does not speak to us is chatter; a complaint about us is known as one."""
    assert triage(Heard(text="went to copperleaf today", is_to_us=False)).aim is Aim.NOT_FOR_US
    assert triage(Heard(text="copperleaf is a scam", is_to_us=False)) == Verdict(aim=Aim.ABOUT_US, kind=Kind.COMPLAINT)


def test_a_friend_who_is_called_is_not_ours() -> None:
    """A message that begins with another's name and never says ours is between them, unless it asks or complains."""
    for text, kind in (
        ("@jess we need to go here some day", Kind.CHATTER),
        ("@jess @copper_leaf we need to go here some day", Kind.QUESTION),
        ("@jess is it open today?", Kind.QUESTION),
        ("@jess mine never arrived", Kind.COMPLAINT),
    ):
        heard = Heard(text=text, is_to_us=True, intent="store_location", confidence=0.9, names=("Copperleaf",))
        assert triage(replace(heard, intent=None) if kind is Kind.COMPLAINT else heard).kind is kind


def test_a_picture_to_us_is_for_people() -> None:
    """A picture without words is a question when it speaks to us, and nothing when it does not."""
    assert triage(Heard(text="", has_files=True, is_to_us=True)).kind is Kind.QUESTION
    assert triage(Heard(text="", has_files=True, is_to_us=False)).kind is Kind.CHATTER


def test_nobody_is_answered_unasked() -> None:
    """Of what does not speak to us nothing gets a public word, whatever there is to say."""
    for kind in Kind:
        treatment = treat(Verdict(aim=Aim.ABOUT_US, kind=kind), EVERYTHING)
        assert treatment is (Treatment.TICKET if kind is Kind.COMPLAINT else Treatment.LEAVE)


def test_no_question_and_no_complaint_to_us_is_lost() -> None:
    """Each is answered, or people have it; with nothing to say they have it in silence."""
    for kind in (Kind.QUESTION, Kind.COMPLAINT):
        verdict = Verdict(aim=Aim.TO_US, kind=kind)
        assert treat(verdict, NOTHING) is Treatment.TICKET
        assert treat(verdict, EVERYTHING) is (Treatment.ANSWER if kind is Kind.QUESTION else Treatment.INVITE)
    assert treat(Verdict(aim=Aim.TO_US, kind=Kind.PRAISE), NOTHING) is Treatment.LEAVE


@given(st.text(max_size=300), st.booleans())
def test_any_text_is_something(text: str, is_to_us: bool) -> None:
    """Whatever is written, it is one thing, and its bare words hold no mention and no tag."""
    assert triage(Heard(text=text, is_to_us=is_to_us)).kind in Kind
    assert not any(word.startswith(("http://", "https://")) for word in bare(text).split())
