from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog

from tests.faults.conftest import model
from tests.quiet import logs_as
from tests.shift.day import Day, open_day

__all__ = ["model"]


@pytest.fixture(params=["http", pytest.param("socket", marks=pytest.mark.no_cover)])
async def day(request: pytest.FixtureRequest, tmp_path: Path, model: Path) -> AsyncIterator[Day]:
    """Return a shift that begins, with Slack calling us or over Socket Mode."""
    with logs_as(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR)):
        async with open_day(tmp_path, model, is_socket=request.param == "socket") as opened:
            yield opened
