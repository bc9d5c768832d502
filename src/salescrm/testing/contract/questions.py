"""What conditions mean: comparisons of every kind of value, null, negation, lists, hops, spans, custom fields."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import pytest

from salescrm.entities import Customer, Opportunity
from salescrm.kinds import Extra
from salescrm.query import (
    EVERYTHING,
    NOTHING,
    And,
    Compare,
    F,
    Not,
    OneOf,
    Or,
    SpanField,
    ago,
    days,
    now,
    start_of,
    today,
)
from salescrm.query.nodes import Literal_
from salescrm.testing.clock import START
from salescrm.testing.contract.base import Contract, Door
from salescrm.testing.contract.kinds import KINDS, OPERATORS
from salescrm.testing.makers import Maker
from salescrm.values import Money

__all__ = ["Questions"]

_MS: Final = timedelta(milliseconds=1)


class Questions(Contract):
    """Conditions, as every engine must understand them."""

    @pytest.mark.parametrize("kind", KINDS)
    def test_comparisons(self, door: Door, make: Maker, kind: str) -> None:
        """Each operator with each value; a comparison with null is false, its negation true."""
        entity, field, values, made = KINDS[kind]
        records = [made(make, value) for value in values]
        door.seed(*reversed(records))
        asking = door.open()

        for literal in values:
            if literal is None:
                continue
            for name, holds in OPERATORS.items():
                where = Compare(field.__operand__, name, literal)
                expected = {
                    one.id
                    for one, value in zip(records, values, strict=True)
                    if value is not None and holds(value, literal)
                }
                everyone = {one.id for one in records}
                assert expected == set(asking.ids(entity, where)), where
                assert everyone - expected == set(asking.ids(entity, ~where)), ~where

    @pytest.mark.parametrize("kind", KINDS)
    def test_null(self, door: Door, make: Maker, kind: str) -> None:
        """Null is null, and an empty text is none."""
        entity, field, values, made = KINDS[kind]
        records = [made(make, value) for value in values]
        door.seed(*records)
        asking = door.open()
        nulls = {one.id for one, value in zip(records, values, strict=True) if value is None}

        assert nulls == set(asking.ids(entity, field.is_null()))
        assert {one.id for one in records} - nulls == set(asking.ids(entity, field.is_set()))
        assert nulls == set(asking.ids(entity, field == None))  # noqa: E711  # a condition, not a comparison  # a condition
        assert {one.id for one in records} - nulls == set(asking.ids(entity, field != None))  # noqa: E711  # a condition, not a comparison

    @pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "money"])
    def test_one_of(self, door: Door, make: Maker, kind: str) -> None:
        """Equal to one of them; of none of them: never, not even where it is null."""
        entity, field, values, made = KINDS[kind]
        records = [made(make, value) for value in values]
        door.seed(*records)
        asking = door.open()
        everyone = {one.id for one in records}

        assert [] == asking.ids(entity, field.one_of([]))
        assert everyone == set(asking.ids(entity, ~field.one_of([])))
        for wanted in ([values[1]], values[1::2], values[1:], [values[1], values[1]]):
            found = {one.id for one, value in zip(records, values, strict=True) if value in wanted}
            assert found == set(asking.ids(entity, field.one_of(wanted)))
            assert everyone - found == set(asking.ids(entity, ~field.one_of(wanted)))

    def test_two_valued_logic(self, door: Door, make: Maker) -> None:
        """There is no third answer: what is not true is false, also beneath and, or, not."""
        null, set_ = make.customer(), make.customer(level="A")
        door.seed(null, set_)
        asking = door.open()
        true, false = {null.id, set_.id}, set[str]()
        unknown = F.level == "B"  # in SQL unknown of the null one, false of the other
        table = {
            (EVERYTHING, frozenset(true)),
            (NOTHING, frozenset(false)),
            (unknown, frozenset(false)),
            (~unknown, frozenset(true)),
            (~(unknown & EVERYTHING), frozenset(true)),
            (~(unknown | NOTHING), frozenset(true)),
            (~(~unknown), frozenset(false)),
            (~unknown & ~unknown, frozenset(true)),
            (unknown | ~unknown, frozenset(true)),
            (unknown & ~unknown, frozenset(false)),
            (F.level != "B", frozenset({set_.id})),
            (~(F.level != "B"), frozenset({null.id})),
            (~(F.level == "A") & F.level.is_null(), frozenset({null.id})),
            (~((F.level == "A") | (F.industry == "x")), frozenset({null.id})),
            (~((F.level == "A") & (F.industry == "x")), frozenset(true)),
            (~F.level.starts_with("A"), frozenset({null.id})),
            (~F.level.contains("A"), frozenset({null.id})),
            (~F.level.contains(""), frozenset({null.id})),
            (~F.tags.has("x"), frozenset(true)),
            (And(()), frozenset(true)),
            (Or(()), frozenset(false)),
            (Not(And(())), frozenset(false)),
            (Not(Or(())), frozenset(true)),
            (And((EVERYTHING,)) & F.level.is_set(), frozenset({set_.id})),
        }

        for where, expected in table:
            assert expected == frozenset(asking.ids(Customer, where)), where

    def test_hops(self, door: Door, make: Maker) -> None:
        """Where a reference is null or leads nowhere, every value behind it is null."""
        known = make.customer(
            industry="IT", tags=("x",), won_amount=Money(5, "CNY"), extra=Extra({"seats": 3})
        )
        blank = make.customer()
        deals = [make.opportunity(name=n, customer_id=c) for n, c in zip("abcd", (known.id, blank.id, "gone", None), strict=True)]  # fmt: skip
        door.seed(known, blank, *deals)
        asking = door.open()

        def names(where: Any) -> str:
            return "".join(sorted(one.name for one in asking.find(Opportunity, where)))

        assert "a" == names(F.customer.industry == "IT")
        assert "bcd" == names(~(F.customer.industry == "IT"))
        assert "" == names(F.customer.industry != "IT")
        assert "bcd" == names(F.customer.industry.is_null())
        assert "bcd" == names(F.customer.won_amount.is_null())
        assert "cd" == names(F.customer.name.is_null())
        assert "cd" == names(F.customer.id.is_null())
        assert "ab" == names(F.customer.follow_up_count == 0)
        assert "a" == names(F.customer.tags.has("x"))
        assert "bcd" == names(~F.customer.tags.has("x"))
        assert "a" == names(F.customer.won_amount == Money(5, "CNY"))
        assert "a" == names(F.customer.extra.seats > 2)
        assert "a" == names(F.customer.industry.starts_with("I"))
        assert "ab" == names(F.customer.name.contains(""))
        assert "a" == names(
            (F.customer.industry == "IT") & (F.customer.follow_up_count == 0) & (F.name == "a")
        )
        assert "d" == names(F.customer_id.is_null())

    def test_hop_to_its_own_kind(self, door: Door, make: Maker) -> None:
        """A parent is of the same collection, and both are asked at once."""
        parent = make.customer(industry="IT", level="A")
        child, orphan = make.customer(parent_id=parent.id, industry="x"), make.customer(parent_id="gone")
        door.seed(child, orphan, parent)
        asking = door.open()

        assert [child.id] == asking.ids(Customer, F.parent.industry == "IT")
        assert [child.id] == asking.ids(Customer, (F.parent.level == "A") & (F.industry == "x"))
        assert {parent.id, orphan.id} == set(asking.ids(Customer, F.parent.id.is_null()))

    def test_spans(self, door: Door, make: Maker) -> None:
        """From one moment or day to another, to the millisecond; null where either is, negative if turned round."""
        day = timedelta(days=1)
        lengths = [None, -day, -_MS, timedelta(0), _MS, day - _MS, day, 300 * day]
        deals = [make.opportunity(closed_at=None if span is None else START + span) for span in lengths]
        door.seed(*deals)
        asking = door.open()
        took: SpanField = F.closed_at - F.opened_at

        for literal in lengths[1:]:
            assert literal is not None
            for name, holds in OPERATORS.items():
                where = Compare(took.__operand__, name, literal)
                expected = {
                    d.id
                    for d, span in zip(deals, lengths, strict=True)
                    if span is not None and holds(span, literal)
                }
                assert expected == set(asking.ids(Opportunity, where)), where
        assert [deals[0].id] == asking.ids(Opportunity, took.is_null())
        assert {deals[1].id, deals[4].id} == set(asking.ids(Opportunity, took.one_of([-day, _MS])))

    def test_spans_of_days(self, door: Door, make: Maker) -> None:
        """Two days count as their midnights."""
        customer = make.customer(birth_date=date(2024, 2, 28), purchase_deadline=date(2024, 3, 1))
        door.seed(customer, make.customer(birth_date=date(2024, 2, 28)))
        asking = door.open()
        span = F.purchase_deadline - F.birth_date

        assert [customer.id] == asking.ids(Customer, span == timedelta(days=2))
        assert [] == asking.ids(Customer, span > timedelta(days=2))
        assert [(2,), (None,)] == sorted(
            asking.tally(Customer, by=[days(span)]), key=lambda row: row[0] is None
        )

    def test_spans_across_a_hop(self, door: Door, make: Maker) -> None:
        """From a moment of the customer to one of the deal."""
        customer = make.customer(first_contact_at=START - timedelta(days=3))
        deal = make.opportunity(customer_id=customer.id)
        door.seed(customer, deal, make.opportunity())
        span = F.opened_at - F.customer.first_contact_at

        assert [deal.id] == door.open().ids(Opportunity, span == timedelta(days=3))

    def test_relative_moments(self, door: Door, make: Maker) -> None:
        """Counted from the context's now, days beginning in its zone: it is 18:00 on 15 March in Shanghai."""
        midnight = datetime(2026, 3, 14, 16, tzinfo=UTC)
        moments = [START - timedelta(days=2), midnight - _MS, midnight, START - _MS, START, START + _MS]
        customers = [make.customer(last_follow_up_at=at, name=str(n)) for n, at in enumerate(moments)]
        door.seed(*customers)
        asking = door.open()

        def names(where: Any) -> str:
            return "".join(sorted(one.name for one in asking.find(Customer, where)))

        assert "0123" == names(F.last_follow_up_at < now())
        assert "5" == names(F.last_follow_up_at > now())
        assert "0" == names(F.last_follow_up_at <= ago(days=2))
        assert "2345" == names(F.last_follow_up_at >= today())
        assert "2345" == names(F.last_follow_up_at >= start_of("day"))
        assert "01" == names(F.last_follow_up_at < start_of("day"))
        assert "012345" == names(
            (F.last_follow_up_at >= start_of("month")) & (F.last_follow_up_at < start_of("month", 1))
        )

    def test_literals_are_cut_as_stored_moments_are(self, door: Door, make: Maker) -> None:
        """A literal's microseconds are gone, and its zone is only a way of writing it."""
        customer = make.customer(last_follow_up_at=START.replace(microsecond=123_999))
        door.seed(customer)
        asking = door.open()

        assert [customer.id] == asking.ids(
            Customer, F.last_follow_up_at == START.replace(microsecond=123_456)
        )
        assert [] == asking.ids(Customer, F.last_follow_up_at < START.replace(microsecond=123_999))

    def test_wide_and_deep_questions(self, door: Door, make: Maker) -> None:
        """As wide, as deep and of as many values as a question may be."""
        customers = [make.customer(level=str(n)) for n in range(3)]
        door.seed(*customers)
        asking = door.open()
        values: list[Literal_] = [f"v{n}" for n in range(998)]

        wide = Or(tuple(F.level == str(n) for n in range(2, 390)))
        assert [customers[2].id] == asking.ids(Customer, wide)
        assert {c.id for c in customers[:2]} == set(asking.ids(Customer, F.level.one_of([*values, "0", "1"])))
        many = And(tuple(~OneOf("level", (*values, str(n), "1")) for n in range(100)))
        assert [] == asking.ids(Customer, many & (F.level == "1"))
        assert [customers[2].id] == asking.ids(Customer, ~many & (F.level == "2"))
        deep = F.level == "1"
        for _ in range(31):
            deep = ~deep
        assert {customers[0].id, customers[2].id} == set(asking.ids(Customer, deep))
