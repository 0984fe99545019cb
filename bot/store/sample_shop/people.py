"""Copperleaf's customers: plausible names, postcodes of real towns, mail that cannot be delivered, phones for drama."""

from __future__ import annotations

import random
import unicodedata
from datetime import date, timedelta
from typing import TypedDict

from bot.store.sample_shop.places import CITIES

#: Customers beside the cast.
BACKGROUND_COUNT = 220

_FIRST_NAMES = (
    "Abigail Adam Ahmed Alice Amara Amelia Andrew Aneurin Angus Anjali Anna Arjun Beatrice Ben Bethan Callum Camille "
    "Catherine Charlotte Chidi Chloe Ciara Connor Dafydd David Deepa Dylan Eilidh Eleanor Elif Emily Emma Ewan Farah "
    "Fatima Fergus Fiona Florence Freya Gareth Grace Hamish Harriet Harry Heather Imogen Imran Isla Jack Jasmine Jess "
    "Joanna Kai Karolina Kemi Kieran Kwame Laura Leila Liam Lucy Maja Marcus Megan Mohammed Morag Nadia Naomi Nia "
    "Nikhil Olivia Omar Owen Patrick Paul Piotr Poppy Rachel Rhys Rohan Rosie Ruth Sadia Sam Sarah Sean Siân Simon "
    "Sofia Stephen Sunita Tariq Theo Tilly Victoria Wei Yasmin Zara Zoë"
)
_LAST_NAMES = (
    "Abbott Adeyemi Ahmed Ali Baker Barnes Begum Bell Brown Burns Byrne Cameron Chapman Clarke Cohen Cooper Davies "
    "Dhillon Doyle Edwards Ellis Evans Ferguson Fletcher Fraser Gallagher Ghosh Gibson Gill Graham Gray Griffiths Hall "
    "Harris Hassan Hughes Hussain Ibrahim Jackson James Jenkins Johnson Jones Kaur Kelly Khan Kowalska Lee Lloyd Lowe "
    "MacDonald Malik Marsh Mason Mensah Mills Mitchell Moore Morgan Morris Nowak Nguyen O'Connor O'Neill Osei Owens "
    "Parker Patel Pearce Phillips Powell Price Rao Reid Roberts Robinson Rose Ross Saunders Scott Sharma Simpson Singh "
    "Smith Stewart Stone Sullivan Taylor Thomas Turner Walker Walsh Ward Watson West White Williams Wilson Wood Wright "
    "Young Zhang"
)
#: The letters that the second half of a postcode may hold.
_INWARD_LETTERS = "ABDEFGHJLNPQRSTUWXYZ"


class CustomerRow(TypedDict):
    """A row of `customers`."""

    id: str
    name: str
    email: str
    phone: str | None
    postcode: str
    city: str
    since: date
    tier: str


def email_of(name: str) -> str:
    """Return the address of a name in plain letters: "Siân O'Neill" is `sian.oneill@example.com`."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return ".".join("".join(filter(str.isalpha, part)) for part in plain.lower().split()) + "@example.com"


def customer_id(index: int) -> str:
    """Return the id of the customer with this index; the cast counts from 1, the others from 101."""
    return f"C{10_000 + index}"


def phone_of(index: int) -> str:
    """Return a mobile number of the range Ofcom keeps for drama; the index must be below 1000."""
    return f"+447700900{index:03}"


def postcode(rng: random.Random, outward_code: str) -> str:
    """Return a postcode that begins with `outward_code`."""
    return f"{outward_code} {rng.randint(1, 9)}{rng.choice(_INWARD_LETTERS)}{rng.choice(_INWARD_LETTERS)}"


def make_customers(rng: random.Random, today: date, taken_names: set[str]) -> list[CustomerRow]:
    """Return the customers beside the cast, none of them with a taken name."""
    names = [f"{first} {last}" for first in _FIRST_NAMES.split() for last in _LAST_NAMES.split()]
    names = [name for name in names if name not in taken_names]
    return [
        _customer(rng, today, index, name) for index, name in enumerate(rng.sample(names, BACKGROUND_COUNT), start=101)
    ]


def _customer(rng: random.Random, today: date, index: int, name: str) -> CustomerRow:
    city = rng.choice(CITIES)
    return CustomerRow(
        id=customer_id(index),
        name=name,
        email=email_of(name),
        phone=phone_of(index) if rng.random() < 0.85 else None,
        postcode=postcode(rng, rng.choice(city.outward_codes)),
        city=city.name,
        since=today - timedelta(days=rng.randint(250, 2400)),
        tier=rng.choices(("regular", "silver", "gold"), weights=(70, 20, 10))[0],
    )
