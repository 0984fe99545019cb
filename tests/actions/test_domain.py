"""domain.yml, the rules and the actions speak of the same things."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from actions.foreign import NAMES
from actions.handoff import PEOPLE_ONLY
from actions.wishes import WISHES
from bot.domain.customers import OrderStatus, ReturnStatus, ShipmentStatus, SubscriptionStatus
from tests.actions.test_server import DOMAIN

ROOT = Path(__file__).parents[2]
#: Names that actions put together from a status of the records.
FAMILIES = {
    "say_order_": OrderStatus,
    "say_parcel_": ShipmentStatus,
    "say_return_": ReturnStatus,
    "say_refund_": ReturnStatus,
    "say_subscription_": SubscriptionStatus,
}
LANGUAGES = {f"say_foreign_{language}" for language in NAMES}
#: Put together from a question and a state, and from what is to be done with a subscription.
OTHERS = {"say_due_in_transit", "say_subscription_pause_passed_on", "say_subscription_cancel_passed_on"}


def words_in_actions() -> set[str]:
    """Return every text that stands in the code of actions."""
    found = set()
    for file in (ROOT / "actions").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


def rules() -> list[dict[str, Any]]:
    """Return all rules."""
    files = sorted((ROOT / "data" / "rules").glob("*.yml"))
    return [rule for file in files for rule in yaml.safe_load(file.read_text(encoding="utf-8"))["rules"]]


def test_every_message_of_the_domain_is_said_by_something() -> None:
    """A text that nobody says any more is not kept."""
    said = words_in_actions() | OTHERS | LANGUAGES
    said |= {family + state for family, states in FAMILIES.items() for state in states}
    asked = {f"utter_ask_{slot}" for form in DOMAIN["forms"].values() for slot in form["required_slots"]}
    ruled = {step["action"] for rule in rules() for step in rule["steps"] if "action" in step}
    names = [name for name in DOMAIN["responses"] if not name.startswith("title_")]
    assert [name for name in names if name not in said | asked | ruled] == []


def test_every_message_that_actions_name_is_in_the_domain() -> None:
    """A misspelt name would leave the customer without an answer."""
    named = {word for word in words_in_actions() if re.fullmatch(r"say_[a-z_]*[a-z]", word)}
    stems = {family.rstrip("_") for family in FAMILIES} | {"say_due", "say_foreign"}
    assert sorted(named - set(DOMAIN["responses"]) - stems) == []


def test_each_intent_has_one_rule() -> None:
    """Whatever a customer means, exactly one rule says what follows."""
    intents = [step["intent"] for rule in rules() for step in rule["steps"] if "intent" in step]
    assert sorted(intents) == sorted([*DOMAIN["intents"], "nlu_fallback"])


def test_titles_belong_to_intents() -> None:
    """Only what is an intent can be offered on a button, and no title is too long for one."""
    titled = [name.removeprefix("title_") for name in DOMAIN["responses"] if name.startswith("title_")]
    assert [name for name in titled if name not in DOMAIN["intents"]] == []
    assert [name for name in titled if len(DOMAIN["responses"][f"title_{name}"][0]["text"]) > 32] == []


@pytest.mark.parametrize("name", [*WISHES, *PEOPLE_ONLY])
def test_wishes_and_topics_for_people_are_intents_with_a_title(name: str) -> None:
    """Each can be tapped, ruled and shown on a ticket."""
    assert name in DOMAIN["intents"]
    assert f"title_{name}" in DOMAIN["responses"] or name in {"express_anger", "legal_threat", "self_harm"}


def test_slots_have_no_say_in_the_course_of_a_dialogue() -> None:
    """Rules alone decide what comes next; no slot changes a prediction."""
    assert [name for name, slot in DOMAIN["slots"].items() if slot["influence_conversation"]] == []


@pytest.mark.parametrize("file", sorted((ROOT / "data").glob("*/responses.yml")), ids=lambda file: file.parent.name)
def test_a_language_has_every_text_with_the_same_gaps(file: Path) -> None:
    """What is said in English is said in each other language, with the same figures filled in and no more words."""
    language, said = file.parent.name, yaml.safe_load(file.read_text(encoding="utf-8"))["responses"]
    wanted = {name for name in DOMAIN["responses"] if not name.startswith("say_foreign")}
    assert {name.removeprefix(f"{language}.") for name in said} == wanted
    for name in wanted:
        gaps = [_gaps(part) for part in (DOMAIN["responses"][name], said[f"{language}.{name}"])]
        assert gaps[1] <= gaps[0], name
        most = 32 if name.startswith("title_") else 400
        assert all(len(variation["text"]) <= most for variation in said[f"{language}.{name}"]), name


def _gaps(variations: list[dict[str, Any]]) -> set[str]:
    return set(re.findall(r"\{\w+\}", " ".join(variation["text"] for variation in variations)))
