"""What plans mean: conditions, values and orders, on records in memory."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import product
from typing import Any, Final

import pytest

from salescrm import meaning
from salescrm.kinds import Extra
from salescrm.plans import (
    After,
    AllOf,
    AnyOf,
    Cmp,
    Condition,
    Const,
    Includes,
    InSlot,
    ListHas,
    Negated,
    Null,
    Source,
    SpanRef,
    Starts,
)
from salescrm.values import Id, Money, Region
from tests.unit.deals import DEALS, FIRM, NOON, OPERATORS, Deal, found, ref, sort_keys


def holds(where: Condition, deal: Deal, *values: Any) -> bool:
    """Whether *where* with *values* in its slots holds for *deal*."""
    return meaning.condition(DEALS, where)(deal, values, found)


def value(source: Source, deal: Deal) -> Any:
    """What *source* is of *deal*."""
    return meaning.source(DEALS, source)(deal, found)


@pytest.mark.parametrize(
    "column, less, more",
    [
        ("name", "Z", "a"),
        ("name", "a", "é"),
        ("name", "ｆ", "😀"),
        ("name", "10", "9"),
        ("name", "", "\x01"),
        ("won", False, True),
        ("score", -(2**53), 2**53),
        ("opened_at", NOON, NOON + timedelta(milliseconds=1)),
        ("since", date(2025, 12, 31), date(2026, 1, 1)),
    ],
)
def test_comparison_follows_code_points_numbers_and_time(column: str, less: Any, more: Any) -> None:
    """Each operator tells less from equal from more."""
    answers = {
        operator: tuple(
            holds(Cmp(ref(column), operator, 0), Deal(id=Id("d"), **{column: own}), other)
            for own, other in ((less, more), (less, less), (more, less))
        )
        for operator in OPERATORS
    }
    assert {
        "eq": (False, True, False),
        "ne": (True, False, True),
        "lt": (True, False, False),
        "le": (True, True, False),
        "gt": (False, False, True),
        "ge": (False, True, True),
    } == answers


@pytest.mark.parametrize(
    "where, slot",
    [
        *[(Cmp(ref("stage"), operator, 0), "open") for operator in OPERATORS],
        (InSlot(ref("stage"), 0), ("open", "won")),
        (Starts(ref("stage"), 0), "o"),
        (Includes(ref("stage"), 0), ""),
        (ListHas(ref("extra", key="grade"), 0), "open"),
        (Cmp(ref("extra", key="grade"), "ne", 0), "open"),
        (Cmp(ref("industry", FIRM), "ne", 0), "open"),
        (Cmp(SpanRef(ref("opened_at"), ref("closed_at")), "ge", 0), 0),
    ],
)
def test_condition_on_null_is_false_and_its_negation_true(where: Condition, slot: Any) -> None:
    """There is no third answer."""
    nothing = Deal(id=Id("d"), opened_at=NOON)

    assert not holds(where, nothing, slot)
    assert holds(Negated(where), nothing, slot)


def test_null_asks_whether_there_is_a_value() -> None:
    """An empty text is one; a span lacks one where either end does."""
    span = SpanRef(ref("opened_at"), ref("closed_at"))

    assert holds(Null(ref("stage")), Deal(id=Id("d")))
    assert not holds(Null(ref("stage")), Deal(id=Id("d"), stage=""))
    assert holds(Null(span), Deal(id=Id("d"), opened_at=NOON))
    assert holds(Null(span), Deal(id=Id("d"), closed_at=NOON))
    assert not holds(Null(span), Deal(id=Id("d"), opened_at=NOON, closed_at=NOON))


def test_conditions_join_as_logic_says() -> None:
    """All of nothing holds, any of nothing does not."""
    yes, no, deal = Const(True), Const(False), Deal(id=Id("d"))

    assert (True, True, False) == tuple(holds(AllOf(parts), deal) for parts in ((), (yes, yes), (yes, no)))
    assert (False, True, False) == tuple(holds(AnyOf(parts), deal) for parts in ((), (no, yes), (no, no)))


def test_membership_in_nothing_is_false() -> None:
    """A choice among no values holds for no record."""
    deal = Deal(id=Id("d"), stage="open")

    assert holds(InSlot(ref("stage"), 0), deal, ("won", "open"))
    assert not holds(InSlot(ref("stage"), 0), deal, ("won",))
    assert not holds(InSlot(ref("stage"), 0), deal, ())


def test_text_is_looked_into_literally() -> None:
    """Case, width and signs that patterns use elsewhere count as they are."""
    deal = Deal(id=Id("d"), name="100% Straße_A")

    assert holds(Starts(ref("name"), 0), deal, "100%")
    assert not holds(Starts(ref("name"), 0), deal, "1%")
    assert holds(Includes(ref("name"), 0), deal, "ße_")
    assert holds(Includes(ref("name"), 0), deal, "")
    assert not holds(Includes(ref("name"), 0), deal, "straße")


def test_list_has_whole_elements() -> None:
    """A part of an element is none."""
    deal = Deal(id=Id("d"), tags=("高意向", "vip"))

    assert holds(ListHas(ref("tags"), 0), deal, "高意向")
    assert not holds(ListHas(ref("tags"), 0), deal, "意向")
    assert not holds(ListHas(ref("tags"), 0), Deal(id=Id("d")), "vip")


def test_search_shadow_is_folded_text_of_the_searchable_fields() -> None:
    """The shadow is a column like any other."""
    deal = Deal(id=Id("d"), name="ＡＢＣ GmbH", stage="Straße")

    assert holds(Includes(ref("search_text"), 0), deal, "abc gmbh")
    assert holds(Includes(ref("search_text"), 0), deal, "strasse")


def test_composite_fields_are_seen_by_column() -> None:
    """Money as minor units and currency, decimals as ten-thousandths, regions as their parts."""
    deal = Deal(id=Id("d"), amount=Money(1234, "CNY"), rate=Decimal("0.0625"), region=Region(province="浙江"))

    seen = [
        value(ref(name), deal)
        for name in ("amount", "amount_currency", "rate", "region_province", "region_city")
    ]
    assert [1234, "CNY", 625, "浙江", None] == seen


@pytest.mark.parametrize("firm, industry", [("f1", "retail"), ("gone", None), (None, None)])
def test_reference_that_leads_nowhere_is_null(firm: Id | None, industry: str | None) -> None:
    """No reference, or one to a record that is not there: no value, no error."""
    assert industry == value(ref("industry", FIRM), Deal(id=Id("d"), firm_id=firm))


def test_custom_day_is_a_day() -> None:
    """Days are kept as text in the extra mapping; here they compare as days, behind a reference too."""
    deal = Deal(id=Id("d"), firm_id=Id("f1"), extra=Extra(due="2026-03-31", grade="B"))

    assert date(2026, 3, 31) == value(ref("extra", key="due"), deal)
    assert date(2026, 4, 1) == value(ref("extra", FIRM, "due"), deal)
    assert value(ref("extra", key="due"), Deal(id=Id("d"))) is None
    assert "B" == value(ref("extra", key="grade"), deal)


def test_span_is_exact_in_milliseconds() -> None:
    """Floats would miss a millisecond in nine thousand years."""
    first, last = datetime(1000, 1, 1, tzinfo=UTC), datetime(9998, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)
    span = SpanRef(ref("opened_at"), ref("closed_at"))

    whole = value(span, Deal(id=Id("d"), opened_at=first, closed_at=last))
    assert ((last - first).days * 86_400 + 86_399) * 1000 + 999 == whole
    assert -whole == value(span, Deal(id=Id("d"), opened_at=last, closed_at=first))


def test_span_of_days_counts_midnights() -> None:
    """Two days after is twice 24 hours."""
    deal = Deal(id=Id("d"), since=date(2026, 3, 28), until=date(2026, 3, 30))

    assert 2 * 86_400_000 == value(SpanRef(ref("since"), ref("until")), deal)


# Orders.


MIXED: Final = [
    Deal(id=Id(f"{stage}{score}{n}"), stage=stage, score=score)
    for stage, score, n in product((None, "", "a", "B", "é"), (None, -1, 0, 7), "12")
]
ORDERS: Final = [
    ("id",),
    ("-id",),
    ("stage", "id"),
    ("-stage", "-id"),
    ("stage", "-score", "-id"),
    ("-stage", "score", "id"),
    ("score", "stage", "-id"),
]


def test_nulls_come_first_ascending_and_last_descending() -> None:
    """Whatever the other keys do."""
    shuffled = MIXED[::3] + MIXED[1::3] + MIXED[2::3]
    ordered = meaning.sorted_by(DEALS, sort_keys("-stage", "score", "id"))(shuffled, None)

    expected = [
        f"{stage}{score}{n}" for stage, score, n in product(("é", "a", "B", "", None), (None, -1, 0, 7), "12")
    ]
    assert expected == [deal.id for deal in ordered]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("limit", [0, 1, 7, len(MIXED), 1000])
def test_limit_takes_the_first(order: tuple[str, ...], limit: int) -> None:
    """The same as cutting the whole."""
    sort = meaning.sorted_by(DEALS, sort_keys(*order))

    assert sort(MIXED, None)[:limit] == sort(reversed(MIXED), limit)


def test_no_order_leaves_records_as_they_come() -> None:
    """Counting asks for none."""
    assert MIXED[:3] == meaning.sorted_by(DEALS, ())(iter(MIXED), 3)


@pytest.mark.parametrize("order", ORDERS)
def test_after_is_exactly_what_follows(order: tuple[str, ...]) -> None:
    """For every record, in every order: those behind it and no others."""
    keys = sort_keys(*order)
    ordered = meaning.sorted_by(DEALS, keys)(MIXED, None)
    getters = [DEALS.getters[key.column.name] for key in keys]

    for at, last in enumerate(ordered):
        values = [get(last) for get in getters]
        after = After(keys, tuple(range(len(keys))), tuple(one is None for one in values))
        assert ordered[at + 1 :] == [deal for deal in ordered if holds(after, deal, *values)]
