"""Services are tested on the memory backend, the real one; what storage promises is the contract's business."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

import salescrm
from salescrm import Crm, Work
from salescrm.testing import Clock

pytestmark = pytest.mark.engine("memory")


@pytest.fixture
def clock() -> Clock:
    """Sunday, 15 March 2026, 10:00 in Shanghai."""
    return Clock(datetime(2026, 3, 15, 2, 0, tzinfo=UTC))


@pytest.fixture
def crm(clock: Clock) -> Iterator[Crm]:
    """A Crm on memory whose time the test sets."""
    with salescrm.connect("memory://", clock=clock) as crm:
        yield crm


@pytest.fixture
def work(crm: Crm) -> Iterator[Work]:
    """A unit of work of li's."""
    with crm.begin(by="li") as work:
        yield work
