"""Days and spans of days in a text: "next Tuesday", "the 3rd", "last week", "12 November", "vor drei Tagen"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from bot.engine.components.details.found import Found
from bot.engine.components.details.words import Words

#: What may follow "the 3rd" where that is a day: nothing, a sign, or a word that begins something else.
_AFTER_DAY = (
    r"(?=\s*(?:$|[.,;:!?)–-]|(?:and|but|or|at|i|it|is|was|has|you|we|please|still|for|with|so|which|to|by|then|in|und|aber"
    r"|oder|ist|war|habe|um)\b))"
)
#: A street may be called by a month.
_NO_STREET = r"(?!\s+(?:street|st|road|rd|lane|close|avenue|tree|straße|strasse|day)\b)"
_WEEK, _SATURDAY = 7, 5
#: Characters before a day in which words are looked for that tell whether it is past.
_LOOKED_BACK = 40


@dataclass(frozen=True, kw_only=True)
class _Rule:
    pattern: re.Pattern[str]
    #: which of the readings below it is
    kind: str


class DateReader:
    """Reads days in one language."""

    def __init__(self, words: Words) -> None:
        """Prepare what to look for."""
        self._words = words
        self._past = re.compile(rf"\b(?:{words.past})\b", re.IGNORECASE)
        self._numbers = {re.compile(name, re.IGNORECASE): number for name, number in words.numbers.items()}
        self._rules = [_Rule(pattern=re.compile(text, re.IGNORECASE), kind=kind) for kind, text in self._texts()]

    def _texts(self) -> Iterator[tuple[str, str]]:
        words = self._words
        months = "|".join(f"(?:{name})" for name in words.months)
        alone = "|".join(f"(?:{name})" for name in words.weekdays)
        short = "|".join(f"(?:{name})" for name in words.short_weekdays)
        count = rf"(?P<n>\d{{1,2}}|{'|'.join(words.numbers)})"
        unit = rf"(?P<unit>{words.day}|{words.week}|{words.month})"
        which = rf"(?P<which>{words.following}|{words.previous}|{words.present})"
        point = rf"(?P<point>{words.pointing})"
        yield "iso", r"(?<![\d-])(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})(?![\d-])"
        whole = r"(?P<day>\d{1,2})(?P<sign>[/.-])(?P<month>\d{1,2})(?P=sign)(?P<year>\d{4}|\d{2})"
        yield "numeric", rf"(?<![\d/.]){whole}(?![\d/])"
        yield "numeric", rf"\b{point}(?: the| dem)? (?P<day>\d{{1,2}})[/.](?P<month>\d{{1,2}})(?![\d/])\.?"
        yield "numeric", r"(?<![\d/.])(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?!\d)"
        day, year = rf"(?P<day>\d{{1,2}})(?:{words.ordinal})?", r"(?:,? (?P<year>20\d\d))?"
        yield "named", rf"(?<![\d.£€]){day}{words.of}(?P<name>{months})\b\.?{_NO_STREET}{year}"
        day = rf"(?P<day>\d{{1,2}})(?:{words.ordinal}\b|(?=\s*(?:$|[.,;!?)]|20\d\d)))"
        yield "named", rf"\b(?P<name>{months})\.? (?:the )?{day}{year}"
        yield "named", rf"\b(?:{words.pointing}) (?P<name>{months})\.? (?:the )?(?P<day>\d{{1,2}})\b(?![:/.%]\d)"
        yield "nth", rf"\b{point} (?:the|dem|den) (?P<day>\d{{1,2}}){words.ordinal}{_AFTER_DAY}"
        yield "nth", rf"\b{point} (?P<day>\d{{1,2}})(?:{words.ordinal}){_AFTER_DAY}"
        yield "month", rf"\b(?:in|im|since|during|seit|{which}) (?P<name>{months})\b(?! \d)"
        again = "".join(rf"(?<!{word} )" for word in _spelt(words.again))
        yield "weekday", rf"\b(?:{which} )?{again}(?P<weekday>{alone})\b"
        yield "weekday", rf"\b(?:{which}|{point}) (?P<weekday>{short})\b"
        yield "nearby", rf"(?:\b|(?<=\s))(?P<nearby>{'|'.join(words.nearby)})\b"
        for template in words.ago:
            yield "ago", rf"\b{template.format(n=count, unit=unit)}\b"
        for template in words.ahead:
            yield "ahead", rf"\b{template.format(n=count, unit=unit)}\b"
        ahead, back, near = words.to_weekend
        yield "weekend", rf"\b(?:(?P<ahead>{ahead})|(?P<back>{back})|{near}) {words.weekend}\b(?! (?:of|after next)\b)"
        yield "span", rf"\b{which} (?P<unit>{words.week}|{words.month}|{words.weekend})\b"

    def find(self, text: str, today: date) -> Iterator[Found]:
        """Yield each day as `2026-11-23`, and each span as `2026-11-16/2026-11-22`; `today` is when it was written."""
        for rule in self._rules:
            for match in rule.pattern.finditer(text):
                try:
                    value = getattr(self, f"_{rule.kind}")(match, today)
                except (ValueError, OverflowError):
                    continue
                if value:
                    yield Found(entity="date", start=match.start(), end=match.end(), value=value)

    def _iso(self, match: re.Match[str], _: date) -> str:
        return date(int(match["year"]), int(match["month"]), int(match["day"])).isoformat()

    def _numeric(self, match: re.Match[str], today: date) -> str:
        year = match.groupdict().get("year")
        day, month = int(match["day"]), int(match["month"])
        if year is None:
            return self._nearest(match, [date(today.year + more, month, day) for more in (-1, 0, 1)], today)
        return date(int(year) + (2000 if len(year) == 2 else 0), month, day).isoformat()

    def _named(self, match: re.Match[str], today: date) -> str:
        month, day, year = self._month_of(match["name"]), int(match["day"]), match.groupdict().get("year")
        if year:
            return date(int(year), month, day).isoformat()
        return self._nearest(match, [date(today.year + more, month, day) for more in (-1, 0, 1)], today)

    def _nth(self, match: re.Match[str], today: date) -> str:
        day, first = int(match["day"]), today.replace(day=1)
        near = [(first - timedelta(days=1)).replace(day=1), first, (first + timedelta(days=32)).replace(day=1)]
        return self._nearest(match, [month.replace(day=day) for month in near], today)

    def _month(self, match: re.Match[str], today: date) -> str:
        month = self._month_of(match["name"])
        firsts = [date(today.year + more, month, 1) for more in (-1, 0, 1)]
        return _whole_month(date.fromisoformat(self._nearest(match, firsts, today)))

    def _weekday(self, match: re.Match[str], today: date) -> str:
        names = zip(self._words.weekdays, self._words.short_weekdays, strict=True)
        wanted = next(
            number for number, pair in enumerate(names) if re.fullmatch("|".join(pair), match["weekday"], re.IGNORECASE)
        )
        which = match["which"] or ""
        ahead = (wanted - today.weekday()) % _WEEK
        if re.fullmatch(self._words.following, which, re.IGNORECASE):
            return (today + timedelta(days=_WEEK - today.weekday() + wanted)).isoformat()
        if re.fullmatch(self._words.previous, which, re.IGNORECASE) or (not which and self._is_past(match)):
            return (today - timedelta(days=(today.weekday() - wanted) % _WEEK or _WEEK)).isoformat()
        return (today + timedelta(days=ahead)).isoformat()

    def _nearby(self, match: re.Match[str], today: date) -> str:
        days = next(
            days
            for name, days in self._words.nearby.items()
            if re.search(rf"{name}$", match.string[: match.end()], re.IGNORECASE)
        )
        return (today + timedelta(days=days)).isoformat()

    def _ago(self, match: re.Match[str], today: date) -> str:
        return (today - self._length(match)).isoformat()

    def _ahead(self, match: re.Match[str], today: date) -> str:
        return (today + self._length(match)).isoformat()

    def _weekend(self, match: re.Match[str], today: date) -> str:
        saturday = today + timedelta(days=_SATURDAY - today.weekday())
        is_past = match["back"] or (not match["ahead"] and self._is_past(match))
        if is_past and saturday > today:
            saturday -= timedelta(days=_WEEK)
        return f"{saturday.isoformat()}/{(saturday + timedelta(days=1)).isoformat()}"

    def _span(self, match: re.Match[str], today: date) -> str:
        words, which, unit = self._words, match["which"], match["unit"]
        is_next = re.fullmatch(words.following, which, re.IGNORECASE)
        shift = 1 if is_next else -1 if re.fullmatch(words.previous, which, re.IGNORECASE) else 0
        monday = today - timedelta(days=today.weekday()) + timedelta(weeks=shift)
        if re.fullmatch(words.week, unit, re.IGNORECASE):
            return f"{monday.isoformat()}/{(monday + timedelta(days=6)).isoformat()}"
        if re.fullmatch(words.weekend, unit, re.IGNORECASE):
            return f"{(monday + timedelta(days=5)).isoformat()}/{(monday + timedelta(days=6)).isoformat()}"
        month = today.month - 1 + shift
        return _whole_month(date(today.year + month // 12, month % 12 + 1, 1))

    def _length(self, match: re.Match[str]) -> timedelta:
        typed, unit, words = match["n"], match["unit"], self._words
        count = int(typed) if typed.isdigit() else next(
            number for name, number in self._numbers.items() if name.fullmatch(typed)
        )  # fmt: skip
        if re.fullmatch(words.day, unit, re.IGNORECASE):
            return timedelta(days=count)
        return timedelta(days=count * (_WEEK if re.fullmatch(words.week, unit, re.IGNORECASE) else 30))

    def _month_of(self, typed: str) -> int:
        return next(
            number for number, name in enumerate(self._words.months, 1) if re.fullmatch(name, typed, re.IGNORECASE)
        )

    def _nearest(self, match: re.Match[str], days: list[date], today: date) -> str:
        """Return the one of the days that is meant: the last past one where the words say so, else the nearest."""
        past = [day for day in days if day <= today]
        if past and self._is_past(match):
            return max(past).isoformat()
        return min(days, key=lambda day: (abs((day - today).days), day < today)).isoformat()

    def _is_past(self, match: re.Match[str]) -> bool:
        point = match.groupdict().get("point")
        if point and re.fullmatch(self._words.looking_back, point, re.IGNORECASE):
            return True
        before = match.string[max(0, match.start() - _LOOKED_BACK) : match.start()]
        last_words = " ".join(re.split(r"[.!?;]", before)[-1].split()[-5:])
        looks_back = re.search(rf"\b(?:{self._words.looking_back})(?: the| dem)?$", last_words, re.IGNORECASE)
        after = " ".join(re.split(r"[.!?;]", match.string[match.end() :])[0].split()[:2])
        return bool(looks_back or self._past.search(last_words) or self._past.search(after))


def _spelt(alternatives: str) -> Iterator[str]:
    """Yield each spelling of words with one set of letters at their end at most: a look behind takes no others."""
    for word in alternatives.split("|"):
        stem, _, letters = word.partition("[")
        yield from (stem, *(f"{stem}{letter}" for letter in letters.partition("]")[0]))


def _whole_month(first: date) -> str:
    last = (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    return f"{first.isoformat()}/{last.isoformat()}"
