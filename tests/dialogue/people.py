"""Customers of the sample shop that conversations may speak of, by first name."""

from __future__ import annotations

from datetime import date

from bot.store.sample_shop.cast import cast
from bot.store.sample_shop.records import make_records

TODAY = date(2026, 11, 23)
#: People with more than one order or with a running subscription, besides the cast: the key is theirs in conversations.
OTHERS = {
    "charlotte": "charlotte.kaur@example.com",
    "rohan": "rohan.robinson@example.com",
    "simon": "simon.malik@example.com",
    "marcus": "marcus.ghosh@example.com",
    "karolina": "karolina.kelly@example.com",
    "wei": "wei.kaur@example.com",
}


def people(today: date) -> dict[str, dict[str, str]]:
    """Return what may be filled in of each person: `order` is the newest of theirs, `order2` the one before."""
    rows = make_records(today)
    emails = {member.name.split()[0].lower(): member.email for member in cast()} | OTHERS
    found = {}
    for key, email in emails.items():
        customer = next(row for row in rows["customers"] if row["email"] == email)
        theirs = (str(row["number"]) for row in rows["orders"] if row["customer_id"] == customer["id"])
        numbers = sorted(theirs, reverse=True)
        places = {f"order{place}" if place > 1 else "order": number for place, number in enumerate(numbers, 1)}
        found[key] = {"email": email, "postcode": str(customer["postcode"]), "digits": numbers[0][-6:], **places}
    return found
