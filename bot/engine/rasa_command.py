"""The `rasa` command of this environment: Rasa's own without TensorFlow, and `rasa shell` served by our engine."""

from __future__ import annotations

import sys
from pathlib import Path

#: Commands of Rasa that start its own server or need its TensorFlow parts, and what to use instead.
REPLACED = {
    "run": "Tandem does not use Rasa's server: `python -m bot run` starts the service and its engine.",
    "interactive": "`rasa interactive` needs Rasa's server: talk with `rasa shell`, write what you learn into data/.",
    "x": "Rasa X needs Rasa's server: Tandem lists what it did not understand, see `python -m bot --help`.",
    "export": "Tandem keeps conversations in its own database: `python -m bot --help` shows how to get at them.",
}

#: What Rasa's validator cannot see: texts that actions and forms say (tests/actions checks those), and the intent that
#: only the server makes.
UNSEEN = (
    r"The utterance '(say|title|utter_ask)_\w+' is not used",
    r"The intent 'handed_back' is listed in the domain file, but",
)


def main() -> int:
    """Run the command line of Rasa from the project's root; the arguments are Rasa's own."""
    sys.path.insert(1, str(Path.cwd()))
    from bot.engine import without_tensorflow

    without_tensorflow.install()
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    if command in REPLACED:
        print(REPLACED[command], file=sys.stderr)
        return 2
    if command == "shell":
        from bot.engine.shell import main as shell

        return shell(sys.argv[2:])
    import rasa.__main__
    from rasa.utils.common import EXPECTED_WARNINGS

    EXPECTED_WARNINGS.extend((UserWarning, message) for message in UNSEEN)
    sys.argv[0] = "rasa"
    rasa.__main__.main()
    return 0
