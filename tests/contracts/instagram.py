"""Instagram under the contract."""

from __future__ import annotations

from typing import Any

from connectors.meta.instagram import InstagramAccount, InstagramConnector
from tests.contracts.meta import NOWHERE, proof
from tests.contracts.meta_messaging import Messaging
from tests.contracts.subject import Subject
from tests.fakes.media import MemoryMedia

ACCOUNT = "17841400000000001"


def subject() -> Subject:
    """Return Instagram as the suite sees it."""
    account = Messaging(object_name="instagram", account=ACCOUNT, person="987650001112223")
    return account.subject(_connector(), unreachable=_connector(base_url=NOWHERE))


def _connector(**more: Any) -> InstagramConnector:
    account = InstagramAccount(**proof("instagram", ACCOUNT), has_human_agent=True, page="100000000000001", **more)
    return InstagramConnector(account, MemoryMedia())
