"""Lets Rasa be imported with neither TensorFlow nor the packages of its unused parts installed.

Rasa imports every built-in component, channel and store whether a bot uses it or not. `install` puts small stand-ins in
`sys.modules` for exactly the modules that would pull those packages in. A stand-in holds the names that the rest of
Rasa takes from the module; using one of them says so clearly instead of crashing deep inside.

The same table carries what newer releases of numpy, packaging and setuptools removed from under Rasa 3.6.21, and
replaces its Dask runner by ours.
"""

from __future__ import annotations

import functools
import importlib
import importlib.machinery
import importlib.metadata
import importlib.resources
import importlib.util
import os
import sys
import types
import uuid
from collections.abc import Callable, Collection, Mapping
from typing import Any

from bot.engine.threads import compute_on_one_thread

#: Modules that are not loaded -> the classes that Rasa takes from them by name.
ABSENT_CLASSES: Mapping[str, tuple[str, ...]] = {
    "rasa.utils.tensorflow.callback": ("RasaTrainingLogger", "RasaModelCheckpoint"),
    "rasa.utils.tensorflow.data_generator": ("RasaBatchDataGenerator", "RasaDataGenerator"),
    "rasa.nlu.classifiers.diet_classifier": ("DIETClassifier", "DIET"),
    "rasa.nlu.selectors.response_selector": ("ResponseSelector",),
    "rasa.nlu.featurizers.dense_featurizer.lm_featurizer": ("LanguageModelFeaturizer",),
    "rasa.nlu.featurizers.dense_featurizer.convert_featurizer": ("ConveRTFeaturizer",),
    "rasa.core.policies.ted_policy": ("TEDPolicy", "TED"),
    "rasa.core.policies.unexpected_intent_policy": ("UnexpecTEDIntentPolicy",),
    "rasa.core.channels.console": ("CmdlineInput",),
    "rasa.core.channels.botframework": ("BotFrameworkInput",),
    "rasa.core.channels.callback": ("CallbackInput",),
    "rasa.core.channels.facebook": ("FacebookInput",),
    "rasa.core.channels.hangouts": ("HangoutsInput",),
    "rasa.core.channels.mattermost": ("MattermostInput",),
    "rasa.core.channels.rasa_chat": ("RasaChatInput",),
    "rasa.core.channels.rocketchat": ("RocketChatInput",),
    "rasa.core.channels.slack": ("SlackInput",),
    "rasa.core.channels.socketio": ("SocketIOInput",),
    "rasa.core.channels.telegram": ("TelegramInput",),
    "rasa.core.channels.twilio": ("TwilioInput",),
    "rasa.core.channels.twilio_voice": ("TwilioVoiceInput",),
    "rasa.core.channels.webexteams": ("WebexTeamsInput",),
    "boto3.dynamodb.conditions": ("Key",),
    "pymongo.collection": ("Collection",),
    "aiormq": (),
    "rasa.core.brokers.pika": ("PikaEventBroker",),
}

#: The components of Rasa that a `config.yml` may name, by the module they live in.
COMPONENTS: Mapping[str, tuple[str, ...]] = {
    "rasa.nlu.classifiers.fallback_classifier": ("FallbackClassifier",),
    "rasa.nlu.classifiers.keyword_intent_classifier": ("KeywordIntentClassifier",),
    "rasa.nlu.classifiers.logistic_regression_classifier": ("LogisticRegressionClassifier",),
    "rasa.nlu.extractors.duckling_entity_extractor": ("DucklingEntityExtractor",),
    "rasa.nlu.extractors.entity_synonyms": ("EntitySynonymMapper",),
    "rasa.nlu.extractors.regex_entity_extractor": ("RegexEntityExtractor",),
    "rasa.nlu.featurizers.sparse_featurizer.count_vectors_featurizer": ("CountVectorsFeaturizer",),
    "rasa.nlu.featurizers.sparse_featurizer.lexical_syntactic_featurizer": ("LexicalSyntacticFeaturizer",),
    "rasa.nlu.featurizers.sparse_featurizer.regex_featurizer": ("RegexFeaturizer",),
    "rasa.nlu.tokenizers.whitespace_tokenizer": ("WhitespaceTokenizer",),
    "rasa.core.policies.memoization": ("AugmentedMemoizationPolicy", "MemoizationPolicy"),
    "rasa.core.policies.rule_policy": ("RulePolicy",),
    "bot.engine.components.intent_classifier": ("LinearIntentClassifier",),
    "bot.engine.components.sentence_featurizer": ("SentenceEmbeddingFeaturizer",),
}


