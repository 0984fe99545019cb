from __future__ import annotations

import pytest

from tests.contracts.subject import Subject
from tests.contracts.subjects import SUBJECTS


@pytest.fixture(scope="session", params=list(SUBJECTS))
def subject(request: pytest.FixtureRequest) -> Subject:
    """Each connector in turn; parsing and planning keep nothing, so one of each serves all tests."""
    name: str = request.param
    return SUBJECTS[name]()
