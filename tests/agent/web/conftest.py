"""The application of one test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.agent.web.serving import Served, serving


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    """The application on loopback, without credentials."""
    async with serving(tmp_path) as found:
        yield found
