"""How hard the property tests look: the same few examples in each run, or as many new ones as one asks for."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, settings


@pytest.fixture
def examples() -> Callable[[int], settings]:
    """
    The settings for so many examples, always the same ones.

    ``SALESCRM_EXAMPLES=1000`` looks for that many new ones in each test instead.
    """
    wanted = os.environ.get("SALESCRM_EXAMPLES")

    def so_many(few: int) -> settings:
        return settings(
            max_examples=int(wanted) if wanted else few,
            derandomize=wanted is None,
            database=None,
            # Shrinking takes minutes: what failed is named as it is, and shrunk when one asks for more examples.
            phases=[Phase.explicit, Phase.generate, *([Phase.shrink] if wanted else [])],
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )

    return so_many
