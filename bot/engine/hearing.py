"""What is made of a message that turns something down: the topic that is denied is never answered, the other one is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rasa.shared.constants import DEFAULT_NLU_FALLBACK_INTENT_NAME

from bot.engine.components.negation import contrast

Parsed = dict[str, Any]

#: What a message means that turns something down and wants nothing instead.
DENIED = "deny"
#: From this share on, of what both the whole message and the rest of it may mean, a topic is meant.
_AGREED = 0.8
#: The few words that are denied are taken for one of so many topics: alone they say little.
_GUESSES = 3
#: What could be meant at most so unlikely counts as this likely, so that one reading alone does not rule it out.
_LEAST = 0.01


def hear(text: str, parsed: Parsed, understand: Callable[[str], Parsed], *, in_form: bool) -> tuple[Parsed, str]:
    """Return what a message means, given what the whole of it was taken for, and the part of it that asks for that.

    A message that denies nothing stays as it is. So does one that was taken for what the rest of it says rather than
    for what it denies, and one that a pattern decided. In a form only that counts which was taken for what it denies.
    """
    found = contrast(text)
    if found is None or "certainty" not in parsed:
        return parsed, text
    likeliest, denied = _likeliest(parsed)[0], understand(found.denied)
    is_open = parsed["intent"]["name"] == DEFAULT_NLU_FALLBACK_INTENT_NAME
    if not found.wanted:
        is_request = is_open or bool(parsed.get("is_request"))
        return (_as(parsed, DENIED), text) if likeliest in _likeliest(denied) and is_request else (parsed, text)
    wanted = understand(found.wanted)
    name = wanted["intent"]["name"]
    is_taken_for_it = _chances(denied).get(likeliest, _LEAST) > _chances(wanted).get(likeliest, 0.0)
    if not is_open and (name == likeliest or not is_taken_for_it):
        return parsed, text
    if is_open and in_form:
        return parsed, text
    turned_down = likeliest if is_taken_for_it and name != likeliest else _likeliest(denied)[0]
    if name not in {turned_down, DEFAULT_NLU_FALLBACK_INTENT_NAME}:
        return {**wanted, "text": text, "entities": parsed["entities"]}, found.wanted
    return _weighed(parsed, wanted, turned_down), found.wanted


def _weighed(parsed: Parsed, wanted: Parsed, denied: str) -> Parsed:
    """Return what both readings may mean, without what is denied: an answer where they agree, else guesses to offer."""
    first, second = _chances(parsed), _chances(wanted)
    both = {name: first.get(name, _LEAST) * second.get(name, _LEAST) for name in {*first, *second} - {denied}}
    total = sum(both.values()) or 1.0
    ranking: list[dict[str, Any]] = [
        {"name": name, "confidence": chance / total} for name, chance in sorted(both.items(), key=lambda one: -one[1])
    ]
    if ranking and ranking[0]["confidence"] >= _AGREED:
        return {**parsed, "intent": ranking[0], "intent_ranking": ranking, "decision": "answer", "is_request": True}
    open_ = {
        "name": DEFAULT_NLU_FALLBACK_INTENT_NAME,
        "confidence": 1.0 - (ranking[0]["confidence"] if ranking else 0.0),
    }
    decision = "clarify" if ranking else "people"
    return {**parsed, "intent": open_, "intent_ranking": [open_, *ranking], "decision": decision, "is_request": False}


def _as(parsed: Parsed, name: str) -> Parsed:
    intent = {"name": name, "confidence": 1.0}
    return {**parsed, "intent": intent, "intent_ranking": [intent], "decision": "answer", "is_request": False}


def _chances(parsed: Parsed) -> dict[str, float]:
    return {
        guess["name"]: guess["confidence"]
        for guess in parsed.get("intent_ranking") or []
        if guess["name"] != DEFAULT_NLU_FALLBACK_INTENT_NAME
    }


def _likeliest(parsed: Parsed) -> list[str]:
    """Return the likeliest topics, best first; there is always one."""
    chances = _chances(parsed)
    return sorted(chances, key=chances.__getitem__, reverse=True)[:_GUESSES] or [""]
