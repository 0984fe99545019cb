"""Calls of a WordPress site's REST API, and what each way to fail leaves certain.

https://developer.wordpress.org/rest-api/
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import urlencode

from bot.domain.connectors import Ambiguous, Permanent, Retry
from bot.domain.errors import MalformedWebhookError
from connectors.fields import Fields, load
from connectors.http import Answer, Call, CallError, Line, asked_pause, classify
from connectors.verdicts import ACCOUNT, LATER, NEVER, Verdict

Failure = Retry | Permanent | Ambiguous

_CONNECTIONS_MAX = 8
_ANSWER_MAX = 8_000_000
_MESSAGE_MAX = 200
#: WordPress refuses to keep the same words twice below the same comment.
DUPLICATE = "comment_duplicate"
#: What was deleted for good, or moved to the trash before.
GONE = frozenset({"rest_comment_invalid_id", "rest_already_trashed"})

#: WordPress's code → verdict and words for an agent.
CODES: dict[str, tuple[Verdict, str]] = {
    DUPLICATE: (NEVER, "the same words stand below this comment already"),
    "comment_flood": (LATER, "the site asks for a pause between comments"),
    "rest_comment_closed": (NEVER, "comments are closed for this article"),
    "rest_comment_invalid_post_id": (NEVER, "the article is no longer there"),
    "rest_comment_draft_post": (NEVER, "the article is not published any more"),
    "rest_comment_trash_post": (NEVER, "the article is in the trash"),
    "rest_comment_invalid_id": (NEVER, "the comment is no longer there"),
    "rest_already_trashed": (NEVER, "the comment is in the trash already"),
    "comment_content_column_length": (NEVER, "the text is too long for the site"),
    "rest_comment_content_invalid": (NEVER, "the site refuses a comment without words"),
    "rest_cannot_read_post": (NEVER, "the user may not read this article"),
    "rest_cannot_edit": (NEVER, "the user may not change this comment"),
    "rest_cannot_delete": (NEVER, "the user may not delete this comment"),
    "rest_comment_login_required": (ACCOUNT, "the site does not take the application password: make a new one"),
    "rest_not_logged_in": (ACCOUNT, "the site does not take the application password: make a new one"),
    "incorrect_password": (ACCOUNT, "the site does not take the application password: make a new one"),
    "invalid_username": (ACCOUNT, "the site knows no such user"),
    "invalid_email": (ACCOUNT, "the site knows no such user"),
    "application_passwords_disabled": (ACCOUNT, "application passwords are switched off on the site: it needs HTTPS"),
    "application_passwords_disabled_for_user": (ACCOUNT, "application passwords are switched off for the user"),
    "rest_forbidden_context": (ACCOUNT, "the user may not moderate comments: make them an editor"),
    "rest_no_route": (ACCOUNT, "the site's REST API is switched off: a plugin may do that"),
    "rest_disabled": (ACCOUNT, "the site's REST API is switched off: a plugin may do that"),
}


class WordPressApi:
    """The calls of one user on one site. Nothing it holds, logs or raises contains the password."""

    def __init__(self, url: str, user: str, password: str, proxy_url: str | None) -> None:
        """Connect to nothing before the first call."""
        proof = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {proof}", "Accept": "application/json"}
        self._url = url.rstrip("/")
        self._line = Line(_CONNECTIONS_MAX, proxy_url, "", "")

    async def call(
        self, method: str, path: str, query: Mapping[str, str], body: Mapping[str, object] | None = None
    ) -> bytes | Failure:
        """Return the body of the answer; `path` as /wp/v2/comments, which sites without pretty addresses have too."""
        url = f"{self._url}/?{urlencode({'rest_route': path, **query})}"
        content = json.dumps(body).encode() if body is not None else b""
        headers = self._headers | ({"Content-Type": "application/json"} if body is not None else {})
        try:
            answer = await self._line.answer(
                Call(method=method, url=url, headers=headers, body=content, bytes_max=_ANSWER_MAX)
            )
        except CallError as error:
            return classify(error)
        if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            return answer.body
        return failure_of(answer)

    async def close(self) -> None:
        """Close all connections."""
        await self._line.close()


def failure_of(answer: Answer) -> Failure:
    """Return what is certain after a refusal."""
    try:
        body = Fields(load(answer.body))
        code, said = body.text("code", ""), body.text("message", "")[:_MESSAGE_MAX]
    except MalformedWebhookError:
        code, said = "", ""
    if code not in CODES:
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
            return Retry(reason="the site asks for a pause", after=asked_pause(answer.headers))
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status < HTTPStatus.BAD_REQUEST:
            return Ambiguous(reason=f"the site failed, and the comment may be there (HTTP {answer.status})")
    elsewhere = (NEVER, f"the site refuses it: {said or f'HTTP {answer.status}'}")
    if answer.status == HTTPStatus.UNAUTHORIZED:
        elsewhere = (ACCOUNT, "the site does not take the application password: make a new one")
    verdict, words = CODES.get(code, elsewhere)
    if verdict is LATER:
        return Retry(reason=words, after=asked_pause(answer.headers))
    return Permanent(reason=words, code=code or str(answer.status), is_account=verdict is ACCOUNT)
