"""What the connectors have in common whose channels call nobody."""

from __future__ import annotations

from bot.domain.connectors import WebhookRequest
from bot.domain.errors import WebhookRejectedError


class Uncalled:
    """A connector that fetches what there is: its `parse` reads what was fetched, and no call is genuine."""

    def verify(self, request: WebhookRequest) -> None:  # noqa: ARG002 - whatever it is
        """Refuse every call."""
        raise WebhookRejectedError("this channel calls nobody: what there is is fetched")
