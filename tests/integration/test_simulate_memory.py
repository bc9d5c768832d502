"""A simulation holds a batch of customers at a time, and a little of each that falls; however many there are."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Final

import pytest

import salescrm
from salescrm import Customer, Policy, Work
from salescrm.labels import Label
from salescrm.policy import Pool, RecycleRule
from salescrm.storage import Insert
from salescrm.testing import START, Clock, Maker

MANY: Final = 6_000
QUIET: Final = RecycleRule(
    key="quiet", label=Label("not followed up", "久未跟进"), anchor="no_follow_up", limit=30
)
POLICY: Final = Policy(pools=[Pool(key="north", label=Label("North", "北区公海"), rules=[QUIET])])


def customers(falling: int) -> Iterator[list[Customer]]:
    """Batches of those that somebody owns, one in *falling* of them quiet for long."""
    make = Maker(at=START - timedelta(days=60), seed="m")
    for start in range(0, MANY, 1_000):
        yield [
            make.customer(
                tenant="main",
                owner_id=f"m{number % 20}",
                owned_since=START - timedelta(days=60),
                quiet_since=START - timedelta(days=29 if number % falling == 0 else 1),
            )
            for number in range(start, start + 1_000)
        ]


def megabytes(act: Callable[[], object]) -> float:
    """The most that *act* held at any moment."""
    tracemalloc.start()
    try:
        kept = act()  # noqa: F841  # what it returns counts
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("falling, times", [(20, 5), (1, 1.5)], ids=["some fall", "all fall"])
def test_memory_is_bounded_by_batches(sqlite_url: str, falling: int, times: float) -> None:
    """As a control, the records themselves are held at once: that takes several times as much."""
    with salescrm.connect(sqlite_url, policy=POLICY, clock=Clock(START)) as crm:
        crm.migrate()
        with crm.begin(by="li") as work:
            for batch in customers(falling):
                work.write(Insert(work.kit.by_record[Customer], batch))

        def simulate(work: Work) -> object:
            found = work.pools.simulate(at=START + timedelta(days=10))
            assert MANY // falling == len(found.falls)
            return found

        with crm.begin(by="li") as work:
            simulate(work)  # what is made once and kept is not counted
            taken = megabytes(lambda: simulate(work))
            control = megabytes(lambda: list(work.customers.stream()))
    assert times * taken < control, f"{taken:.1f} MB, of {control:.1f}"
