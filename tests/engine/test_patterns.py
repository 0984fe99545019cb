from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from rasa.engine.graph import ExecutionContext, GraphSchema
from rasa.engine.storage.local_model_storage import LocalModelStorage
from rasa.engine.storage.resource import Resource
from rasa.shared.importers.rasa import RasaFileImporter
from rasa.shared.nlu.constants import INTENT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from bot.engine.components.classifier_by_language import IntentClassifierByLanguage
from tests.corpus.messages import CORPUS

ROOT = CORPUS.parent.parent
WRITTEN = yaml.safe_load((CORPUS / "patterns.yml").read_text("utf-8"))
#: What a decision by a pattern is, and not by examples.
DECIDED = {"name": "self_harm", "confidence": 1.0}


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a classifier with the patterns of the training data, that has learnt next to nothing else."""
    importer = RasaFileImporter(str(ROOT / "config.yml"), str(ROOT / "domain.yml"), [str(ROOT / "data")])
    learnt = [Message.build(text, intent) for text, intent in zip("abcd", ["greet", "self_harm"] * 2, strict=True)]
    data = TrainingData(learnt, regex_features=importer.get_nlu_data().regex_features)
    storage, kept = LocalModelStorage(Path(tmp_path_factory.mktemp("kept"))), Resource("classifier")
    config, context = {"languages": ["de"], "folds": 2}, ExecutionContext(GraphSchema({}), node_name="node")
    IntentClassifierByLanguage.create(config, storage, kept, context).train(data)
    return IntentClassifierByLanguage.load(config, storage, kept, context)


def _decided(classifier: Any, text: str) -> bool:
    message = Message.build(text)
    classifier.process([message])
    return bool(message.get(INTENT) == DECIDED)


@pytest.mark.parametrize("text", WRITTEN["found"])
def test_somebody_in_danger_is_noticed_by_a_pattern(classifier: Any, text: str) -> None:
    """However it is said and spelt, no examples are needed."""
    assert _decided(classifier, text)


@pytest.mark.parametrize("text", WRITTEN["not_found"])
def test_what_is_said_in_a_shop_raises_no_alarm(classifier: Any, text: str) -> None:
    """Cleaning tablets, holidays and what has come to an end are no emergency."""
    assert not _decided(classifier, text)
