"""Hostile values: whatever comes in, it is kept as it is or refused by an error of ours, and nothing else happens."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Final

import attrs
import pytest

from salescrm.entities import Collaborator, Customer, FollowUp, KeyDate, OutboxEvent, Place
from salescrm.errors import CrmError, Invalid, InvalidCursor, InvalidQuestion, InvalidValue, UnknownField
from salescrm.kinds import Extra
from salescrm.query import (
    And,
    Compare,
    F,
    Field,
    Not,
    OneOf,
    Order,
    Query,
    ago,
    bucket,
    contains_text,
    count,
    start_of,
    total,
)
from salescrm.testing.clock import START
from salescrm.testing.contract.base import Contract, Door
from salescrm.testing.makers import Maker
from salescrm.values import Money, Region

__all__ = ["Hostile"]

SURROGATE: Final = "a\ud800b"
MEGABYTE: Final = "x" * 1_000_000
#: Moments that Python can make and no engine should meet.
YEARS: Final = (datetime(1, 1, 1, tzinfo=UTC), datetime(999, 12, 31, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, tzinfo=timezone(-timedelta(hours=12))))  # fmt: skip

VALUES: Final[tuple[dict[str, Any], ...]] = (
    {"name": MEGABYTE},
    {"name": SURROGATE},
    {"name": "a\0b"},
    *[
        {"name": f"a{sign}b"}
        for sign in ("\n", "\r", "\t", "\x1b", "\x7f", "\x85", "\u2028", "\u202e", "\u2066")
    ],
    {"industry": "a\n"},
    {"tags": ("a", "b\tc")},
    {"region": Region(city="a\nb")},
    {"name": ""},
    {"name": None},
    {"name": {"$ne": None}},
    {"name": b"bytes"},
    {"industry": ["a"]},
    {"industry": {"$gt": ""}},
    {"industry": "x" * 65},
    {"notes": MEGABYTE},
    {"tags": ("a", SURROGATE)},
    {"tags": ("a", None)},
    {"tags": ["a"]},
    {"tags": "a"},
    {"tags": ({"$ne": 1},)},
    {"founded_year": float("nan")},
    {"founded_year": 1.0},
    {"founded_year": 2**53},
    {"founded_year": -(10**40)},
    {"founded_year": True},
    {"founded_year": Decimal(1)},
    {"founded_year": "1"},
    *[{"last_follow_up_at": moment} for moment in YEARS],
    {"last_follow_up_at": datetime(2026, 1, 1)},  # noqa: DTZ001  # naive on purpose
    {"last_follow_up_at": date(2026, 1, 1)},
    {"last_follow_up_at": "2026-01-01"},
    {"purchase_deadline": date(1, 1, 1)},
    {"purchase_deadline": date(9999, 12, 31)},
    {"purchase_deadline": START},
    {"won_amount": 5},
    {"won_amount": (5, "CNY")},
    {"lifecycle": "unheard of"},
    {"lifecycle": None},
    {"region": None},
    {"region": ("a", "b", "c")},
    {"follow_up_count": None},
    {"extra": {"undeclared": 1}},
    {"extra": Extra({"$where": "1"})},
    {"extra": Extra({"seats": float("inf")})},
    {"extra": Extra({"seats": "1"})},
    {"extra": Extra({"seats": 2**53})},
    {"extra": Extra({"vip": 1})},
    {"extra": Extra({"segment": {"$ne": 1}})},
    {"extra": Extra({"segment": SURROGATE})},
    {"extra": Extra({"segment": MEGABYTE})},
    {"extra": Extra({"renewal": "2026-02-30"})},
    {"extra": Extra({"renewal": "0001-01-01"})},
    {"extra": Extra({"renewal": START})},
    {"extra": Extra({SURROGATE: 1})},
    {"extra": Extra({7: 1})},  # type: ignore[dict-item]  # hostile on purpose
    {"collaborators": (Collaborator(member_id=SURROGATE),)},
    {"collaborators": (Collaborator(member_id="li", until=datetime(2026, 1, 1)),)},  # noqa: DTZ001  # what a careless host may pass
    {"collaborators": (Collaborator(member_id="li", until=YEARS[0]),)},
    {"collaborators": (Collaborator(member_id="li", access="own"),)},  # type: ignore[arg-type]  # what a careless host may pass
    {"collaborators": (Collaborator(member_id={"$ne": 1}),)},  # type: ignore[arg-type]  # what a careless host may pass
    {"collaborators": (KeyDate(name="x", on=date(2026, 1, 1)),)},
    {"collaborators": [Collaborator(member_id="li")]},
    {"key_dates": (KeyDate(name="x", on=START),)},
    {"key_dates": (KeyDate(name="x", on=date(2026, 1, 1), yearly=1),)},  # type: ignore[arg-type]  # what a careless host may pass
)

FIELDS: Final = (
    "nobody", "", ".", "name.x", "customer.name", "owner.", "owner.nobody", "owner.team.name", "region", "region.x",
    "won_amount.x", "extra", "extra.undeclared", "extra.seats.x", "$where", "name; DROP TABLE customers", "_id",
    "search_text", "tenant.x", "a" * 100_000, SURROGATE, "owner_id.name", "parent.parent.name", "__class__",
)  # fmt: skip

QUESTIONS: Final = (
    Compare("name", "eq", {"$ne": None}),  # type: ignore[arg-type]  # what a careless host may pass
    Compare("name", "eq", MEGABYTE),
    Compare("name", "eq", SURROGATE),
    Compare("name", "eq", "a\0b"),
    Compare("name", "eq", 7),
    Compare("name", "eq", None),  # type: ignore[arg-type]  # what a careless host may pass
    Compare("name", "$ne", "x"),  # type: ignore[arg-type]  # what a careless host may pass
    Compare("name", "regex", ".*"),  # type: ignore[arg-type]  # what a careless host may pass
    Compare("founded_year", "lt", float("nan")),  # type: ignore[arg-type]  # what a careless host may pass
    Compare("founded_year", "lt", 2**53),
    Compare("founded_year", "eq", True),
    Compare("founded_year", "eq", "1"),
    Compare("last_follow_up_at", "gt", datetime(2026, 1, 1)),  # noqa: DTZ001  # what a careless host may pass
    *[Compare("last_follow_up_at", "gt", moment) for moment in YEARS],
    Compare("last_follow_up_at", "gt", date(2026, 1, 1)),
    Compare("last_follow_up_at", "gt", ago(days=10_000_000)),
    Compare("last_follow_up_at", "gt", start_of("year", -5000)),
    Compare("last_follow_up_at", "gt", start_of("month", 10**12)),
    Compare("purchase_deadline", "gt", START),
    Compare("purchase_deadline", "gt", date(9999, 12, 31)),
    Compare("purchase_deadline", "gt", start_of("year", 7974)),
    Compare("purchase_deadline", "gt", start_of("week", 10**12)),
    Compare("won_amount", "gt", 5),
    Compare("lifecycle", "eq", "unheard of"),
    Compare("tags", "eq", "x"),
    Compare("collaborators", "eq", "x"),
    Compare("region", "eq", "x"),
    Compare("extra.vip", "eq", "yes"),
    Compare("extra.seats", "eq", Decimal(1)),
    OneOf("name", ("a", {"$ne": 1})),  # type: ignore[arg-type]  # what a careless host may pass
    OneOf("name", tuple(str(n) for n in range(1001))),
    OneOf("name", ["a"]),  # type: ignore[arg-type]  # what a careless host may pass
    OneOf("won_amount", (Money(1, "CNY"),)),
    F.tags.has({"$ne": 1}),  # type: ignore[arg-type]  # what a careless host may pass
    F.name.has("x"),
    F.tags.contains("x"),
    F.founded_year.starts_with("1"),
    F.name.starts_with(""),
    F.name.starts_with(SURROGATE),
    F.name.contains(MEGABYTE),
    contains_text("x" * 256),
    contains_text(SURROGATE),
    contains_text(None),  # type: ignore[arg-type]  # what a careless host may pass
    F.name - F.created_at > timedelta(1),
    F.created_at - F.purchase_deadline > timedelta(1),
    F.updated_at - F.created_at > 5,
    And((True,)),  # type: ignore[arg-type]  # what a careless host may pass
    And(tuple(F.name == str(n) for n in range(401))),
    "name = 'x'",
    None,
    {"$where": "1"},
)


def deep(levels: int) -> Any:
    """A condition of that many negations."""
    where: Any = F.name == "x"
    for _ in range(levels):
        where = Not(where)
    return where


class Hostile(Contract):
    """Only errors of ours, and nothing changed."""

    @pytest.mark.parametrize("given", VALUES, ids=lambda given: ascii(given)[:60])
    def test_values_are_refused(self, door: Door, make: Maker, given: dict[str, Any]) -> None:
        """By `InvalidValue`, which names the field and says what would be fine; its sentence can be shown."""
        asking = door.open()
        with pytest.raises(InvalidValue) as refused:
            asking.add(make.customer(), make.customer(**given))
        asking.rollback()

        assert "Customer" == refused.value.entity
        assert refused.value.field.startswith(next(iter(given)))
        assert len(str(refused.value).encode()) < 1000
        assert [] == door.ids(Customer)

    def test_other_values_are_refused(self, door: Door, make: Maker) -> None:
        """Numbers and JSON that no engine keeps exactly."""
        asking = door.open()
        for quantity in ("NaN", "sNaN", "Infinity", "0.00001", "900719925474.0992", "1E+30"):
            with pytest.raises(InvalidValue):
                asking.own(make.line(quantity=Decimal(quantity)))
        nested: Any = []
        for _ in range(10_000):
            nested = [nested]
        event = OutboxEvent(name="x", entity="x", record_id=make.id(), due_at=START, data={})
        for value in (
            float("nan"),
            1.5,
            2**53,
            SURROGATE,
            "\0",
            b"x",
            START,
            {1},
            nested,
            {7: 1},
            {SURROGATE: 1},
        ):
            with pytest.raises(InvalidValue):
                asking.own(attrs.evolve(event, data={"x": value}))
        for latitude in (Decimal("NaN"), Decimal("Infinity"), 1.5, "1"):
            with pytest.raises(InvalidValue):
                asking.own(make.follow_up(place=Place(latitude=latitude, longitude=Decimal(0))))  # type: ignore[arg-type]  # what a careless host may pass
        with pytest.raises(InvalidValue):
            asking.own(make.follow_up(status="$ne"))
        assert [] == door.ids(FollowUp)

    @pytest.mark.parametrize("path", FIELDS, ids=lambda path: ascii(path)[:40])
    def test_fields_that_do_not_exist(self, door: Door, make: Maker, path: str) -> None:
        """A typed error from every question that names one, never an empty answer."""
        door.seed(make.customer())
        asking, field = door.open(), Field(path)

        for ask in (
            lambda: asking.find(Customer, Compare(path, "eq", "x")),
            lambda: asking.find(Customer, field.is_null()),
            lambda: asking.find(Customer, order=(Order(path),)),
            lambda: asking.select(Customer, field),
            lambda: asking.tally(Customer, count(), by=[field]),
            lambda: asking.tally(Customer, total(field)),
            lambda: asking.tally(Customer, count(field.is_null())),
            lambda: asking.change(Customer, field.is_null(), {"level": "A"}),
        ):
            with pytest.raises((UnknownField, InvalidQuestion)) as refused:
                ask()
            assert len(str(refused.value).encode()) < 1000

    @pytest.mark.parametrize("where", QUESTIONS, ids=lambda where: ascii(where)[:60])
    def test_questions_that_can_not_be_asked(self, door: Door, make: Maker, where: Any) -> None:
        """Wrong types, sizes, operators: refused before an engine sees them, from every way of asking."""
        door.seed(make.customer(name="x"))
        asking = door.open()

        for ask in (
            lambda: asking.find(Customer, where),
            lambda: asking.stream(Customer, where),
            lambda: asking.tally(Customer, count(), where=where),
            lambda: asking.tally(Customer, count(And((where,)))),
            lambda: asking.change(Customer, where, {"level": "A"}),
        ):
            with pytest.raises(Invalid) as refused:
                ask()
            assert len(str(refused.value).encode()) < 1000
        assert [1] == [one.version for one in asking.find(Customer)]

    @pytest.mark.parametrize("levels", [33, 200, 900, 5_000])
    def test_questions_too_deep(self, door: Door, levels: int) -> None:
        """Refused as such, with a cursor too, however deep."""
        asking = door.open()
        for after in (None, "x", "AAAA"):
            with pytest.raises(Invalid):
                asking.find(Customer, deep(levels), after=after)
        with pytest.raises(InvalidQuestion):
            asking.tally(Customer, count(deep(levels)))

    @pytest.mark.parametrize("limit", [-1, 10_001, 10**30, 1.0, "5", None, True])
    def test_limits_that_are_none(self, door: Door, make: Maker, limit: Any) -> None:
        """A limit is a whole number within reason."""
        door.seed(make.customer())
        with pytest.raises(InvalidQuestion):
            door.open().find(Customer, limit=limit)

    def test_tallies_that_can_not_be_asked(self, door: Door) -> None:
        """No measure, no sum of texts, no keys that are lists, no edges out of order."""
        asking = door.open()
        march, april = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
        asks: tuple[Callable[[], object], ...] = (
            lambda: asking.tally(Customer),
            lambda: asking.tally(Customer, total(F.name)),
            lambda: asking.tally(Customer, count(), by=[F.tags]),
            lambda: asking.tally(Customer, count(), by=[F.won_amount]),
            lambda: asking.tally(Customer, count(), by=[bucket(F.created_at, [])]),
            lambda: asking.tally(Customer, count(), by=[bucket(F.created_at, [april])]),
            lambda: asking.tally(Customer, count(), by=[bucket(F.created_at, [april, march])]),
            lambda: asking.tally(Customer, count(), by=[bucket(F.created_at, [march, march])]),
            lambda: asking.tally(Customer, count(), by=[bucket(F.name, [march, april])]),
            lambda: asking.tally(Customer, count(), by=[bucket(F.created_at, [march, None])]),  # type: ignore[list-item]  # what a careless host may pass
            lambda: asking.tally(
                Customer, count(), by=[bucket(F.created_at, [march + timedelta(n) for n in range(1001)])]
            ),
            lambda: asking.select(Customer),
            lambda: asking.select(Customer, F.collaborators),
        )
        for ask in asks:
            with pytest.raises(Invalid):
                ask()

    def test_cursors_that_are_not_ours(self, door: Door, make: Maker) -> None:
        """Altered, cut, foreign: refused; the engine never sees what was in them."""
        customers = [make.customer(name=f"N{n}") for n in range(4)]
        door.seed(*customers)
        asking, schema = door.open(), door.schemas["customers"]
        query = Query(order=(Order("name"),), limit=2)
        cursor = asking.checker.cursor(schema, query, asking.own(customers[1]))
        assert ["N2", "N3"] == [one.name for one in asking.find(Customer, order=(F.name,), after=cursor)]

        altered = cursor[:-2] + ("AA" if cursor[-2:] != "AA" else "BB")
        for bad in (
            "",
            "x",
            "é",
            cursor[:-3],
            cursor[1:],
            altered,
            "A" * 200_000,
            {"$ne": 1},
            b"x",
            7,
            SURROGATE,
        ):
            with pytest.raises(InvalidCursor):
                asking.find(Customer, order=(F.name,), after=bad)  # type: ignore[arg-type]  # what a careless host may pass
        with pytest.raises(InvalidCursor):
            asking.find(Customer, order=(-F.name,), after=cursor)
        with pytest.raises(InvalidCursor):
            asking.find(Customer, F.level == "A", order=(F.name,), after=cursor)

    def test_errors_show_nothing_of_the_driver(self, door: Door, make: Maker) -> None:
        """What went wrong in a write is one of our errors, and says so in a sentence."""
        door.seed(make.customer(number="N1"))
        asking = door.open()
        with pytest.raises(CrmError) as refused:
            asking.add(make.customer(number="N1", name="x' OR 1=1 --"))
        asking.rollback()

        assert "OR 1=1" not in str(refused.value)
