"""Which of several pools takes a customer, and which version of a policy decides about a day."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from salescrm import F, Policy, Where
from salescrm.labels import Label
from salescrm.policy import Policies, Pool
from salescrm.policy.pools import narrowness, ranked
from salescrm.query import EVERYTHING
from salescrm.rules.nights import nights, within

A, B, C = F.level == "A", F.industry == "rail", F.tags.has("hot")


@pytest.mark.parametrize(
    "where, conditions",
    [
        (EVERYTHING, 0),
        (A, 1),
        (A & B, 2),
        (A | B, 1),
        ((A & B) | C, 1),
        ((A & B) | (B & C), 2),
        (A & (B | C), 2),
        (~A, 1),
        (~(A & B), 1),
        (~(A | B), 2),
        (~(~A | ~(B & C)), 3),
        (A | EVERYTHING, 0),
    ],
)
def test_a_pool_is_as_narrow_as_the_widest_of_its_alternatives(where: Where, conditions: int) -> None:
    """An alternative more lets more in."""
    assert conditions == narrowness(where)


def test_priority_comes_before_narrowness_and_that_before_age() -> None:
    def pool(key: str, where: Where = A, priority: int = 0, *, enabled: bool = True) -> Pool:
        return Pool(key=key, label=Label(key, key), where=where, priority=priority, enabled=enabled)

    pools = (
        pool("old"), pool("young"), pool("wide", A | B), pool("narrow", A & B), pool("all", EVERYTHING),
        pool("high", EVERYTHING, 1), pool("closed", A & B & C, 9, enabled=False),
    )  # fmt: skip
    assert ["high", "narrow", "old", "young", "wide", "all"] == [one.key for one in ranked(pools)]


def test_each_version_decides_about_the_days_that_begin_while_it_holds_in_its_own_zone() -> None:
    shanghai, new_york = ZoneInfo("Asia/Shanghai"), ZoneInfo("America/New_York")
    moved = datetime(2026, 3, 8, 6, tzinfo=UTC)  # 8 March, 14:00 in Shanghai and 1:00 in New York
    pools = [Pool(key="all", label=Label("all", "全部"), everyone=True)]
    later = Policy(version=2, effective_from=moved, time_zone="America/New_York", pools=pools)
    policies = Policies([Policy(pools=pools), later])
    since, until = datetime(2026, 3, 6, 12, tzinfo=UTC), datetime(2026, 3, 9, 12, tzinfo=UTC)
    found = nights(within(policies, since=since, until=until))
    assert [
        (1, date(2026, 3, 7), datetime(2026, 3, 7, tzinfo=shanghai)),
        (1, date(2026, 3, 8), datetime(2026, 3, 8, tzinfo=shanghai)),
        (2, date(2026, 3, 9), datetime(2026, 3, 9, tzinfo=new_york)),
    ] == [(night.policy.version, night.day, night.begin) for night in found]
