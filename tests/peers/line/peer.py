"""LINE's own library (PyPI `line-bot-sdk`): one JSON question a line, one JSON answer a line.

{"parse": body, "signature": …, "secret": …} → what the library reads in a webhook call.
{"call": method, "host": …, "token": …, "arguments": {…}} → what comes of a call of the Messaging API.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from linebot.v3 import WebhookParser
from linebot.v3.exceptions import InvalidSignatureError
from linebot.v3.messaging import ApiClient, Configuration, MessagingApi, MessagingApiBlob, models
from linebot.v3.messaging.exceptions import ApiException


def parse(question: dict[str, Any]) -> Any:
    """Return the events of a call, or why the library refuses it."""
    try:
        events = WebhookParser(question["secret"]).parse(question["parse"], question["signature"])
    except InvalidSignatureError:
        return "invalid signature"
    except Exception as error:  # noqa: BLE001 - whatever the library stumbles over
        return f"error: {type(error).__name__}"
    return [json.loads(event.json(by_alias=True)) for event in events]


def call(question: dict[str, Any]) -> Any:
    """Return the answer to a call, or the status and body of a refusal."""
    arguments = dict(question["arguments"])
    for name, kind in question.get("models", {}).items():
        arguments[name] = getattr(models, kind).from_dict(arguments[name])
    configuration = Configuration(access_token=question["token"], host=question["host"])
    with ApiClient(configuration) as client:
        kind = MessagingApiBlob if question["call"] == "get_message_content" else MessagingApi
        api = kind(client)
        if kind is MessagingApiBlob:
            api.line_base_path = question["host"]
        try:
            made = getattr(api, question["call"])(**arguments)
        except ApiException as error:
            return {"status": error.status, "body": json.loads(error.body)}
    if isinstance(made, (bytes, bytearray)):
        return list(made)
    return json.loads(made.json(by_alias=True)) if hasattr(made, "json") else made


for line in sys.stdin:
    asked = json.loads(line)
    sys.stdout.write(json.dumps(parse(asked) if "parse" in asked else call(asked), default=str) + "\n")
    sys.stdout.flush()
