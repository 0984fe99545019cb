"""How the engine calls custom actions: one kept connection, one compiled schema, and no failure forgotten."""

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
        schema = RemoteAction.action_response_format_spec()
        self._validator = jsonschema.validators.validator_for(schema)(schema)
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
        async with self._session.post(self.url, json=body) as response:
            text = await response.text()
            if response.status == REJECTED and "action_name" in _object(text):
                raise ClientResponseError(response.status, response.reason, text)
            if response.status != 200:
                raise ActionCallError(f"status {response.status}: {text[:200]}")
        answer = _object(text)
        if (problem := jsonschema.exceptions.best_match(self._validator.iter_errors(answer))) is not None:
            raise ActionCallError(f"its answer is not one of an action: {problem.message[:200]}")
        return answer

    async def close(self) -> None:
        """Close the connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def _object(text: str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ActionCallError("its answer is not a JSON object")
    return value


def _checked_already(_: RemoteAction, __: dict[str, Any]) -> bool:
    return True
