from __future__ import annotations

from tests.faults.conftest import tell

__all__ = ["tell"]
