from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bot.engine.threads import VARIABLES
from bot.engine.without_tensorflow import COMPONENTS, AbsentError

LEFT_OUT = ["tensorflow", "sklearn", "matplotlib", "boto3", "pymongo", "kafka", "twilio", "aiogram", "grpc"]


def test_serving_loads_none_of_the_heavy_packages() -> None:
    """A process that can load a model and run turns has imported neither TensorFlow nor what only training needs."""
    program = (
        "import sys; from bot.engine import without_tensorflow as w; w.install(); w.install();"
        "import bot.engine.server, bot.engine.components.intent_classifier, rasa.core.policies.rule_policy;"
        "import rasa.core.policies.memoization, rasa.nlu.extractors.regex_entity_extractor;"
        f"print([name for name in {LEFT_OUT} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("before", ["", "import numpy, scipy.linalg;"])
def test_matrices_are_multiplied_on_one_thread(before: str) -> None:
    """It does not matter who imported numpy before, or who imports SciPy later."""
    program = (
        f"{before}from bot.engine import without_tensorflow as w; w.install();"
        "import scipy.linalg, threadpoolctl; print({pool['num_threads'] for pool in threadpoolctl.threadpool_info()})"
    )
    environ = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=True, env=environ
    )
    assert done.stdout.strip() == "{1}"


def test_a_left_out_component_says_so() -> None:
    """Using what is left out gives an error that names it, not a crash elsewhere."""
    from rasa.core.channels import BUILTIN_CHANNELS
    from rasa.nlu.classifiers.diet_classifier import DIETClassifier

    with pytest.raises(AbsentError, match="DIETClassifier is left out"):
        DIETClassifier({}, None)
    assert "SlackInput" in BUILTIN_CHANNELS


def test_every_component_that_a_config_may_name_is_there() -> None:
    """The components offered to `config.yml` can all be imported."""
    from rasa.engine.recipes.default_components import DEFAULT_COMPONENTS

    assert {kind.__name__ for kind in DEFAULT_COMPONENTS} == {name for names in COMPONENTS.values() for name in names}
