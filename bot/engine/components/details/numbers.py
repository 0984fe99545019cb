"""Numbers that reach somebody or something: of parcels and telephones, e-mail addresses as spoken, postcodes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.engine.components.details.found import Found
from bot.engine.components.details.words import Words

# Royal Mail and all posts: the Universal Postal Union's standard S10, whose check digit is looked at.
_S10 = re.compile(
    r"(?<![A-Za-z0-9])([A-Za-z]{2}) ?(\d{4} ?\d{4}|\d{3} ?\d{3} ?\d{2}|\d{8}) ?(\d) ?([A-Za-z]{2})(?![A-Za-z0-9])"
)
_S10_WEIGHTS = (8, 6, 4, 2, 3, 5, 9, 7)
# UPS: 1Z, six of the account, ten with a check digit.
_UPS = re.compile(r"(?<![A-Za-z0-9])1Z(?: ?[A-Z0-9]){16}(?![A-Za-z0-9])", re.IGNORECASE)
# Evri: sixteen with a letter in front, or sixteen digits; Yodel: JD and sixteen digits; DHL: JJD and 16 to 18.
_LETTERED = re.compile(
    r"(?<![A-Za-z0-9])(?:[HTCE]\d{2}[A-Z0-9]{3}\d{10}|JD\d{16}|JJD\d{16,18})(?![A-Za-z0-9])", re.IGNORECASE
)
# DPD: fourteen digits; bare digits count only next to a word that says so, for payment cards have sixteen as well.
_BARE = re.compile(r"(?<![\w+£€$.,/-])(?:\d{14}|\d{16}|\d{4} \d{4} \d{4} \d{2})(?![\w/-])")
_CARD = re.compile(r"\bcards?\b|karte|visa|mastercard", re.IGNORECASE)
_PARCEL = re.compile(
    r"dpd|evri|hermes|yodel|dhl|ups|royal mail|track|parcel|package|courier|sendung|paket|delivery|consignment",
    re.IGNORECASE,
)

#: Routing keys of Eircodes: https://www.eircode.ie
_ROUTING_KEYS = (
    "A41 A42 A45 A63 A67 A75 A81 A82 A83 A84 A85 A86 A91 A92 A94 A96 A98 C15 D01 D02 D03 D04 D05 D06 D6W D07 D08"
    " D09 D10 D11 D12 D13 D14 D15 D16 D17 D18 D20 D22 D24 E21 E25 E32 E34 E41 E45 E53 E91 F12 F23 F26 F28 F31 F35"
    " F42 F45 F52 F56 F91 F92 F93 F94 H12 H14 H16 H18 H23 H53 H54 H62 H65 H71 H91 K32 K34 K36 K45 K56 K67 K78 N37"
    " N39 N41 N91 P12 P14 P17 P24 P25 P31 P32 P36 P43 P47 P51 P56 P61 P67 P72 P75 P81 P85 R14 R21 R32 R35 R42 R45"
    " R51 R56 R93 R95 T12 T23 T34 T45 T56 V14 V15 V23 V31 V35 V42 V92 V93 V94 V95 W12 W23 W34 W91 X35 X42 X91 Y14"
    " Y21 Y25 Y34 Y35"
)
_EIRCODE = re.compile(
    rf"(?<![A-Za-z0-9])({_ROUTING_KEYS.replace(' ', '|')})[ -]?((?=[A-Z]*\d)[0-9AC-FHKNPRTV-Y]{{4}})(?![A-Za-z0-9])",
    re.IGNORECASE,
)
#: Digits of a telephone number, and what it begins with where it is one though its numbers are given to nobody.
_PHONE_DIGITS = 9
_PHONE_LIKE = re.compile(r"(?<![\w£€$])(?:\+|00|\(?0)[\d\s().-]{8,18}\d(?![\w])")
#: Endings of spoken addresses.
_ENDING = r"com|org|net|co|uk|ie|de|eu|info|io|me|example|gmail|online|shop|test"


def parcels(text: str) -> Iterator[Found]:
    """Yield numbers of parcels, as carriers write them; those with a wrong check digit are none."""
    for match in _S10.finditer(text):
        digits = match[2].replace(" ", "")
        rest = 11 - sum(int(digit) * weight for digit, weight in zip(digits, _S10_WEIGHTS, strict=True)) % 11
        if int(match[3]) == {10: 0, 11: 5}.get(rest, rest):
            yield _found("tracking_number", match, f"{match[1]}{digits}{match[3]}{match[4]}".upper())
    for match in _UPS.finditer(text):
        number = match[0].replace(" ", "").upper()
        if _ups_check(number[2:-1]) == number[-1]:
            yield _found("tracking_number", match, number)
    for match in _LETTERED.finditer(text):
        yield _found("tracking_number", match, match[0].upper())
    if _PARCEL.search(text) and not _CARD.search(text):
        for match in _BARE.finditer(text):
            yield _found("tracking_number", match, match[0].replace(" ", ""))


def _ups_check(body: str) -> str:
    values = [int(sign) if sign.isdigit() else (ord(sign) - 63) % 10 for sign in body]
    total = sum(value * (2 if place % 2 else 1) for place, value in enumerate(values))
    return str(-total % 10)


def phones(text: str, region: str) -> Iterator[Found]:
    """Yield telephone numbers as `+441174960123`; `region` is where one without a country's code is."""
    if sum(character.isdigit() for character in text) < _PHONE_DIGITS:
        return
    # It takes 40 ms and 7 MB, which a bot that nobody tells numbers does without.
    import phonenumbers

    matcher = phonenumbers.PhoneNumberMatcher(text, region, leniency=phonenumbers.Leniency.VALID)
    for match in matcher:
        value = phonenumbers.format_number(match.number, phonenumbers.PhoneNumberFormat.E164)
        yield Found(entity="phone", start=match.start, end=match.end, value=value)
    for likely in _PHONE_LIKE.finditer(text):
        try:
            number = phonenumbers.parse(likely[0], region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_possible_number(number) and len(str(number.national_number)) >= _PHONE_DIGITS:
            value = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
            yield _found("phone", likely, value)


def eircodes(text: str) -> Iterator[Found]:
    """Yield Irish postcodes as `D02 AF30`."""
    for match in _EIRCODE.finditer(text):
        yield _found("postcode", match, f"{match[1]} {match[2]}".upper())


class SpokenAddresses:
    """Reads e-mail addresses that are spelt out in one language."""

    def __init__(self, words: Words) -> None:
        """Prepare what to look for."""
        dot = rf"(?:\s*\.\s*|\s+(?:{words.dot})\s+|\s*(?:\(dot\)|\[dot\])\s*)"
        at = rf"(?:\s+(?:{words.at})\s+|\s*(?:\(at\)|\[at\])\s*)"
        local = rf"(?!(?:{words.not_mailboxes})\b)[A-Za-z0-9_+-]+(?:(?:\.|\s+(?:{words.dot})\s+)[A-Za-z0-9_+-]+)*"
        name = rf"(?!\d+\b)[A-Za-z0-9-]+(?:{dot}[A-Za-z0-9-]+){{0,2}}?"
        self._pattern = re.compile(
            rf"(?<![\w@.])({local}){at}({name}){dot}((?:{_ENDING})(?:{dot}(?:{_ENDING}))?)(?![\w@])", re.IGNORECASE
        )
        self._dot = re.compile(dot, re.IGNORECASE)

    def find(self, text: str) -> Iterator[Found]:
        """Yield each as it is written."""
        for match in self._pattern.finditer(text):
            local, *rest = (self._dot.sub(".", part) for part in match.groups())
            yield _found("email", match, f"{local}@{'.'.join(rest)}".lower())


def tidy(entity: str, value: str) -> str:
    """Return an e-mail address or a UK postcode as it is written."""
    if entity == "email":
        return value.lower()
    bare = re.sub(r"\W", "", value).upper()
    return f"{bare[:-3]} {bare[-3:]}" if entity == "postcode" else value


def _found(entity: str, match: re.Match[str], value: str) -> Found:
    return Found(entity=entity, start=match.start(), end=match.end(), value=value)
