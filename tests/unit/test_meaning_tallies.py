"""What tables of numbers mean, on records in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

import pytest

from salescrm import meaning
from salescrm.plans import (
    Cmp,
    Condition,
    Const,
    CountIf,
    InBucket,
    Number,
    Source,
    SpanRef,
    TallyPlan,
    WholeDays,
)
from salescrm.values import Id
from tests.unit.deals import DEALS, FIRM, NOON, Deal, found, ref


def rows(
    deals: Sequence[Deal],
    *numbers: CountIf | Number,
    keys: Sequence[Source | InBucket | WholeDays] = (),
    where: Condition = Const(True),  # noqa: B008  # frozen
    values: Sequence[Any] = (),
) -> list[tuple[Any, ...]]:
    """The table, sorted as text so that it can be compared."""
    plan = TallyPlan(DEALS, where, tuple(keys), tuple(numbers))
    return sorted(meaning.tally(plan, values, deals, found), key=repr)


SCORES: Final = [
    Deal(id=Id("1"), stage="a", score=3),
    Deal(id=Id("2"), stage="a", score=None),
    Deal(id=Id("3"), stage=None, score=5),
    Deal(id=Id("4"), stage="b", score=3),
]
ALL: Final = CountIf(Const(True))


def test_tally_without_keys_is_one_row_even_of_nothing() -> None:
    """Of nothing a count is 0 and the rest null."""
    numbers = [Number(kind, ref("score")) for kind in ("count", "sum", "min", "max", "distinct")]

    assert [(4, 3, 11, 3, 5, 2)] == rows(SCORES, ALL, *numbers)
    assert [(0, 0, None, None, None, 0)] == rows([], ALL, *numbers)


def test_tally_with_keys_has_a_row_per_group_and_none_of_nothing() -> None:
    """Null is a key like any other; a group of nulls sums to null."""
    expected = sorted([("a", 2, 3), (None, 1, 5), ("b", 1, 3)], key=repr)

    assert expected == rows(SCORES, ALL, Number("sum", ref("score")), keys=[ref("stage")])
    assert [] == rows([], ALL, keys=[ref("stage")])
    assert [("a", None)] == rows(SCORES[1:2], Number("sum", ref("score")), keys=[ref("stage")])


def test_tally_counts_what_matches() -> None:
    """The table's condition filters records, a number's only what it counts."""
    scored = Cmp(ref("score"), "ge", 0)

    assert [("a", 0), ("b", 0), (None, 1)] == sorted(
        rows(SCORES, CountIf(scored), keys=[ref("stage")], values=[4]), key=lambda row: row[0] or "z"
    )
    assert [(None, 1)] == rows(SCORES, ALL, keys=[ref("stage")], where=scored, values=[4])


def test_sums_are_exact_beyond_what_a_double_holds() -> None:
    """Whole numbers stay whole."""
    big = [Deal(id=Id(str(n)), score=2**53 - 1) for n in range(1001)]

    assert [(1001 * (2**53 - 1),)] == rows(big, Number("sum", ref("score")))


def test_least_and_greatest_know_text_and_time() -> None:
    """As comparison does."""
    deals = [
        Deal(id=Id("1"), name="é", opened_at=NOON),
        Deal(id=Id("2"), name="Z"),
        Deal(id=Id("3"), name="a"),
    ]

    assert [("Z", "é", NOON, NOON)] == rows(
        deals,
        Number("min", ref("name")),
        Number("max", ref("name")),
        Number("min", ref("opened_at")),
        Number("max", ref("opened_at")),
    )


@pytest.mark.parametrize(
    "make", [lambda n: NOON + timedelta(days=n), lambda n: date(2026, 3, 15) + timedelta(days=n)]
)
def test_bucket_includes_its_first_edge_only(make: Callable[[int], Any]) -> None:
    """Before the first edge, from the last edge on, and without a value: null."""
    column = "opened_at" if isinstance(make(0), datetime) else "since"
    bucket = InBucket(ref(column), (0, 1, 2))
    edges = [make(0), make(10), make(20)]

    def index(moment: Any) -> Any:
        return rows([Deal(id=Id("d"), **{column: moment})], keys=[bucket], values=edges)[0][0]

    assert [None, 0, 0, 1, 1, None, None] == [index(make(n)) for n in (-1, 0, 9, 10, 19, 20, 21)]
    assert index(None) is None


@pytest.mark.parametrize(
    "milliseconds, days",
    [(0, 0), (86_399_999, 0), (86_400_000, 1), (-1, -1), (-86_400_000, -1), (-86_400_001, -2)],
)
def test_whole_days_round_towards_the_past(milliseconds: int, days: int) -> None:
    """A deal that closed a millisecond before it opened took day -1."""
    key = WholeDays(SpanRef(ref("opened_at"), ref("closed_at")))
    deal = Deal(id=Id("d"), opened_at=NOON, closed_at=NOON + timedelta(milliseconds=milliseconds))

    assert [(days, 1)] == rows([deal], ALL, keys=[key])
    assert [(None, 1)] == rows([Deal(id=Id("d"))], ALL, keys=[key])


def test_tally_groups_by_what_references_lead_to() -> None:
    """A deal of no firm, and of one that is gone, share the null row."""
    deals = [Deal(id=Id("1"), firm_id=Id("f1")), Deal(id=Id("2"), firm_id=Id("gone")), Deal(id=Id("3"))]

    assert [("retail", 1), (None, 2)] == rows(deals, ALL, keys=[ref("industry", FIRM)])
