"""What X says when it refuses, and what each leaves certain.

X has few codes: most refusals are told apart by their words. What is not here is a plain no when the status says so
(4xx), and nothing certain otherwise.

https://docs.x.com/x-api/fundamentals/response-codes-and-errors
"""

from __future__ import annotations

import re
from datetime import timedelta
from http import HTTPStatus

from bot.domain.connectors import Ambiguous, Permanent, Retry
from connectors.verdicts import ACCOUNT, LATER, NEVER, Verdict

NOT_SUMMONED = (
    "X lets us answer in public only who names us or quotes us: they have to do so, or be written to by direct message"
)
DUPLICATE = "X says that we have just said the same: if it is not there, change some words"
_TOKEN = "X refuses the access token: make new keys and tokens in X's developer console, and set them"  # noqa: S105
_RIGHTS = "the app may not do that for this account: in X's developer console allow reading, writing and messages, then make a new access token"  # noqa: E501 - one sentence
_LOCKED = "X has locked or suspended the account: sign in there and see"
_CREDITS = "X's credits are used up: buy some in X's developer console"
_CLOSED = "the customer takes no direct messages from us: they have blocked us, or follow us no more"
_SUSPENDED = "X has suspended the customer's account"
_GONE = "what is to be answered is deleted, or not visible to us"

#: What the type, title and detail of a refusal say, in small letters → what it comes to, and words for an agent; the
#: first that fits counts.
WORDS: tuple[tuple[str, tuple[Verdict, str]], ...] = (
    (r"duplicate content|already said that", (NEVER, DUPLICATE)),
    (
        r"not been mentioned or otherwise engaged|where you are mentioned|reply to this conversation",
        (NEVER, NOT_SUMMONED),
    ),
    (r"who can reply|not permitted to reply|not allowed to reply", (NEVER, "the author lets only some people reply")),
    (r"deleted or not visible|attempted to reply to", (NEVER, _GONE)),
    (r"cannot send messages to this user|not following you|not verified to send|message requests", (NEVER, _CLOSED)),
    (r"(user|recipient|participant) (has been|is|was) suspended", (NEVER, _SUSPENDED)),
    (r"suspended|temporarily locked|account is locked", (ACCOUNT, _LOCKED)),
    (r"oauth1-permissions|unsupported-authentication|client-not-enrolled|client-forbidden", (ACCOUNT, _RIGHTS)),
    (r"not permitted to perform this action|not permitted to access", (ACCOUNT, _RIGHTS)),
    (r"problems/credits|creditsdepleted|usage-capped|usagecapexceeded|spend cap", (ACCOUNT, _CREDITS)),
    (r"text too long|longer than|too long", (NEVER, "the text is longer than X takes")),
)
#: Codes in the old form of errors, which X still uses in places.
CODES: dict[int, tuple[Verdict, str]] = {
    32: (ACCOUNT, _TOKEN),
    50: (NEVER, "the customer's account is gone"),
    63: (NEVER, _SUSPENDED),
    64: (ACCOUNT, _LOCKED),
    88: (LATER, "X asks for a pause"),
    89: (ACCOUNT, _TOKEN),
    108: (NEVER, "the customer's account is gone"),
    144: (NEVER, _GONE),
    150: (NEVER, _CLOSED),
    151: (NEVER, "X does not send this message: it may hold what X forbids"),
    186: (NEVER, "the text is longer than X takes"),
    187: (NEVER, DUPLICATE),
    226: (NEVER, "X takes the message for spam"),
    326: (ACCOUNT, _LOCKED),
    349: (NEVER, _CLOSED),
    385: (NEVER, _GONE),
    433: (NEVER, "the author lets only some people reply"),
    476: (NEVER, _CLOSED),
}
_STATUSES: dict[int, tuple[Verdict, str]] = {
    HTTPStatus.UNAUTHORIZED: (ACCOUNT, _TOKEN),
    HTTPStatus.PAYMENT_REQUIRED: (ACCOUNT, _CREDITS),
    HTTPStatus.TOO_MANY_REQUESTS: (LATER, "X asks for a pause"),
}


def outcome(
    status: int, code: int | None, said: str, detail: str, asked: timedelta | None
) -> Permanent | Retry | Ambiguous:
    """Return what is certain about a call that was refused with that status, and with what its body said."""
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Ambiguous(reason=f"X failed, and it may have been sent ({status})")
    by_words = next((found for pattern, found in WORDS if re.search(pattern, said.lower())), None)
    words_known = CODES.get(code or 0) or by_words or _STATUSES.get(status)
    verdict, words = words_known or (NEVER, f"X refuses it: {detail}" if detail else "X refuses it")
    if verdict is LATER:
        return Retry(reason=words, after=asked)
    return Permanent(reason=f"{words} ({code or status})", code=str(code or status), is_account=verdict is ACCOUNT)
