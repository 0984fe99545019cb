"""What messages look like on their way to Discord.

https://docs.discord.com/developers/resources/message#create-message
"""

from __future__ import annotations

import hashlib
from math import ceil

from bot.domain.connectors import SendOperation, SendText
from bot.domain.messages import Choice
from connectors.fields import storable
from connectors.titles import shown_titles

TEXT_MAX, ROWS_MAX, ROW_MAX, LABEL_MAX = 2000, 5, 5, 80
_ACTION_ROW, _BUTTON, _PLAIN = 1, 2, 2
#: Shows no previews of links.
_SUPPRESS_EMBEDS = 1 << 2


def nonce(key: str) -> str:
    """Return what tells a repeat of a call, 25 characters at most."""
    return hashlib.blake2b(key.encode(), digest_size=12).hexdigest()


def envelope(operation: SendOperation, key: str) -> dict[str, object]:
    """Return what every message carries: nobody is called by a text, and a repeat is the same message."""
    answered = answered_by(operation)
    reference = {"message_id": answered, "fail_if_not_exists": False}
    return {
        "nonce": nonce(key),
        "enforce_nonce": True,
        "allowed_mentions": {"parse": [], "replied_user": bool(answered)},
        **({"message_reference": reference} if answered else {}),
    }


def answered_by(operation: SendOperation) -> str:
    """Return the message that an operation answers: the one that it quotes, in public else the customer's last."""
    quoted = operation.quotes if isinstance(operation, SendText) else ""
    return quoted or operation.reply_context.get("message_id", "")


def text(operation: SendText) -> dict[str, object]:
    """Return the words of a message and the buttons below them."""
    content: dict[str, object] = {"content": storable(operation.text), "flags": _SUPPRESS_EMBEDS}
    return content | ({"components": buttons(operation.choices)} if operation.choices else {})


def changed(operation: SendText) -> dict[str, object]:
    """Return what a message is changed to."""
    mentions: dict[str, object] = {"parse": []}
    return text(operation) | {"allowed_mentions": mentions, "components": buttons(operation.choices)}


def buttons(choices: tuple[Choice, ...]) -> list[dict[str, object]]:
    """Return the rows of buttons: one in each row as long as the rows suffice."""
    made: list[dict[str, object]] = [
        {"type": _BUTTON, "style": _PLAIN, "label": label, "custom_id": each.payload}
        for label, each in zip(shown_titles(choices, LABEL_MAX), choices, strict=True)
    ]
    width = max(1, ceil(len(made) / ROWS_MAX))
    return [{"type": _ACTION_ROW, "components": made[at : at + width]} for at in range(0, len(made), width)]
