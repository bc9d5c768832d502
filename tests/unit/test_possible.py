"""Which questions can never hold, kind by kind of field; that none is called so wrongly is in tests/property/test_possible.py."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from salescrm.catalog import schemas
from salescrm.kinds import Kind
from salescrm.policy.questions import can_hold, fields_of, implies, unaskable
from salescrm.query import EVERYTHING, NOTHING, F, Or, Where, ago
from salescrm.query.nodes import Search
from salescrm.values import Money

KNOWN = schemas({"Customer": {"seats": Kind.WHOLE, "vip": Kind.FLAG}})
MARCH, APRIL = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    "where",
    [
        NOTHING,
        ~EVERYTHING,
        Or(()),
        F.level.one_of([]),
        (F.level == "A") & (F.level == "B"),
        (F.level == "A") & (F.level != "A"),
        (F.level == "A") & F.level.is_null(),
        (F.level != "A") & F.level.is_null(),
        F.level.one_of(["A", "B"]) & ~F.level.one_of(["B", "A"]),
        (F.level > "B") & (F.level < "B"),
        (F.level > "B") & (F.level <= "B"),
        (F.level >= "B") & (F.level <= "B") & (F.level != "B"),
        (F.level == "A") & (F.level >= "B"),
        F.level.is_null() & F.level.is_set(),
        F.name.is_null(),
        ~F.lifecycle.one_of(["prospect", "active", "dormant", "lost"]),
        (F.transfer_pending != True) & (F.transfer_pending != False),  # noqa: E712  # conditions
        (F.follow_up_count > 3) & (F.follow_up_count < 4),
        (F.created_at < MARCH) & (F.created_at >= APRIL),
        (F.created_at > MARCH) & ~(F.created_at > MARCH),
        (F.contract_ends_on <= date(2026, 3, 1)) & (F.contract_ends_on > date(2026, 3, 1)),
        (F.won_amount > Money.of("10", "CNY")) & (F.won_amount < Money.of("10.01", "CNY")),
        (F.won_amount > Money.of("10", "CNY")) & (F.won_amount > Money.of("10", "USD")),
        ((F.last_deal_at - F.owned_since) < DAY) & ((F.last_deal_at - F.owned_since) > DAY),
        F.name.starts_with("云") & F.name.starts_with("杭"),
        F.name.starts_with("云帆") & ~F.name.starts_with("云"),
        F.name.starts_with("云") & ~F.name.starts_with("云"),
        F.name.contains("云") & ~F.name.contains("云"),
        (F.name == "杭州") & F.name.contains("云"),
        (F.name == "杭州") & F.name.starts_with("云"),
        F.tags.has("大") & ~F.tags.has("大"),
        Search("云帆") & ~Search("云帆"),
        F.region.province.one_of(["浙江", "江苏"]) & (F.region.province == "广东"),
        (F.extra.seats == 3) & (F.extra.seats == 4),
        (F.extra.vip == True) & F.extra.vip.is_null(),  # noqa: E712  # a condition
        (F.parent.level == "A") & (F.parent.level == "B"),
        ((F.level == "A") | (F.level == "B")) & ~((F.level == "B") | (F.level == "A")),
        ((F.level == "A") | (F.size == "1-9")) & (F.level == "B") & (F.size == "10-49"),
    ],
    ids=repr,
)  # fmt: skip
def test_what_can_never_hold(where: Where) -> None:
    """Whatever the customer."""
    assert unaskable(where, KNOWN, "customers") is None
    assert not can_hold(where, KNOWN)


@pytest.mark.parametrize(
    "where",
    [
        EVERYTHING,
        (F.level >= "B") & (F.level <= "B"),
        ~(F.level == "A") & ~(F.level != "A"),
        F.parent.name.is_null(),
        F.extra.vip.is_null(),
        F.tags.has("大") & F.tags.has("小"),
        F.name.starts_with("云") & F.name.starts_with("云帆"),
        F.name.contains("云") & F.name.contains("帆"),
        (F.won_amount > Money.of("10", "CNY")) & (F.won_amount < Money.of("10.02", "CNY")),
        # These could be told by someone who knew more: of two fields together, and of days that move.
        (F.created_at < MARCH) & (F.updated_at < MARCH),
        (F.created_at < ago(days=9)) & (F.created_at > ago(days=3)),
        (F.level == "A") & (F.parent.level == "B"),
    ],
    ids=repr,
)
def test_what_may_hold(where: Where) -> None:
    """Or can't be told."""
    assert can_hold(where, KNOWN)


def test_what_is_too_long_may_hold() -> None:
    """So many ways are not all tried, and a question that no store takes is none of ours."""
    knot: Where = F.level == "A"
    for number in range(40):
        knot &= (F.follow_up_count == number) | (F.open_opportunities != number)
    assert can_hold(knot & (F.level == "B"), KNOWN) is False  # what holds for sure is learnt first
    maze: Where = EVERYTHING
    for number in range(60):
        maze &= (F.tags.has(f"a{number}") | F.tags.has(f"b{number}")) & (
            ~F.tags.has(f"a{number}") | ~F.tags.has(f"b{number}")
        )
    clash = (F.level == "A") | (F.size == "1-9")
    assert can_hold(maze & clash & (~(F.level == "A") | F.level.is_null()) & ~(F.size == "1-9"), KNOWN)
    assert can_hold(F.level.one_of(["A"] * 1001), KNOWN)


def test_one_question_may_imply_another() -> None:
    """A narrower one the wider one, and never the other way round."""
    assert implies((F.level == "A") & (F.size == "1-9"), F.level == "A", KNOWN)
    assert not implies(F.level == "A", (F.level == "A") & (F.size == "1-9"), KNOWN)
    assert implies(F.level == "A", EVERYTHING, KNOWN)
    assert implies(NOTHING, F.level == "A", KNOWN)
    assert not implies(F.level != "A", F.level == "B", KNOWN)
    # Who has no level is not "not A".
    assert implies(F.level != "A", ~(F.level == "A"), KNOWN)
    assert not implies(~(F.level == "A"), F.level != "A", KNOWN)


def test_the_fields_that_a_question_names() -> None:
    where = ((F.level == "A") | ~F.tags.has("x")) & ((F.last_deal_at - F.owned_since) < DAY) & Search("y")
    assert {"level", "tags", "last_deal_at", "owned_since"} == fields_of(where)
    assert frozenset() == fields_of(EVERYTHING)
