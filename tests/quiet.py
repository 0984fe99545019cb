"""What tests do with the logs of the code they try, and leave as they found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog


@contextmanager
def logs_as(**settings: Any) -> Iterator[None]:
    """Log by these settings of structlog inside the block; tests that follow find what was set before."""
    before = structlog.get_config()
    structlog.configure(**settings)
    try:
        yield
    finally:
        structlog.configure(**before)
