"""Models of Bluesky's lexicons by others (PyPI `atproto`): one JSON question a line, one JSON answer a line.

{"model": "AppBskyFeedPost.Record", "value": …} → the value as the library reads it, or {"error": why it does not}.
{"tid": key} → whether it is the key of a record.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from atproto import models  # type: ignore[import-not-found]
from atproto_client.models.string_formats import validate_tid  # type: ignore[import-not-found]
from pydantic import ValidationError

STRICT = {"strict_string_format": True}


def answer(question: dict[str, Any]) -> Any:
    """Return what the library makes of a question."""
    try:
        if "tid" in question:
            return validate_tid(question["tid"], type("Info", (), {"context": STRICT})()) == question["tid"]
        space, _, name = question["model"].partition(".")
        model = getattr(getattr(models, space), name)
        return model.model_validate(question["value"], context=STRICT).model_dump(by_alias=True, mode="json")
    except (ValidationError, ValueError) as error:
        return {"error": str(error)}


for line in sys.stdin:
    sys.stdout.write(json.dumps(answer(json.loads(line)), default=str) + "\n")
    sys.stdout.flush()
