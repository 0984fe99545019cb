"""How the engine calls custom actions: one kept connection, compiled schemas, and no failure forgotten."""

from __future__ import annotations

import json
from contextvars import ContextVar
from typing import Any

import aiohttp
import jsonschema
from rasa.core.actions.action import RemoteAction
from rasa.utils.endpoints import ClientResponseError, EndpointConfig

REJECTED = 400

#: The calls that failed in the step at hand: Rasa swallows some of them.
failed_calls: ContextVar[list[dict[str, str]]] = ContextVar("failed_calls")


class ActionCallError(Exception):
    """A custom action could not be run, or answered with what is no answer."""


class ActionEndpoint(EndpointConfig):
    """The place where custom actions run.

    Rasa opens a connection and compiles the schema of answers at each call, which costs more than most actions do.
    """

    def __init__(self, url: str, token: str, timeout: float) -> None:
        super().__init__(url)
        self._token = token
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._session: aiohttp.ClientSession | None = None
        self._schema = _AnswerSchema()
        self._domain: tuple[object, str] = (None, "")
        RemoteAction._validate_action_result = _checked_already  # noqa: SLF001 - the endpoint checks what it receives

    async def request(self, *_: Any, json: dict[str, Any], **__: Any) -> dict[str, Any]:
        """Run the action that the body names and return its checked answer.

        Raises:
            ClientResponseError: the action rejects being run now, which is part of a dialogue.
            ActionCallError: anything else; it is noted in `failed_calls` too.
        """
        name = str(json.get("next_action"))
        try:
            return await self._call(json)
        except ClientResponseError:
            raise
        except (ActionCallError, aiohttp.ClientError, TimeoutError, ValueError) as error:
            detail = str(error) or type(error).__name__
            failed_calls.get().append({"action": name, "error": detail[:500]})
            raise ActionCallError(f"{name}: {detail}") from error

    async def _call(self, body: dict[str, Any]) -> dict[str, Any]:
        if self._session is None:
            headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
            self._session = aiohttp.ClientSession(headers=headers, timeout=self._timeout)
        headers = {"Content-Type": "application/json"}
        async with self._session.post(self.url, data=self._dumped(body), headers=headers) as response:
            text = await response.text()
            if response.status == REJECTED and "action_name" in _object(text):
                raise ClientResponseError(response.status, response.reason, text)
            if response.status != 200:
                raise ActionCallError(f"status {response.status}: {text[:200]}")
        answer = _object(text)
        if (problem := self._schema.problem_of(answer)) is not None:
            raise ActionCallError(f"its answer is not one of an action: {problem[:200]}")
        return answer

    def _dumped(self, body: dict[str, Any]) -> bytes:
        """Return the body as JSON; the domain in it, which is most of it and always the same, is written once."""
        if "domain" not in body:
            return json.dumps(body).encode()
        domain = body.pop("domain")
        if self._domain[0] is not domain:
            self._domain = (domain, json.dumps(domain))
        return f'{json.dumps(body)[:-1]}, "domain": {self._domain[1]}}}'.encode()

    async def close(self) -> None:
        """Close the connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None


class _AnswerSchema:
    """Rasa's schema of an action's answer. Of its alternatives for an event, only the one of that name is looked at."""

    def __init__(self) -> None:
        whole = RemoteAction.action_response_format_spec()
        event = whole["properties"]["events"]["items"]
        alternatives = event["oneOf"]
        plain = {key: value for key, value in event.items() if key != "oneOf"}
        self._whole = _validator({"type": "object", "properties": {**whole["properties"], "events": {"type": "array"}}})
        self._events = {
            alternative["properties"]["event"]["const"]: _validator({**plain, "allOf": [alternative]})
            for alternative in alternatives
        }

    def problem_of(self, answer: dict[str, Any]) -> str | None:
        """Return what is wrong with an answer, or None."""
        if (problem := jsonschema.exceptions.best_match(self._whole.iter_errors(answer))) is not None:
            return str(problem.message)
        for event in answer.get("events", []):
            name = event.get("event") if isinstance(event, dict) else None
            validator = self._events.get(name) if isinstance(name, str) else None
            if validator is None:
                return f"{name!r} is no event"
            if (problem := jsonschema.exceptions.best_match(validator.iter_errors(event))) is not None:
                return str(problem.message)
        return None


def _validator(schema: dict[str, Any]) -> jsonschema.protocols.Validator:
    return jsonschema.validators.validator_for(schema)(schema)


def _object(text: str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ActionCallError("its answer is not a JSON object")
    return value


def _checked_already(_: RemoteAction, __: dict[str, Any]) -> bool:
    return True
