"""Where Copperleaf's customers live and where its stores are."""

from __future__ import annotations

from datetime import time
from typing import NamedTuple


class City(NamedTuple):
    """A city with the first halves of some of its postcodes."""

    name: str
    outward_codes: tuple[str, ...]


class StoreSeed(NamedTuple):
    """A store of the sample shop; phones are of the ranges Ofcom keeps for drama."""

    id: str
    name: str
    city: str
    address: str
    phone: str
    #: Monday to Sunday: opens and closes; none when closed that day
    week: tuple[tuple[time, time] | None, ...]


CITIES: tuple[City, ...] = (
    City("Bristol", ("BS1", "BS3", "BS5", "BS6", "BS7", "BS8")),
    City("Bath", ("BA1", "BA2")),
    City("Manchester", ("M1", "M4", "M14", "M20", "M21")),
    City("Leeds", ("LS1", "LS6", "LS7", "LS8")),
    City("Edinburgh", ("EH1", "EH3", "EH6", "EH9", "EH10")),
    City("London", ("N1", "N16", "E8", "E17", "SE15", "SE22", "SW4", "W3", "NW5")),
    City("Birmingham", ("B13", "B14", "B30")),
    City("Glasgow", ("G11", "G12", "G41")),
    City("Cardiff", ("CF10", "CF11", "CF24")),
    City("Sheffield", ("S7", "S10", "S11")),
    City("York", ("YO1", "YO10", "YO23")),
    City("Brighton", ("BN1", "BN2", "BN3")),
    City("Newcastle", ("NE2", "NE6")),
    City("Liverpool", ("L8", "L15", "L17")),
    City("Nottingham", ("NG2", "NG5", "NG7")),
    City("Belfast", ("BT7", "BT9")),
)


def _open(opens: int, closes: int) -> tuple[time, time]:
    return time(opens), time(closes)


_WORKDAYS = (_open(8, 18),) * 5

STORES: tuple[StoreSeed, ...] = (
    StoreSeed(
        "bristol",
        "Copperleaf Harbourside",
        "Bristol",
        "14 Narrow Quay, Bristol BS1 4QA",
        "0117 496 0114",
        (*_WORKDAYS, _open(9, 18), _open(10, 16)),
    ),
    StoreSeed(
        "bath",
        "Copperleaf Walcot Street",
        "Bath",
        "88 Walcot Street, Bath BA1 5BG",
        "01632 960188",
        (None, *_WORKDAYS[:4], _open(9, 17), _open(10, 16)),
    ),
    StoreSeed(
        "manchester",
        "Copperleaf Northern Quarter",
        "Manchester",
        "31 Tib Street, Manchester M4 1LX",
        "0161 496 0131",
        (*_WORKDAYS, _open(9, 19), _open(10, 17)),
    ),
    StoreSeed(
        "leeds",
        "Copperleaf Kirkgate",
        "Leeds",
        "7 Kirkgate, Leeds LS1 6BY",
        "0113 496 0107",
        (*_WORKDAYS, _open(9, 18), None),
    ),
    StoreSeed(
        "edinburgh",
        "Copperleaf Stockbridge",
        "Edinburgh",
        "52 Raeburn Place, Edinburgh EH4 1HN",
        "0131 496 0152",
        (*_WORKDAYS, _open(9, 18), _open(11, 17)),
    ),
)
