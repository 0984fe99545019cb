"""What the customer has named in the conversation, for whoever takes over."""

from __future__ import annotations

from datetime import date

from actions.context import TurnContext

#: What people call a reason; its values stand in data/nlu/reasons.yml.
_REASONS = {"changed_mind": "changed their mind", "mistake": "ordered by mistake", "wrong_item": "the wrong item"}
#: Slots of what was named, and how a ticket says it.
_TOLD = {
    "named_reason": "reason: {}", "named_amount": "amount: {}", "named_date": "date: {}", "named_parcel": "parcel: {}",
    "named_phone": "telephone: {}",
}  # fmt: skip
#: The same, emptied when a matter is done.
NAMED_SLOTS: dict[str, object] = dict.fromkeys(_TOLD)


def reason(context: TurnContext) -> str | None:
    """Return why, in a few English words, where the customer has said so."""
    value = context.slot("named_reason")
    return _REASONS.get(value, value.replace("_", " ")) if value else None


def named(context: TurnContext) -> str:
    """Return a sentence for agents with all that the customer named; empty where that is nothing."""
    values = {slot: context.slot(slot) for slot in _TOLD} | {"named_reason": reason(context)}
    if (days := values["named_date"]) is not None:
        values["named_date"] = _days(days)
    told = [form.format(values[slot]) for slot, form in _TOLD.items() if values[slot]]
    return f"Named: {'; '.join(told)}." if told else ""


def _days(value: str) -> str:
    """Return `Tue 24 Nov 2026`, or two of them for a span; what is no day stays as it is."""
    try:
        days = [date.fromisoformat(part) for part in value.split("/")]
    except ValueError:
        return value
    return " to ".join(f"{day:%a} {day.day} {day:%b %Y}" for day in days)
