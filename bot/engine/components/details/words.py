"""The small words of each language that details are read by; a further language is one more `Words`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Words:
    """What days, numbers and money are called; parts of regular expressions in lower case."""

    #: 0 to 99 and what stands for a number ("a", "a couple of")
    numbers: dict[str, int]
    #: Monday first: names that stand alone
    weekdays: tuple[str, ...]
    #: the same, short: only after a word that points at a day
    short_weekdays: tuple[str, ...]
    #: January first
    months: tuple[str, ...]
    #: days from today
    nearby: dict[str, int]
    #: what precedes the name of a day that is one: "on", "until"
    pointing: str
    #: the same, where the day is past
    looking_back: str
    #: before a day, that it is none: it comes again and again
    again: str
    #: close before a day these tell that it is past
    past: str
    following: str
    previous: str
    present: str
    day: str
    week: str
    month: str
    weekend: str
    #: what precedes a weekend: the next one, the last one, and one of the two
    to_weekend: tuple[str, str, str]
    #: {n} and {unit}
    ago: tuple[str, ...]
    ahead: tuple[str, ...]
    #: what a day's number looks like by itself: "3rd"
    ordinal: str
    #: between the number and the month
    of: str
    #: names of currencies by code, beside the code and the sign
    money: dict[str, str]
    #: of a hundredth, by code
    pennies: dict[str, str]
    #: whole amounts that have a name
    notes: dict[str, int]
    #: grams and millilitres in one
    measures: dict[str, tuple[float, str]]
    #: what stands for a part of one, before a measure
    fractions: dict[str, float]
    #: sizes by name
    sizes: dict[str, str]
    #: what a size's name follows or precedes
    size_before: str
    size_after: str
    #: spoken for "@" and "."
    at: str
    dot: str
    #: words before "at" that are no name of a mailbox
    not_mailboxes: str
    #: what denies a reason that follows it
    negation: str


def _hundreds(small: dict[str, int], hundred: str) -> dict[str, int]:
    return {f"{name}{hundred}": 100 * number for name, number in small.items() if number < 10}


def _english_numbers() -> dict[str, int]:
    ones = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    small = {name: number for number, name in enumerate(f"{ones} eighteen nineteen".split(), 1)}
    tens_named = "twenty thirty forty fifty sixty seventy eighty ninety"
    tens = {name: 10 * number for number, name in enumerate(tens_named.split(), 2)}
    joined = {f"{ten}[ -]{one}": tens[ten] + small[one] for ten in tens for one in list(small)[:9]}
    return {
        **joined,
        **_hundreds({"a": 1, **small}, " hundred"),
        **small,
        **tens,
        "a couple of": 2,
        "a couple": 2,
        "a": 1,
        "an": 1,
    }


def _german_numbers() -> dict[str, int]:
    names = (
        "eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn"
    )
    small = {name: number for number, name in enumerate(f"{names} achtzehn neunzehn".split(), 1)}
    tens_named = "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig"
    tens = {name: 10 * number for number, name in enumerate(tens_named.split(), 2)}
    ones = {"ein": 1, **{name: number for name, number in small.items() if 1 < number < 10}}
    joined = {f"{one}und{ten}": tens[ten] + ones[one] for ten in tens for one in ones}
    return {
        **joined,
        **small,
        **tens,
        **_hundreds({"ein": 1, **small}, "hundert"),
        "einen": 1,
        "einem": 1,
        "einer": 1,
        "eine": 1,
        "ein": 1,
    }


ENGLISH = Words(
    numbers=_english_numbers(),
    weekdays=("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
    short_weekdays=("mon", "tues?", "weds?", "thu(?:rs?)?", "fri", "sat", "sun"),
    months=(
        "jan(?:uary)?", "feb(?:ruary)?", "mar(?:ch)?", "apr(?:il)?", "may", "june?", "july?", "aug(?:ust)?",
        "sept?(?:ember)?", "oct(?:ober)?", "nov(?:ember)?", "dec(?:ember)?",
    ),
    nearby={
        "day after tomorrow": 2, "day before yesterday": -2, "today": 0, "tonight": 0, "tonite": 0, "tomorrow": 1,
        "tomoz": 1, "tmrw": 1, "yesterday": -1, "this (?:morning|afternoon|evening)": 0, "last night": -1,
        "(?:in )?a fortnight": 14,
    },
    pointing="on|by|until|till|before|after|for|from|of|dated|since|this|coming|next|last",
    looking_back="since|from|of|dated|last",
    again="every|each",
    past="ordered|bought|placed|came|arrived|received|delivered|sent|paid|was|were|collected|returned|due|invoice|order"
    "|purchased|posted|shipped|supposed|should have|should've|started|cancelled",
    following="next",
    previous="last|past",
    present="this",
    day="days?", week="weeks?|wks?", month="months?", weekend="weekends?",
    to_weekend=(
        "(?:the|this) coming|(?:by|until|till|before|for) the", "since the", "(?:at|on|over|during|after) the|at|on",
    ),
    ago=(r"{n} {unit} (?:ago|back)",),
    ahead=(r"(?:in|within) {n} {unit}", r"{n} {unit} from now"),
    ordinal=r"(?:st|nd|rd|th)",
    of=r"(?: of)? ?",
    money={"GBP": "quid|pounds?|sterling|squid", "EUR": "euros?", "USD": "dollars?|bucks?"},
    pennies={"GBP": "p|pence", "EUR": "cents?"},
    notes={"fiver": 5, "tenner": 10},
    measures={
        r"kilos?|kilogram(?:me)?s?|kgs?": (1000, "g"), r"gram(?:me)?s?|gr?|gms?": (1, "g"),
        r"lit(?:re|er)s?|l": (1000, "ml"), r"millilit(?:re|er)s?|mls?": (1, "ml"),
        r"ounces?|oz": (28.35, "g"), r"pounds? of|lbs?": (453.6, "g"), r"pints?": (568.3, "ml"),
    },
    fractions={"half an?": 0.5, "half": 0.5, "a quarter": 0.25, "quarter": 0.25},
    sizes={"extra large": "extra large", "xl": "extra large", "large": "large", "big": "large", "bigger": "large",
           "larger": "large", "medium": "medium", "small": "small", "smaller": "small"},
    size_before=r"(?:in|size:?|the|an?)",
    size_after=r"(?:ones?|sized?|bags?|mugs?|cups?|boxe?s?|packs?|packets?|tins?|pouch(?:es)?|jars?|kettles?|teapots?)",
    at=r"\(at\)|\[at\]|at", dot=r"\(dot\)|\[dot\]|dot",
    not_mailboxes="it|me|us|look|looking|is|are|was|saw|met|shop|site|meet|bought|ordered|one|that|this|store|order|and|or|im|be",
    negation=r"(?:not|isnt|wasnt|arent|dont|didnt|never|nothing|no|without)",
)  # fmt: skip

GERMAN = Words(
    numbers=_german_numbers(),
    weekdays=("montag", "dienstag", "mittwoch", "donnerstag", "freitag", "samstag|sonnabend", "sonntag"),
    short_weekdays=("mo", "di", "mi", "do", "fr", "sa", "so"),
    months=(
        "jan(?:uar)?|jänner", "feb(?:ruar)?", "märz|maerz", "apr(?:il)?", "mai", "juni?", "juli?", "aug(?:ust)?",
        "sept?(?:ember)?", "okt(?:ober)?", "nov(?:ember)?", "dez(?:ember)?",
    ),
    nearby={
        "übermorgen": 2, "uebermorgen": 2, "vorgestern": -2, "heute": 0,
        r"(?<!guten )(?<!schönen )(?<!heute )(?<!^)morgen": 1, "gestern": -1,
    },
    pointing="am|bis|zum|vor|nach|ab|vom|von|seit|diesen|diesem|kommenden|nächsten|nächster|letzten|vorigen|letzter",
    looking_back="seit|vom|von|letzten|vorigen|letzter",
    again="jede[nrms]?",
    past="bestellt|gekauft|bezahlt|kam|war|waren|rechnung|erhalten|verschickt|geliefert|sollte|habe|hatte",
    following="nächste[nrms]?|naechste[nrms]?",
    previous="letzte[nrms]?|vorige[nrms]?|vergangene[nrms]?",
    present="diese[nrms]?",
    day="tage?n?", week="wochen?", month="monate?n?", weekend="wochenenden?",
    to_weekend=("(?:am )?kommende[ns]|(?:bis )?zum|vorm|vor dem|fürs", "seit dem", "am|an|an den|übers|nach dem"),
    ago=(r"vor {n} {unit}",),
    ahead=(r"(?:in|binnen) {n} {unit}",),
    ordinal=r"\.",
    of=" ?",
    money={"EUR": "euros?", "GBP": "pfund", "USD": "dollars?"},
    pennies={"EUR": "cents?", "GBP": "pence"},
    notes={},
    measures={
        r"kilos?|kilogramm|kg": (1000, "g"), r"gramm|gr?": (1, "g"), r"liter|l": (1000, "ml"),
        r"milliliter|ml": (1, "ml"), r"pfund": (500, "g"),
    },
    fractions={"ein halbes": 0.5, "einen halben": 0.5, "halbe[sn]?": 0.5, "ein viertel": 0.25, "anderthalb": 1.5},
    sizes={"extra gro(?:ß|ss)": "extra large", "xl": "extra large", "(?:gro(?:ß|ss)|größer)(?:e[srnm]?)?": "large",
           "mittler(?:e[srnm]?)": "medium", "(?:klein|kleiner)(?:e[srnm]?)?": "small"},
    size_before=r"(?:in|größe:?|der|die|das|den|dem|eine[nrm]?|ein)",
    size_after=r"(?:tassen?|becher|packung(?:en)?|beutel|dosen?|kannen?|teekannen?|tüten?)",
    at=r"\(at\)|\[at\]|\(ät\)|ät|at", dot=r"\(punkt\)|\[punkt\]|punkt|dot",
    not_mailboxes="es|ich|war|ist|und|das",
    negation=r"(?:nicht|nichts|kein(?:e[srnm]?)?|nie|ohne)",
)  # fmt: skip

#: By the code of `LanguageIdentifier`; in any other language only what needs no words is found.
WORDS = {"en": ENGLISH, "de": GERMAN}
