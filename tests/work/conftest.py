"""What a unit of work promises, on every engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

import salescrm
from salescrm import Crm
from salescrm.testing import Clock


@pytest.fixture
def clock() -> Clock:
    """Sunday, 15 March 2026, 10:00 in Shanghai."""
    return Clock(datetime(2026, 3, 15, 2, 0, tzinfo=UTC))


@pytest.fixture
def connect(engine_url: str, clock: Clock) -> Iterator[Callable[..., Crm]]:
    """``connect(**options)`` gives a migrated Crm on the engine under test; all of them see the same records."""
    opened: list[Crm] = []

    def connect(**options: Any) -> Crm:
        same = opened[0].kit.backend if opened and engine_url == "memory://" else engine_url
        crm = salescrm.connect(same, **{"clock": clock, **options})
        crm.migrate()
        opened.append(crm)
        return crm

    yield connect
    for crm in opened:
        crm.close()


@pytest.fixture
def crm(connect: Callable[..., Crm]) -> Crm:
    """A Crm with nothing special about it."""
    return connect()
