"""Details in messages: how many are found, and how many are none."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from rasa.engine.graph import ExecutionContext, GraphSchema
from rasa.engine.storage.local_model_storage import LocalModelStorage
from rasa.engine.storage.resource import Resource
from rasa.nlu.extractors.entity_synonyms import EntitySynonymMapper
from rasa.nlu.extractors.regex_entity_extractor import RegexEntityExtractor
from rasa.shared.importers.rasa import RasaFileImporter
from rasa.shared.nlu.training_data.message import Message

from bot.engine.components.details.extractor import DetailExtractor
from bot.engine.components.language_identifier import LanguageIdentifier

ROOT = Path(__file__).parents[2]
CONTEXT = ExecutionContext(GraphSchema({}), node_name="node")
SAID_AT = "2026-11-23T10:15:00+00:00"
KINDS = ("amount", "date", "email", "order_number", "phone", "postcode", "product", "reason", "size", "tracking_number")


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return what reads the details of a text as the bot does, with the data as it stands."""
    importer = RasaFileImporter(str(ROOT / "config.yml"), str(ROOT / "domain.yml"), [str(ROOT / "data")])
    data, kept = importer.get_nlu_data(), LocalModelStorage(tmp_path_factory.mktemp("kept"))
    parts: list[Any] = []
    languages = {"languages": ["en", "de"]}
    for kind, config in (
        (LanguageIdentifier, languages),
        (RegexEntityExtractor, {}),
        (DetailExtractor, {"encoder": str(ROOT / "var" / "encoder")}),
        (EntitySynonymMapper, {}),
    ):
        settings, resource = {**kind.get_default_config(), **config}, Resource(kind.__name__)
        kind.create(settings, kept, resource, CONTEXT).train(data)
        parts.append(kind.load(settings, kept, resource, CONTEXT))

    def details(text: str) -> Counter[tuple[str, str]]:
        message = Message(data={"text": text, "metadata": {"said_at": SAID_AT}})
        for part in parts:
            part.process([message])
        found = ((one["entity"], str(one["value"]).casefold()) for one in message.get("entities"))
        return Counter(one for one in found if one[0] in KINDS)

    return details


@pytest.mark.parametrize(("corpus", "precision", "recall"), [("details", 0.99, 0.99), ("details_blind", 0.96, 0.94)])
def test_details_are_found_as_they_are_meant(read: Any, corpus: str, precision: float, recall: float) -> None:
    """Of what is found nearly all is a detail, and of the details nearly all are found, with their values."""
    found: Counter[str] = Counter()
    false: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    wrong = []
    for one in yaml.safe_load((ROOT / "tests" / "corpus" / f"{corpus}.yml").read_text("utf-8")):
        got = read(one["text"])
        meant = Counter((kind, str(value).casefold()) for kind, values in one["found"].items() for value in values)
        for count, part in ((found, got & meant), (false, got - meant), (missed, meant - got)):
            count.update(kind for kind, _ in part.elements())
        if got != meant:
            wrong.append((one["text"], dict(got - meant), dict(meant - got)))
    table = {kind: (found[kind], false[kind], missed[kind]) for kind in KINDS}
    assert found.total() / (found.total() + false.total()) >= precision, (table, wrong)
    assert found.total() / (found.total() + missed.total()) >= recall, (table, wrong)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("RR123456785GB", {("tracking_number", "rr123456785gb"): 1}),
        ("RR123456784GB", {}),
        ("track 4111111111111111", {("tracking_number", "4111111111111111"): 1}),
        ("my card is 4111111111111111, the parcel is late", {("reason", "late"): 1}),
    ],
)
def test_a_parcel_has_the_right_check_digit_or_a_word_beside_it(read: Any, text: str, value: dict[Any, int]) -> None:
    """A number with a wrong check digit is none of a parcel, and bare digits are one only where the words say so."""
    assert read(text) == value


@pytest.mark.parametrize(
    ("text", "weekend"),
    [
        ("are you open at the weekend", "2026-11-28/2026-11-29"),
        ("it was delivered over the weekend", "2026-11-21/2026-11-22"),
        ("i ordered tea on the weekend", "2026-11-21/2026-11-22"),
        ("habt ihr am Wochenende offen", "2026-11-28/2026-11-29"),
        ("der Tee kam übers Wochenende an", "2026-11-21/2026-11-22"),
        ("i was told you are open this coming weekend", "2026-11-28/2026-11-29"),
        ("i ordered yesterday, is it here before the weekend", "2026-11-28/2026-11-29"),
        ("no sign of it since the weekend", "2026-11-21/2026-11-22"),
        ("kein Lebenszeichen seit dem Wochenende", "2026-11-21/2026-11-22"),
        ("are you open at weekends", "2026-11-28/2026-11-29"),
        ("have a lovely weekend", None),
        ("schönes Wochenende", None),
    ],
)
def test_a_weekend_is_the_next_or_the_last_one(read: Any, text: str, weekend: str | None) -> None:
    """Which one is meant, the words beside it tell; a wish for one is no date."""
    days = [value for kind, value in read(text) if kind == "date" and "/" in value]
    assert days == ([weekend] if weekend else [])
