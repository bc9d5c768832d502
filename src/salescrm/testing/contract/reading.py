"""Reading records: one, a page in an order, all of them by cursors or as a stream, chosen values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from salescrm.entities import Contact, Customer, FollowUp, Opportunity, OpportunityLine
from salescrm.query import NOTHING, F, Field, Order
from salescrm.testing.contract.base import Contract, Door
from salescrm.testing.makers import Maker
from salescrm.values import Money, Region

__all__ = ["Reading"]

#: Ascending by code point: ＺＥＲＯ stands before the emoji, which in UTF-16 it would not.
TEXTS = ("", " a", "A", "Z", "_", "a", "a b", "ab", "é", "ß", "İ", "中", "中文", "０", "😀")  # fmt: skip
ORDERS: Sequence[Sequence[Field | Order]] = (
    (),
    (F.level,),
    (-F.level,),
    (F.level, -F.follow_up_count),
    (-F.level, F.last_follow_up_at),
    (-F.last_follow_up_at, -F.level),
    (F.follow_up_count, F.name),
    (-F.follow_up_count, -F.name),
    (F.purchase_deadline, -F.level, F.won_amount),
    (F.region.city, -F.id),
    (-F.id,),
)


def many(make: Maker, count: int = 23) -> list[Customer]:
    """Customers with ties and nulls in everything that they are ordered by, in no order."""
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    found = []
    for n in range(count):
        mixed = n * 7 % count
        found.append(
            make.customer(
                name=f"N{mixed % 4}",
                level=(None, "A", "B")[mixed % 3],
                follow_up_count=mixed % 2,
                last_follow_up_at=None if mixed % 5 == 0 else noon + timedelta(milliseconds=mixed // 6),
                purchase_deadline=None if mixed % 4 == 0 else date(2026, 1, 1 + mixed % 3),
                won_amount=None if mixed % 3 == 0 else Money(mixed % 3, "CNY"),
                region=Region(city=(None, "上海", "Ürümqi")[mixed % 3]),
            )
        )
    return sorted(found, key=lambda customer: customer.id[::-1])


class Reading(Contract):
    """`Store.get`, `find`, `select` and `stream`."""

    def test_get_gives_the_record(self, door: Door, make: Maker) -> None:
        """What was written comes back equal; what wasn't is None."""
        acme, line = make.customer(tags=("a",), won_amount=Money(1, "CNY")), make.line()
        door.seed(acme, line)
        asking = door.open()

        assert asking.own(acme) == asking.get(Customer, acme.id)
        assert asking.own(line) == asking.get(OpportunityLine, line.id)
        assert asking.get(Customer, line.id) is None
        assert asking.get(Customer, "") is None

    def test_find_of_nothing_is_empty(self, door: Door, make: Maker) -> None:
        """No record, or none that matches: an empty list from every way of reading."""
        asking = door.open()
        assert [] == asking.find(Customer)
        assert [] == asking.select(Customer, F.name)
        assert [] == list(asking.stream(Customer))

        door.seed(make.customer())
        asking = door.open()
        assert [] == asking.find(Customer, NOTHING)
        assert [] == asking.select(Customer, F.name, where=NOTHING)
        assert [] == list(asking.stream(Customer, NOTHING))

    @pytest.mark.parametrize("order", ORDERS, ids=repr)
    def test_order_is_total(self, door: Door, make: Maker, order: Sequence[Field | Order]) -> None:
        """Nulls first ascending and last descending, ties by id in the direction of the last key."""
        customers = many(make)
        door.seed(*customers)

        found = door.open().find(Customer, order=order)

        assert [one.id for one in _sorted(customers, order)] == [one.id for one in found]

    @pytest.mark.parametrize("limit", [0, 1, 5, 22, 23, 24])
    def test_limit_takes_the_first(self, door: Door, make: Maker, limit: int) -> None:
        """At most so many, of the front of the order; none for 0."""
        customers = many(make)
        door.seed(*customers)
        asking, order = door.open(), (-F.level, F.name)

        assert asking.find(Customer, order=order)[:limit] == asking.find(Customer, order=order, limit=limit)
        assert limit == 0 or asking.find(Customer, limit=limit)

    @pytest.mark.parametrize("size", [1, 4, 23, 100])
    @pytest.mark.parametrize("order", ORDERS, ids=repr)
    def test_pages_give_each_record_once(
        self, door: Door, make: Maker, order: Sequence[Field | Order], size: int
    ) -> None:
        """Every page by cursor, one behind the other, is the whole list: no record twice, none left out."""
        customers = many(make)
        door.seed(*customers)

        pages = list(door.open().pages(Customer, order=order, size=size))

        assert all(len(page) == size for page in pages[:-1])
        assert [one.id for one in _sorted(customers, order)] == [one.id for page in pages for one in page]

    def test_page_goes_on_behind_a_record_that_is_gone(self, door: Door, make: Maker) -> None:
        """A cursor is a place in the order, not a record."""
        customers = many(make, 6)
        door.seed(*customers)
        asking, order = door.open(), (F.level,)
        first, second = list(asking.pages(Customer, order=order, size=3))[:2]
        pages = asking.pages(Customer, order=order, size=3)
        assert first == next(pages)

        asking.remove(first[-1])

        assert second == next(pages)

    def test_texts_order_by_code_point(self, door: Door, make: Maker) -> None:
        """Not by a language, not by UTF-16, not without regard to case, accents or blanks."""
        door.seed(*[make.customer(name="x", industry=text) for text in reversed(TEXTS)])
        asking = door.open()
        expected = sorted(TEXTS)

        assert expected == [one.industry for one in asking.find(Customer, order=(F.industry,))]
        assert expected[::-1] == [one.industry for one in asking.find(Customer, order=(-F.industry,))]

    @pytest.mark.parametrize(
        "field, values",
        [
            ("effective", [None, False, True]),
            ("done_at", [None, datetime(1000, 1, 1, tzinfo=UTC), datetime(9998, 12, 31, tzinfo=UTC)]),
            ("kind", sorted(["call", "visit", "email", "meeting", "online_meeting", "message", "task"])),
        ],
    )
    def test_values_order_by_their_kind(self, door: Door, make: Maker, field: str, values: list[Any]) -> None:
        """False before true, early before late, choices as the texts they are."""
        door.seed(*[make.follow_up(**{field: value}) for value in reversed(values)])

        found = door.open().find(FollowUp, order=(Field(field),))

        assert values == [getattr(one, field) for one in found]

    def test_numbers_order_as_numbers(self, door: Door, make: Maker) -> None:
        """Exact decimals too: 9.5 before 10, -2 before -1."""
        values = [Decimal(text) for text in ("-2", "-1", "0", "0.0001", "9.5", "10", "900719925474.0991")]
        door.seed(*[make.line(quantity=value) for value in reversed(values)])

        found = door.open().find(OpportunityLine, order=(F.quantity,))

        assert values == [one.quantity for one in found]

    @pytest.mark.parametrize("size", [1, 2, 7, 23, 1000])
    @pytest.mark.parametrize("order", ORDERS[:5], ids=repr)
    def test_stream_gives_all_in_order(
        self, door: Door, make: Maker, order: Sequence[Field | Order], size: int
    ) -> None:
        """Lists of up to *size*, none of them empty, one behind the other as `find` has them."""
        door.seed(*many(make))
        asking = door.open()

        lists = list(asking.stream(Customer, F.follow_up_count == 1, order=order, size=size))

        assert all(1 <= len(one) <= size for one in lists)
        assert asking.find(Customer, F.follow_up_count == 1, order=order) == [c for one in lists for c in one]

    def test_store_is_read_while_it_streams(self, door: Door, make: Maker) -> None:
        """The iterator and other reads of the same store do not disturb each other."""
        customers = many(make)
        door.seed(*customers)
        asking = door.open()
        seen: list[str] = []

        for some in asking.stream(Customer, size=5):
            seen += [one.id for one in some if asking.get(Customer, one.id) == one]
            assert 23 == len(asking.find(Customer))

        assert sorted(one.id for one in customers) == seen

    def test_abandoned_stream_leaves_the_store_usable(self, door: Door, make: Maker) -> None:
        """Who has seen enough goes on reading and writing."""
        door.seed(*many(make))
        asking = door.open()
        stream = asking.stream(Customer, size=2)
        next(stream)
        close = getattr(stream, "close", None)
        if close is not None:
            close()
        del stream

        asking.add(make.customer(name="afterwards"))
        asking.commit()

        assert 24 == len(door.ids(Customer))

    def test_select_gives_values(self, door: Door, make: Maker) -> None:
        """Plain values as the entity would show them, in the order and number asked for."""
        deal = make.opportunity(
            amount=Money(1250, "CNY"),
            expected_close=date(2026, 4, 1),
            tags=("a", "b"),
            closed_at=datetime(2026, 3, 16, 10, 0, 0, 500_000, tzinfo=UTC),
            opened_at=datetime(2026, 3, 15, 10, tzinfo=UTC),
            name="中文",
        )
        line = make.line(quantity=Decimal("2.5"))
        door.seed(deal, make.opportunity(name="later"), line)
        asking = door.open()

        rows = asking.select(
            Opportunity, F.name, F.amount, F.amount.minor, F.expected_close, F.tags, F.closed_at - F.opened_at,
            F.opened_at, F.probability_overridden, F.status, order=(-F.name,),
        )  # fmt: skip

        span = timedelta(days=1, milliseconds=500)
        first = ("中文", Money(1250, "CNY"), 1250, date(2026, 4, 1), ("a", "b"), span, deal.opened_at)
        assert (*first, False, "open") == rows[0]
        assert ("later", None, None, None, (), None) == rows[1][:6]
        assert [("中文",)] == asking.select(Opportunity, F.name, order=(-F.name,), limit=1)
        assert [] == asking.select(Opportunity, F.name, limit=0)
        assert [(Decimal("2.5"),)] == asking.select(OpportunityLine, F.quantity)

    def test_select_follows_references(self, door: Door, make: Maker) -> None:
        """A reference that is null or leads nowhere gives null, for every kind of value."""
        customer = make.customer(
            industry="制造业", tags=("a",), won_amount=Money(5, "JPY"), region=Region(city="上海")
        )
        door.seed(
            customer,
            make.opportunity(name="1", customer_id=customer.id),
            make.opportunity(name="2", customer_id="gone"),
            make.opportunity(name="3"),
        )

        rows = door.open().select(
            Opportunity, F.name, F.customer.industry, F.customer.tags, F.customer.won_amount, F.customer.region.city,
            F.customer.follow_up_count, F.opened_at - F.customer.created_at, order=(F.name,),
        )  # fmt: skip

        assert ("1", "制造业", ("a",), Money(5, "JPY"), "上海", 0, timedelta(0)) == rows[0]
        assert [("2", *[None] * 6), ("3", *[None] * 6)] == rows[1:]

    def test_reading_follows_an_own_contact(self, door: Door, make: Maker) -> None:
        """A hop sees what this store has written and not committed."""
        asking, customer = door.open(), make.customer(industry="IT")
        asking.add(customer, make.contact(customer_id=customer.id))

        assert [("IT",)] == asking.select(Contact, F.customer.industry)
        assert 1 == len(asking.find(Contact, F.customer.industry == "IT"))


def _sorted(customers: Sequence[Customer], order: Sequence[Field | Order]) -> list[Customer]:
    """The order in Python's own words: a stable sort per key, the last key first."""
    keys = [one if isinstance(one, Order) else Order(one.__operand__) for one in order]  # type: ignore[arg-type]  # an own field, so a path
    if not any(key.path == "id" for key in keys):
        keys.append(Order("id", keys[-1].descending if keys else False))
    found = list(customers)
    for key in reversed(keys):
        found.sort(key=lambda one, path=key.path: _key(one, path), reverse=key.descending)  # type: ignore[misc]  # bound now
    return found


def _key(customer: Customer, path: str) -> tuple[Any, ...]:
    value: Any = customer
    for name in path.split("."):
        value = getattr(value, name)
    if isinstance(value, Money):
        value = value.minor
    return (value is not None, value) if value is not None else (False,)
