"""The connectors that keep the contract: one line each."""

from __future__ import annotations

from collections.abc import Callable

from tests.contracts import telegram, webchat
from tests.contracts.subject import Subject

SUBJECTS: dict[str, Callable[[], Subject]] = {
    "telegram": telegram.subject,
    "webchat": webchat.subject,
}
