"""How the engine calls custom actions: one kept connection, compiled schemas, and no failure forgotten."""

from __future__ import annotations

import hashlib
import json
from contextvars import ContextVar
from typing import Any

import aiohttp
import jsonschema
from rasa.core.actions.action import RemoteAction
from rasa.utils.endpoints import ClientResponseError, EndpointConfig

REJECTED = 400
#: The answer of an action server that has not seen the domain of this digest (rasa_sdk, from 3.8 on).
MISSING_DOMAIN = 449

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
        self._domain: tuple[object, str, str] | None = None
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
        known, whole = self._written(body.pop("domain", {}))
        status, text = await self._post(f"{json.dumps(body)[:-1]}, {known}}}")
        if status == MISSING_DOMAIN:
            status, text = await self._post(f"{json.dumps(body)[:-1]}, {known}, {whole}}}")
        if status == REJECTED and "action_name" in _object(text):
            raise ClientResponseError(status, "rejected", text)
        if status != 200:
            raise ActionCallError(f"status {status}: {text[:200]}")
        answer = _object(text)
        if (problem := self._schema.problem_of(answer)) is not None:
            raise ActionCallError(f"its answer is not one of an action: {problem[:200]}")
        return answer

    async def _post(self, body: str) -> tuple[int, str]:
        if self._session is None:
            headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
            self._session = aiohttp.ClientSession(headers=headers, timeout=self._timeout)
        headers = {"Content-Type": "application/json"}
        async with self._session.post(self.url, data=body.encode(), headers=headers) as response:
            return response.status, await response.text()

    def _written(self, domain: object) -> tuple[str, str]:
        """Return the members that name the domain and that hold it, made once for a domain.

        It would be most of each call and is always the same: actions ask for it when they do not know it yet.
        """
        if self._domain is None or self._domain[0] is not domain:
            written = json.dumps(domain)
            digest = hashlib.sha256(written.encode()).hexdigest()
            self._domain = (domain, f'"domain_digest": "{digest}"', f'"domain": {written}')
        return self._domain[1:]

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
