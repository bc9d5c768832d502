"""Which nights are run: those that were missed, those to come, by the version that holds when a day begins."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import pytest

from salescrm.labels import Label
from salescrm.policy import Policies, Policy, Pool
from salescrm.query import F, Where, ago, today
from salescrm.rules.nights import due, is_steady, looks_at_others, nights, stranded, within

NOW: Final = datetime(
    2026, 3, 15, 2, tzinfo=UTC
)  # ten in the morning in Shanghai, the evening before in New York
DAY: Final = timedelta(days=1)


def pool(key: str = "a", **given: Any) -> Pool:
    """An open pool."""
    return Pool(key=key, label=Label(key, key), **given)


def version(*pools: Pool, number: int = 1, since: datetime | None = None) -> Policy:
    """A version of a policy in Shanghai."""
    return Policy(version=number, effective_from=since, pools=pools)


def run(policies: Policies, through: dict[str, date], **until: datetime) -> list[tuple[str, int, int]]:
    """The nights: pool, version, day of March."""
    found = nights(due(policies, through, now=NOW, **until))
    return [(one.pool.key, one.policy.version, one.day.day) for one in found]


def test_a_pool_that_was_never_run_begins_today() -> None:
    """Today where its own days begin."""
    both = Policies([version(pool(), pool("ny", time_zone="America/New_York"))])
    assert [("ny", 1, 14), ("a", 1, 15)] == run(both, {})


def test_missed_nights_come_first_and_the_pools_take_turns() -> None:
    """In the order in which the nights began, then by rank."""
    both = Policies([version(pool(), pool("b", priority=1))])
    assert [("b", 1, 13), ("b", 1, 14), ("a", 1, 14), ("b", 1, 15), ("a", 1, 15)] == run(
        both, {"a": date(2026, 3, 13), "b": date(2026, 3, 12)}
    )
    assert [] == run(both, {"a": date(2026, 3, 15), "b": date(2026, 3, 15)})


def test_nights_to_come_are_told_up_to_the_moment() -> None:
    """A night counts when it has begun."""
    one, ran = Policies([version(pool())]), {"a": date(2026, 3, 15)}
    begin = datetime(2026, 3, 16, 16, tzinfo=UTC)
    assert [("a", 1, 16)] == run(one, ran, until=begin - timedelta(milliseconds=1))
    assert [("a", 1, 16), ("a", 1, 17)] == run(one, ran, until=begin)


def test_not_more_than_a_year_is_made_up_for() -> None:
    (stretch,) = due(Policies([version(pool())]), {"a": date(2020, 1, 1)}, now=NOW)
    assert (date(2026, 3, 15) - 366 * DAY, date(2026, 3, 15)) == (stretch.first, stretch.last)
    assert 367 == stretch.many == len(list(stretch))


def test_each_night_is_the_version_s_that_holds_when_it_begins() -> None:
    """From the very moment; what begins in the middle of a day has its first night with the next one."""
    midnight = datetime(2026, 3, 16, 16, tzinfo=UTC)
    for start, expected in ((midnight, 2), (midnight + timedelta(milliseconds=1), 1)):
        both = Policies([version(pool()), version(pool(), number=2, since=start)])
        found = run(both, {"a": date(2026, 3, 15)}, until=midnight + DAY)
        assert [("a", 1, 16), ("a", expected, 17), ("a", 2, 18)] == found


def test_no_day_is_run_twice_where_its_beginning_moves() -> None:
    """A version whose days begin later finds those done that have begun before it."""
    start = datetime(2026, 3, 16, 17, tzinfo=UTC)
    both = Policies([version(pool()), version(pool(time_zone="America/New_York"), number=2, since=start)])
    assert [("a", 1, 16), ("a", 1, 17), ("a", 2, 18)] == run(
        both, {"a": date(2026, 3, 15)}, until=start + 2 * DAY
    )


def test_a_new_pool_among_others_begins_when_it_was_open() -> None:
    """It was not run because nothing was, since the last night of the others."""
    start = datetime(2026, 3, 11, 4, tzinfo=UTC)
    both = Policies([version(pool()), version(pool(), pool("b"), number=2, since=start)])
    found = run(both, {"a": date(2026, 3, 10)})
    assert [12, 13, 14, 15] == [day for key, _, day in found if key == "b"]
    assert [1, 2, 2, 2, 2] == [number for key, number, _ in found if key == "a"]


def test_within_is_behind_one_moment_and_up_to_another() -> None:
    begin = datetime(2026, 3, 9, 16, tzinfo=UTC)
    (stretch,) = within(Policies([version(pool())]), since=begin, until=begin + 2 * DAY)
    assert (date(2026, 3, 11), date(2026, 3, 12)) == (stretch.first, stretch.last)
    assert [] == within(Policies([version(pool())]), since=begin, until=begin + DAY / 2)


def test_a_pool_that_holds_somebody_must_be_open() -> None:
    tried = version(pool(), pool("b", enabled=False))
    assert () == stranded(tried, {"a": 5, "b": 0})
    assert (
        "the pool b can't be closed: it holds 2 customers",
        "the pool c can't be closed: it holds 1 customers",
    ) == stranded(tried, {"a": 5, "c": 1, "b": 2})


@pytest.mark.parametrize(
    "where, steady",
    [
        (F.level == "A", True),
        ((F.level == "A") | ~(F.quiet_since < ago(days=3)), False),
        (F.contract_ends_on.one_of([date(2026, 1, 1), today()]), False),
        (F.level.is_null() & F.tags.has("x"), True),
    ],
)
def test_a_question_is_steady_without_a_moment_from_now(where: Where, steady: bool) -> None:
    assert steady == is_steady(where)


@pytest.mark.parametrize(
    "where, entwined",
    [
        (F.owner_id.is_null(), False),
        (F.parent.level == "A", False),
        (~(F.parent.owner_id.is_null()) & (F.level == "A"), True),
        ((F.parent.owned_since - F.owned_since) < DAY, True),
    ],
)
def test_a_question_looks_at_others_one_hop_away(where: Where, entwined: bool) -> None:
    assert entwined == looks_at_others(where, through=["parent"], changing=["owner_id", "owned_since"])
