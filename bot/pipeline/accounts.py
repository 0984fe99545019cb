"""Telling the operator, once, that nothing goes through a channel account until somebody mends it."""

from __future__ import annotations

import structlog

from bot import metrics
from bot.domain.connectors import Connector, Permanent, SendResult, Sent

log = structlog.get_logger()


class Accounts:
    """The channel accounts that do not work, as this process has seen it."""

    def __init__(self) -> None:
        """Know of none."""
        self._broken: dict[str, str] = {}

    def note(self, connector: Connector, result: SendResult) -> None:
        """Take in what came of a call: the first refusal of a whole account is an alarm, and so is its end."""
        name = f"{connector.channel}/{connector.account}"
        if isinstance(result, Permanent) and result.is_account:
            if name not in self._broken:
                log.error("channel_account_broken", account=name, reason=result.reason, code=result.code)
                metrics.ACCOUNT_TROUBLE.labels(name).set(1)
            self._broken[name] = result.reason
        elif isinstance(result, Sent) and self._broken.pop(name, None) is not None:
            log.info("channel_account_works_again", account=name)
            metrics.ACCOUNT_TROUBLE.labels(name).set(0)

    def alarming(self) -> dict[str, str]:
        """Return why each account that does not work does not."""
        return dict(self._broken)