class StandIn(types.ModuleType):
    """A module whose names are made when first asked for, and which has no others."""

    def __init__(self, name: str, names: Mapping[str, Callable[[], object]]) -> None:
        super().__init__(name, "Stands in for a module that this environment leaves out.")
        self._names = names

    def __getattr__(self, name: str) -> object:
        maker = self._names.get(name)
        if maker is None:
            message = f"{self.__name__}.{name} is left out of this environment"
            raise AttributeError(message)
        value = maker()
        setattr(self, name, value)
        return value


_MODEL_DATA = ("Data", "FeatureArray", "FeatureSignature", "RasaModelData")

_PLOTTERS = ("plot_confusion_matrix", "plot_curve", "plot_paired_histogram")


class AbsentError(ImportError):
    """Somebody tried to use a part of Rasa that this environment leaves out."""


class Absent:
    """The base of every class in `ABSENT_CLASSES`: it can be named and compared, never used."""

    def __init__(self, *_: object, **__: object) -> None:
        message = (
            f"{type(self).__name__} is left out of this environment: it needs TensorFlow or a package not installed"
        )
        raise AbsentError(message)

    @classmethod
    def name(cls) -> str:
        """Return the name under which Rasa lists a channel."""
        return cls.__name__


def install(wanted: Collection[str] | None = None) -> None:
    """Put the stand-ins in place; to be called before anything imports Rasa. A second call changes nothing.

    What Rasa computes with keeps to one thread from here on; see `compute_on_one_thread`.

    `wanted` names the components that `config.yml` has: Rasa imports all others too, which takes a second, unless it is
    told so.
    """
    if "rasa.engine.recipes.default_components" in sys.modules:
        return
    os.environ["RASA_TELEMETRY_ENABLED"] = "false"
    compute_on_one_thread()
    _restore_removed_names()
    for module in _stand_ins(wanted):
        sys.modules[module.__name__] = module


def _restore_removed_names() -> None:
    import numpy as np
    import packaging.version

    # Named in Rasa's list of warnings to hush; numpy 2 moved it.
    vars(np)["VisibleDeprecationWarning"] = np.exceptions.VisibleDeprecationWarning
    # Rasa asks whether a version is one of these; packaging 22 removed it, so none is.
    vars(packaging.version)["LegacyVersion"] = type("LegacyVersion", (packaging.version.Version,), {})


def _stand_ins(wanted: Collection[str] | None) -> list[StandIn]:
    return [
        *(StandIn(module, _absent(names)) for module, names in ABSENT_CLASSES.items()),
        StandIn(
            "rasa.utils.tensorflow.model_data",
            {**_absent(_MODEL_DATA), "ragged_array_to_ndarray": lambda: _ragged_array},
        ),
        StandIn("rasa.utils.plotting", {name: functools.partial(_plotter, name) for name in _PLOTTERS}),
        StandIn(
            "rasa.engine.recipes.default_components", {"DEFAULT_COMPONENTS": functools.partial(_components, wanted)}
        ),
        StandIn("rasa.engine.runner.dask", {"DaskGraphRunner": _graph_runner}),
        StandIn(
            "pkg_resources",
            {"resource_filename": lambda: _resource_filename, "get_distribution": lambda: _distribution},
        ),
        StandIn("randomname", {"get_name": lambda: _model_name}),
        StandIn("structlog_sentry", {"SentryProcessor": lambda: _pass_on}),
    ]


def _absent(names: tuple[str, ...]) -> dict[str, Callable[[], object]]:
    return {name: functools.partial(type, name, (Absent,), {}) for name in names}


def _components(wanted: Collection[str] | None) -> list[object]:
    return [
        getattr(importlib.import_module(module), name)
        for module, names in COMPONENTS.items()
        for name in names
        if wanted is None or name in wanted
    ]


def _graph_runner() -> object:
    from bot.engine.graph_runner import SequentialGraphRunner

    return SequentialGraphRunner


def _resource_filename(package: str, path: str) -> str:
    return str(importlib.resources.files(package) / path)


def _distribution(package: str) -> importlib.metadata.Distribution:
    return importlib.metadata.distribution(package)


def _plotter(name: str) -> object:
    return getattr(_plotting(), name)


@functools.cache
def _plotting() -> types.ModuleType:
    """Load the real module when somebody plots: it takes Matplotlib, which nobody else needs."""
    import rasa.utils

    spec = importlib.machinery.PathFinder.find_spec("rasa.utils.plotting", rasa.utils.__path__)
    if spec is None or spec.loader is None:
        message = "Rasa has no rasa.utils.plotting: this is not Rasa 3.6.21"
        raise ImportError(message)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _ragged_array(arrays: Any) -> Any:
    import numpy as np

    try:
        return np.array(arrays)
    except ValueError:  # of different lengths
        return np.array(arrays, dtype=object)


def _model_name() -> str:
    return uuid.uuid4().hex[:8]


def _pass_on(**_: object) -> Callable[[Any, str, Any], Any]:
    return lambda _logger, _method, event: event
