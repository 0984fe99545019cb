"""Messenger under the contract."""

from __future__ import annotations

from typing import Any

from connectors.meta.messenger import MessengerAccount, MessengerConnector
from tests.contracts.meta import NOWHERE, proof
from tests.contracts.meta_messaging import Messaging
from tests.contracts.subject import Subject
from tests.fakes.media import MemoryMedia

PAGE = "100000000000001"


def subject() -> Subject:
    """Return Messenger as the suite sees it."""
    page = Messaging(object_name="page", account=PAGE, person="24680135791113")
    return page.subject(_connector(), unreachable=_connector(base_url=NOWHERE))


def _connector(**more: Any) -> MessengerConnector:
    account = MessengerAccount(**proof("messenger", PAGE), has_human_agent=True, **more)
    return MessengerConnector(account, MemoryMedia())
